/* One block of skip-gram with negative sampling: R input rows against T output rows.
 *
 * Legend
 *   x[r], y[t]   rows of the input and output matrix, `chunks` vectors of SIMD_LANES floats each
 *   weight       signed: +w for a pair that was seen, -w for a noise pair, 0 for a pair that is
 * none score        x[r] . y[t], overwritten with the gradient coefficient of the pair
 *
 * The loss of a pair is |w| softplus(-z) with z = +score (seen) or -score (noise), which is
 * -log sigmoid(z): equation 4 of Mikolov et al., "Distributed Representations of Words and
 * Phrases", 2013. All scores of a block are taken before any row changes; the update then goes tile
 * by tile of TILE output rows and, within a tile, row by row, so that rows which stand in a block
 * twice receive both updates. Scores, weights and coefficients are laid out by tile: tile k begins
 * at R * k * TILE and is row-major inside.
 */
#ifndef FASTREC_SGNS_BLOCK_H
#define FASTREC_SGNS_BLOCK_H

#include <math.h>
#include <stdint.h>

#include "simd_math.h"

/* The loops over a tile have constant bounds and must be unrolled whole, so that the tile stays in
 * registers. */
#if defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 24")
#else
#define UNROLL
#endif

enum { TILE = 6, BLOCK_ROWS = 16 };

#if SIMD_LANES == 16
enum { DOT_ROWS = 4 };
#else
enum { DOT_ROWS = 2 };
#endif

/* out[r * N + n] = x[r] . y[n] for R rows and N columns known at compile time. */
SIMD_INLINE void dots_fixed(const int R, const int N, float *const *x, float *const *y,
                            int64_t chunks, float *out) {
    simd_float sum[DOT_ROWS * TILE];
    UNROLL
    for (int i = 0; i < R * N; i++) sum[i] = simd_set1(0.0f);
    for (int64_t c = 0; c < chunks; c++) {
        simd_float column[TILE];
        UNROLL
        for (int n = 0; n < N; n++) column[n] = simd_load(y[n] + c * SIMD_LANES);
        UNROLL
        for (int r = 0; r < R; r++) {
            simd_float row = simd_load(x[r] + c * SIMD_LANES);
            UNROLL
            for (int n = 0; n < N; n++) sum[r * N + n] = simd_fma(row, column[n], sum[r * N + n]);
        }
    }
    simd_sums(sum, R * N, out);
}

SIMD_INLINE void tile_dots(const int N, float *const *x, int rows, float *const *y, int64_t chunks,
                           float *out) {
    int r = 0;
    for (; r + DOT_ROWS <= rows; r += DOT_ROWS)
        dots_fixed(DOT_ROWS, N, x + r, y, chunks, out + r * N);
#if SIMD_LANES == 16
    if (rows - r == 3) dots_fixed(3, N, x + r, y, chunks, out + r * N);
    if (rows - r == 2) dots_fixed(2, N, x + r, y, chunks, out + r * N);
#endif
    if (rows - r == 1) dots_fixed(1, N, x + r, y, chunks, out + r * N);
}

/* change[r] += sum_n g[r, n] y[n] and, unless frozen, y[n] += sum_r g[r, n] x[r]; `change` may be x
 * itself. */
SIMD_INLINE void tile_update(const int N, const int frozen, float *const *x, float *const *change,
                             int rows, float *const *y, int64_t chunks, const float *g) {
    for (int64_t c = 0; c < chunks; c++) {
        simd_float column[TILE], step[TILE];
        UNROLL
        for (int n = 0; n < N; n++) {
            column[n] = simd_load(y[n] + c * SIMD_LANES);
            step[n] = simd_set1(0.0f);
        }
        for (int r = 0; r < rows; r++) {
            simd_float row = simd_load(x[r] + c * SIMD_LANES);
            simd_float moved = change == x ? row : simd_load(change[r] + c * SIMD_LANES);
            UNROLL
            for (int n = 0; n < N; n++) {
                simd_float factor = simd_set1(g[r * N + n]);
                if (!frozen) step[n] = simd_fma(factor, row, step[n]);
                moved = simd_fma(factor, column[n], moved);
            }
            simd_store(change[r] + c * SIMD_LANES, moved);
        }
        if (frozen) continue;
        UNROLL
        for (int n = 0; n < N; n++) {
            float *to = y[n] + c * SIMD_LANES;
            simd_store(to, simd_add(simd_load(to), step[n]));
        }
    }
}

/* The same for one row, whose coefficients stay in registers. */
SIMD_INLINE void row_update(const int N, const int frozen, const float *x, float *change,
                            float *const *y, int64_t chunks, const float *g) {
    simd_float factor[TILE];
    UNROLL
    for (int n = 0; n < N; n++) factor[n] = simd_set1(g[n]);
    for (int64_t c = 0; c < chunks; c++) {
        int64_t place = c * SIMD_LANES;
        simd_float row = simd_load(x + place);
        simd_float moved = change == x ? row : simd_load(change + place);
        UNROLL
        for (int n = 0; n < N; n++) moved = simd_fma(factor[n], simd_load(y[n] + place), moved);
        simd_store(change + place, moved);
        if (frozen) continue;
        UNROLL
        for (int n = 0; n < N; n++)
            simd_store(y[n] + place, simd_fma(factor[n], row, simd_load(y[n] + place)));
    }
}

