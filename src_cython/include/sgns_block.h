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

/* change[r] += sum_n g[r, n] y[n] and y[n] += sum_r g[r, n] x[r]; `change` may be x itself. */
SIMD_INLINE void tile_update(const int N, float *const *x, float *const *change, int rows,
                             float *const *y, int64_t chunks, const float *g) {
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
                step[n] = simd_fma(factor, row, step[n]);
                moved = simd_fma(factor, column[n], moved);
            }
            simd_store(change[r] + c * SIMD_LANES, moved);
        }
        UNROLL
        for (int n = 0; n < N; n++) {
            float *to = y[n] + c * SIMD_LANES;
            simd_store(to, simd_add(simd_load(to), step[n]));
        }
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
 * score and weight have room for one vector beyond `count`.
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

/* Score a block, take its loss and update its rows.
 *
 * score and weight hold rows * columns floats and have room for one vector more. Where `change` is
 * not x, x is left as it is and the step of its rows is added to `change`. Returns the loss before
 * the update.
 */
static double block_train(float *const *x, float *const *change, int rows, float *const *y,
                          int columns, int64_t chunks, float *score, float *weight,
                          float learning_rate) {
    for (int t = 0; t < columns; t += TILE) {
        int n = columns - t < TILE ? columns - t : TILE;
        float *part = score + (int64_t)rows * t;
#define CALL(N) tile_dots(N, x, rows, y + t, chunks, part)
        FOR_TILE_WIDTH(n, CALL)
#undef CALL
    }
    double loss = block_coefficients(score, weight, (int64_t)rows * columns, learning_rate);
    for (int t = 0; t < columns; t += TILE) {
        int n = columns - t < TILE ? columns - t : TILE;
        const float *part = score + (int64_t)rows * t;
#define CALL(N)                                          \
    if (change == x)                                     \
        tile_update(N, x, x, rows, y + t, chunks, part); \
    else                                                 \
        tile_update(N, x, change, rows, y + t, chunks, part)
        FOR_TILE_WIDTH(n, CALL)
#undef CALL
    }
    return loss;
}

#endif
