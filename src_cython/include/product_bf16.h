/* Products as in product.h of float32 matrices whose numbers are rounded to bfloat16 on the way in,
 * for a CPU with AVX-512 BF16; elsewhere PRODUCT_HAS_BF16 is 0 and there are none.
 *
 * A bfloat16 is the upper half of a float32: all of its range, 8 of its 24 digits. They are rounded
 * to the nearest, and summed in float32; the instructions take subnormal numbers for zero. Two
 * numbers that follow each other along k lie side by side in a 32-bit word, and one instruction adds
 * both their products. So the steps of a tile are words (an odd k ends with a zero), and all that
 * product.h says of floats of a packed matrix holds of words, of which there are half as many. The
 * order of sums depends on k alone: an element has the same bits however m and n are split among
 * calls, and also if k is split at an even number.
 */
#ifndef FASTREC_PRODUCT_BF16_H
#define FASTREC_PRODUCT_BF16_H

#include "product.h"

#if defined(__AVX512BF16__)
#define PRODUCT_HAS_BF16 1

static inline simd_float product_dot_bf16(simd_float a, simd_float b, simd_float sum) {
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}

#define PRODUCT_ADD_bf16(r, o) PRODUCT_ADD(product_dot_bf16, r, o)
PRODUCT_TILES(PRODUCT_TILE, bf16, 1)
PRODUCT_TILES(PRODUCT_TILE, bf16, 2)
PRODUCT_TILES(PRODUCT_TILE, bf16, 3)

static const product_tile product_bf16_tiles[PRODUCT_VECTORS][PRODUCT_ROWS] = {
    {PRODUCT_TILES(PRODUCT_NAME, bf16, 1)},
    {PRODUCT_TILES(PRODUCT_NAME, bf16, 2)},
    {PRODUCT_TILES(PRODUCT_NAME, bf16, 3)},
};

#define PRODUCT_PAIRS_DEPTH PRODUCT_DEPTH /* words of a block */
/* Words from step to step of a turned A: no power of two, which would crowd a few sets of a cache. */
#define PRODUCT_PAIRS_STEP (PRODUCT_STRIP_ROWS + SIMD_LANES)

/* Up to one vector of floats, zeros behind. */
static inline simd_float product_load_most(const float *from, int64_t count) {
    if (count >= SIMD_LANES) return simd_load(from);
    return count > 0 ? simd_load_first(from, (int)count) : simd_set1(0.0f);
}

/* 32 numbers that follow each other as 16 words. */
static inline simd_float product_words(simd_float low, simd_float high) {
    return (simd_float)_mm512_cvtne2ps_pbh(high, low);
}

/* A word of each lane: a number of `first` and the one of `second` that follows it along k. */
static inline simd_float product_pairs(simd_float first, simd_float second) {
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9,
                                           24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1,
                                           16, 0);
    return (simd_float)_mm512_permutexvar_epi16(order, (__m512i)product_words(first, second));
}

/* Round `count` numbers of each of some rows; `step` words lie from row to row of the result. */
static void product_pack_rows_bf16(const float *a, ptrdiff_t lda, int64_t rows, int64_t count,
                                   float *packed, ptrdiff_t step) {
    for (int64_t r = 0; r < rows; r++, a += lda, packed += step)
        for (int64_t i = 0; i < count; i += 2 * SIMD_LANES) {
            const int64_t left = count - i;
            const simd_float pairs = product_words(
                product_load_most(a + i, left),
                product_load_most(a + i + SIMD_LANES, left - SIMD_LANES));
            if (left >= 2 * SIMD_LANES)
                simd_store(packed + i / 2, pairs);
            else
                simd_store_first(packed + i / 2, (int)((left + 1) / 2), pairs);
        }
}

/* Round `count` rows of `columns` numbers each, two rows together; words of the columns follow each
 * other, `step` of them from pair to pair of rows, and whole vectors are written. */
static void product_pack_pairs_bf16(const float *a, ptrdiff_t lda, int64_t columns, int64_t count,
                                    float *packed, ptrdiff_t step) {
    for (int64_t i = 0; i < count; i += 2, a += 2 * lda, packed += step)
        for (int64_t j = 0; j < columns; j += SIMD_LANES) {
            const simd_float first = product_load_most(a + j, columns - j);
            const simd_float second =
                product_load_most(a + lda + j, i + 1 < count ? columns - j : 0);
            simd_store(packed + j, product_pairs(first, second));
        }
}