#define FOR_TILE_WIDTH(n, CALL) \
    switch (n) {                \
        case 1:                 \
            CALL(1);            \
            break;              \
        case 2:                 \
            CALL(2);            \
            break;              \
        case 3:                 \
            CALL(3);            \
            break;              \
        case 4:                 \
            CALL(4);            \
            break;              \
        case 5:                 \
            CALL(5);            \
            break;              \
        default:                \
            CALL(6);            \
    }

/* Turn scores into gradient coefficients, -learning_rate * dLoss/dscore; return the loss.
 *
 * score and weight hold `count` floats and have room for one vector more.
 */
static double block_coefficients(float *score, float *weight, int64_t count, float learning_rate) {
    simd_store(score + count, simd_set1(0.0f));
    simd_store(weight + count, simd_set1(0.0f));
    simd_float rate = simd_set1(learning_rate), total = simd_set1(0.0f);
    for (int64_t i = 0; i < count; i += SIMD_LANES) {
        simd_float w = simd_load(weight + i), slope;
        simd_float z = simd_flip(simd_load(score + i), w);
        simd_float loss = simd_softplus_of_minus(z, &slope);
        total = simd_fma(simd_abs(w), loss, total);
        simd_store(score + i, simd_mul(rate, simd_mul(w, slope)));
    }
    float sum;
    simd_sums(&total, 1, &sum);
    return (double)sum;
}

/* The place of (row, column) in a block's layout by tiles. */
static inline int64_t block_place(int rows, int columns, int row, int column) {
    int tile = column - column % TILE;
    int width = columns - tile < TILE ? columns - tile : TILE;
    return (int64_t)rows * tile + row * width + (column - tile);
}

/* Turn scores into the gradient coefficients of a softmax over the block's columns, in which row r
 * should have chosen column `target` and weighs importance[r]; return the loss.
 *
 * loss = importance (log sum_t exp(score_t) - score_target), taken around the largest score.
 */
static double softmax_coefficients(float *score, int rows, int columns, int target,
                                   const float *importance, float learning_rate) {
    double total = 0;
    for (int r = 0; r < rows; r++) {
        double sum = 0;
        float largest = score[block_place(rows, columns, r, 0)];
        float wanted = score[block_place(rows, columns, r, target)];
        for (int t = 1; t < columns; t++) {
            float z = score[block_place(rows, columns, r, t)];
            largest = z > largest ? z : largest;
        }
        for (int t = 0; t < columns; t++) {
            float *z = score + block_place(rows, columns, r, t);
            *z = expf(*z - largest);
            sum += *z;
        }
        total += importance[r] * (log(sum) + (double)largest - (double)wanted);
        float step = learning_rate * importance[r], share = (float)(step / sum);
        for (int t = 0; t < columns; t++) {
            float *z = score + block_place(rows, columns, r, t);
            *z = (t == target ? step : 0.0f) - share * *z;
        }
    }
    return total;
}

/* score = x y', for `rows` rows and `columns` columns. */
static void block_scores(float *const *x, int rows, float *const *y, int columns, int64_t chunks,
                         float *score) {
    for (int t = 0; t < columns; t += TILE) {
        int n = columns - t < TILE ? columns - t : TILE;
        float *part = score + (int64_t)rows * t;
#define CALL(N) tile_dots(N, x, rows, y + t, chunks, part)
        FOR_TILE_WIDTH(n, CALL)
#undef CALL
    }
}

/* Move a block's rows by its gradient coefficients g.
 *
 * Where `change` is not x, x is left as it is and the step of its rows is added to `change`; frozen
 * columns y are left as they are.
 */
static void block_update(float *const *x, float *const *change, int rows, float *const *y,
                         int columns, int64_t chunks, const float *g, int frozen) {
    for (int t = 0; t < columns; t += TILE) {
        int n = columns - t < TILE ? columns - t : TILE;
        const float *part = g + (int64_t)rows * t;
#define CALL(N)                                                  \
    if (rows == 1 && frozen)                                     \
        row_update(N, 1, x[0], change[0], y + t, chunks, part);  \
    else if (rows == 1)                                          \
        row_update(N, 0, x[0], change[0], y + t, chunks, part);  \
    else if (frozen)                                             \
        tile_update(N, 1, x, change, rows, y + t, chunks, part); \
    else if (change == x)                                        \
        tile_update(N, 0, x, x, rows, y + t, chunks, part);      \
    else                                                         \
        tile_update(N, 0, x, change, rows, y + t, chunks, part)
        FOR_TILE_WIDTH(n, CALL)
#undef CALL
    }
}

#endif