/* The same from rows of B, which are transposed in registers. */
static void product_pack_panel_nt_bf16(const float *b, ptrdiff_t ldb, int64_t columns, int vectors,
                                       int64_t count, float *panel) {
    const int64_t width = vectors * SIMD_LANES;
    float edge[SIMD_LANES * SIMD_COLUMNS]; /* words of some rows */
    simd_float lines[SIMD_COLUMNS];
    for (int64_t j = 0; j < width; j += SIMD_LANES) {
        memset(edge, 0, sizeof edge);
        for (int64_t i = 0; i < count; i += 2 * SIMD_COLUMNS) {
            const int64_t rows = columns - j < SIMD_LANES ? columns - j : SIMD_LANES;
            const int64_t numbers = count - i < 2 * SIMD_COLUMNS ? count - i : 2 * SIMD_COLUMNS;
            product_pack_rows_bf16(b + j * ldb + i, ldb, rows, numbers, edge, SIMD_COLUMNS);
            simd_load_columns(edge, SIMD_COLUMNS, lines);
            for (int64_t s = 0; 2 * s < numbers; s++)
                simd_store(panel + (i / 2 + s) * width + j, lines[s]);
        }
    }
}

static void product_pack_nn_bf16(int64_t n, int64_t k, const float *b, int64_t ldb, float *packed) {
    for (int64_t j = 0; j < n;) {
        const int width = product_panel_vectors(n - j) * SIMD_LANES;
        product_pack_pairs_bf16(b + j, ldb, n - j < width ? n - j : width, k,
                                packed + j * ((k + 1) / 2), width);
        j += width;
    }
}

static void product_pack_nt_bf16(int64_t n, int64_t k, const float *b, int64_t ldb, float *packed) {
    for (int64_t j = 0; j < n;) {
        const int vectors = product_panel_vectors(n - j), width = vectors * SIMD_LANES;
        product_pack_panel_nt_bf16(b + j * ldb, ldb, n - j < width ? n - j : width, vectors, k,
                                   packed + j * ((k + 1) / 2));
        j += width;
    }
}

/* C = or += A B: A is m x k, or k x m where it is turned; B is k x n, or packed, and then b is NULL.
 * A strip of rows of A is rounded once for all of B, which is rounded for each of them unless it is
 * packed. Scratch: product_scratch_floats(). */
static void product_of_bf16(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                            int is_turned, const float *b, int64_t ldb, const float *packed,
                            float *c, int64_t ldc, int accumulate, float *scratch) {
    float *left = scratch, *panel = scratch + PRODUCT_PAIRS_STEP * PRODUCT_PAIRS_DEPTH;
    const ptrdiff_t row = is_turned ? 1 : PRODUCT_PAIRS_DEPTH;
    const ptrdiff_t step = is_turned ? PRODUCT_PAIRS_STEP : 1;
    const int64_t most = 2 * PRODUCT_PAIRS_DEPTH;
    _Static_assert((PRODUCT_PAIRS_STEP + PRODUCT_PANEL) * PRODUCT_PAIRS_DEPTH <=
                       (PRODUCT_PANEL + PRODUCT_STRIP_ROWS) * PRODUCT_STRIP_DEPTH,
                   "product_scratch_floats() is what all products need");
    if (k == 0 && !accumulate) product_clear(m, n, c, ldc);
    for (int64_t from = 0; from < k; from += most) {
        const int64_t count = k - from < most ? k - from : most;
        for (int64_t i = 0; i < m; i += PRODUCT_STRIP_ROWS) {
            const int64_t rows = m - i < PRODUCT_STRIP_ROWS ? m - i : PRODUCT_STRIP_ROWS;
            if (is_turned)
                product_pack_pairs_bf16(a + from * lda + i, lda, rows, count, left, step);
            else
                product_pack_rows_bf16(a + i * lda + from, lda, rows, count, left, row);
            for (int64_t j = 0; j < n;) {
                const int vectors = product_panel_vectors(n - j), width = vectors * SIMD_LANES;
                const int64_t columns = n - j < width ? n - j : width;
                const float *right = panel;
                if (b)
                    product_pack_pairs_bf16(b + from * ldb + j, ldb, columns, count, panel, width);
                else
                    right = packed + j * ((k + 1) / 2) + from / 2 * width;
                product_panel(product_bf16_tiles, rows, columns, vectors, (count + 1) / 2, left,
                              PRODUCT_ROWS * row, row, step, right, width, c + i * ldc + j, ldc,
                              accumulate || from);
                j += width;
            }
        }
    }
}

#else
#define PRODUCT_HAS_BF16 0
#endif

#endif
