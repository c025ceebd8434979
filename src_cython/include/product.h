/* Products of float32 matrices by one thread, for training code whose threads each have tiles.
 *
 * All matrices are row-major. C is m x n, ldc floats from row to row, and k numbers are summed:
 *
 *   product_nn   C = A B      A is m x k, B is k x n
 *   product_tn   C = A^T B    A is k x m, B is k x n
 *
 * With `accumulate` the sum is added to what C holds. Every element is computed as
 * start + a[0] b[0] + a[1] b[1] + ... in this order, one fma after the other, start being C or 0.
 * Where depth is blocked, a sum is parked in C between two blocks, which does not round it. So an
 * element has the same bits however m and n are split among calls, by whichever of the functions,
 * and also if k is split and the parts are accumulated in their order.
 *
 * A register tile is PRODUCT_ROWS rows of C by up to PRODUCT_VECTORS vectors: the columns of B are
 * the lanes, and numbers of A are broadcast. B is read in panels as wide as a tile: as it lies in
 * memory, or from a copy where a panel is not full. A matrix used by many calls, or stored
 * transposed, is packed by the caller once: `product_pack_nn` and, from n x k, `product_pack_nt`
 * fill product_packed_floats(n, k) floats, `product_packed` multiplies by them.
 */
#ifndef FASTREC_PRODUCT_H
#define FASTREC_PRODUCT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "simd.h"

#if SIMD_LANES == 16 /* 32 registers: 24 sums, three vectors of B and one number of A */
#define PRODUCT_ROWS 8
#define PRODUCT_VECTORS 3
#elif SIMD_LANES == 8 /* 16 registers: 12 sums */
#define PRODUCT_ROWS 4
#define PRODUCT_VECTORS 3
#else /* 16 registers, of which a product without fma needs one more */
#define PRODUCT_ROWS 4
#define PRODUCT_VECTORS 2
#endif
#define PRODUCT_PANEL (PRODUCT_VECTORS * SIMD_LANES)

/* How deep a panel is read before the next: with 48 columns, half of a first cache of 48 KB. */
#define PRODUCT_DEPTH 128
/* The same where few rows of A use a panel, and it does not matter whether it stays near. */
#define PRODUCT_FEW_ROWS 32
#define PRODUCT_FEW_DEPTH 512
/* A transposed A is copied when C has more rows and sums are deeper than this, else its columns are
 * read as they lie, so many of them for all of B. */
#define PRODUCT_DIRECT_ROWS 64
#define PRODUCT_DIRECT_SUMS 64
/* How much of it is copied at once: 128 KB, in the second cache. */
#define PRODUCT_STRIP_DEPTH 256
#define PRODUCT_STRIP_ROWS 128
/* Steps ahead for which a tile asks. */
#define PRODUCT_AHEAD 8

#if defined(__clang__)
#define PRODUCT_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define PRODUCT_UNROLL _Pragma("GCC unroll 16")
#else
#define PRODUCT_UNROLL
#endif

/* c (rows x vectors) = or += sum over `depth` steps: number r of a step of A is a_row * r further,
 * the next step a_step; the next step of B is b_step further. */
typedef void (*product_tile)(int64_t depth, const float *a, ptrdiff_t a_row, ptrdiff_t a_step,
                             const float *b, ptrdiff_t b_step, float *c, ptrdiff_t ldc,
                             int accumulate);

/* Row r lies o bytes after a: with three multiples of the stride in registers, the scales of an
 * address reach all rows from one pointer. */
#define PRODUCT_ROWS_1(X) X(0, 0)
#define PRODUCT_ROWS_2(X) PRODUCT_ROWS_1(X) X(1, s1)
#define PRODUCT_ROWS_3(X) PRODUCT_ROWS_2(X) X(2, 2 * s1)
#define PRODUCT_ROWS_4(X) PRODUCT_ROWS_3(X) X(3, s3)
#define PRODUCT_ROWS_5(X) PRODUCT_ROWS_4(X) X(4, 4 * s1)
#define PRODUCT_ROWS_6(X) PRODUCT_ROWS_5(X) X(5, s5)
#define PRODUCT_ROWS_7(X) PRODUCT_ROWS_6(X) X(6, 2 * s3)
#define PRODUCT_ROWS_8(X) PRODUCT_ROWS_7(X) X(7, s7)

#define PRODUCT_ADD(fma, r, o)                                                                    \
    {                                                                                             \
        const simd_float value = simd_set1(*(const float *)(at + (o)));                           \
        PRODUCT_UNROLL for (int v = 0; v < width; v++)                                            \
            sums[r][v] = fma(value, columns[v], sums[r][v]);                                      \
    }
#define PRODUCT_ADD_float32(r, o) PRODUCT_ADD(simd_fma, r, o)

/* PRODUCT_ADD_<kind> says how a tile sums: another kind has words of several numbers as its steps. */
#define PRODUCT_TILE(kind, rows, vectors)                                                         \
    static void product_tile_##kind##_##rows##_##vectors(                                         \
        int64_t depth, const float *a, ptrdiff_t a_row, ptrdiff_t a_step, const float *b,         \
        ptrdiff_t b_step, float *c, ptrdiff_t ldc, int accumulate) {                              \
        enum { width = vectors };                                                                 \
        const ptrdiff_t s1 = a_row * (ptrdiff_t)sizeof(float), s3 = 3 * s1, s5 = 5 * s1,          \
                        s7 = 7 * s1, step = a_step * (ptrdiff_t)sizeof(float);                    \
        const char *at = (const char *)a;                                                         \
        simd_float sums[rows][vectors], columns[vectors];                                         \
        (void)s1, (void)s3, (void)s5, (void)s7;                                                   \
        PRODUCT_UNROLL for (int r = 0; r < rows; r++)                                             \
            PRODUCT_UNROLL for (int v = 0; v < vectors; v++)                                      \
                sums[r][v] = simd_set1(0.0f);                                                     \
        if (accumulate)                                                                           \
            PRODUCT_UNROLL for (int r = 0; r < rows; r++)                                         \
                PRODUCT_UNROLL for (int v = 0; v < vectors; v++)                                  \
                    sums[r][v] = simd_load(c + r * ldc + v * SIMD_LANES);                         \
        for (int64_t i = 0; i < depth; i++) {                                                     \
            PRODUCT_UNROLL for (int v = 0; v < vectors; v++) {                                    \
                columns[v] = simd_load(b + v * SIMD_LANES);                                       \
                SIMD_PREFETCH(b + PRODUCT_AHEAD * b_step + v * SIMD_LANES);                       \
            }                                                                                     \
            PRODUCT_ROWS_##rows(PRODUCT_ADD_##kind)                                               \
            b += b_step, at += step;                                                              \
        }                                                                                         \
        PRODUCT_UNROLL for (int r = 0; r < rows; r++)                                             \
            PRODUCT_UNROLL for (int v = 0; v < vectors; v++)                                      \
                simd_store(c + r * ldc + v * SIMD_LANES, sums[r][v]);                             \
    }

#define PRODUCT_TILES_4(X, kind, v) X(kind, 1, v) X(kind, 2, v) X(kind, 3, v) X(kind, 4, v)
#define PRODUCT_TILES_8(X, kind, v)                                                               \
    PRODUCT_TILES_4(X, kind, v) X(kind, 5, v) X(kind, 6, v) X(kind, 7, v) X(kind, 8, v)
#define PRODUCT_NAME(kind, rows, vectors) product_tile_##kind##_##rows##_##vectors,
#if PRODUCT_ROWS == 8
#define PRODUCT_TILES PRODUCT_TILES_8
#else
#define PRODUCT_TILES PRODUCT_TILES_4
#endif

typedef const product_tile (*product_table)[PRODUCT_ROWS]; /* by vectors, then rows, less 1 */

PRODUCT_TILES(PRODUCT_TILE, float32, 1)
PRODUCT_TILES(PRODUCT_TILE, float32, 2)
#if PRODUCT_VECTORS == 3
PRODUCT_TILES(PRODUCT_TILE, float32, 3)
#endif

static const product_tile product_tiles[PRODUCT_VECTORS][PRODUCT_ROWS] = {
    {PRODUCT_TILES(PRODUCT_NAME, float32, 1)},
    {PRODUCT_TILES(PRODUCT_NAME, float32, 2)},
#if PRODUCT_VECTORS == 3
    {PRODUCT_TILES(PRODUCT_NAME, float32, 3)},
#endif
};

/* How many vectors the next panel has when `columns` are left: four are two and two, as a tile of
 * one vector has too few sums to keep the arithmetic busy. */
static inline int product_panel_vectors(int64_t columns) {
    const int64_t vectors = (columns + SIMD_LANES - 1) / SIMD_LANES;
    if (vectors == 4 && PRODUCT_VECTORS == 3) return 2;
    return vectors < PRODUCT_VECTORS ? (int)vectors : PRODUCT_VECTORS;
}

/* Copy numbers and fill the last vector with zeros. */
static inline void product_copy(const float *from, int64_t count, float *to) {
    int64_t i = 0;
    for (; i + SIMD_LANES <= count; i += SIMD_LANES) simd_store(to + i, simd_load(from + i));
    if (i < count) simd_store(to + i, simd_load_first(from + i, (int)(count - i)));
}

/* `columns` columns of C by one panel of B, tile t of A beginning a_tile * t further; tiles which
 * they do not fill go through a copy. */
static void product_panel(product_table table, int64_t m, int64_t columns, int vectors,
                          int64_t depth, const float *a, ptrdiff_t a_tile, ptrdiff_t a_row,
                          ptrdiff_t a_step, const float *b, ptrdiff_t b_step, float *c,
                          ptrdiff_t ldc, int accumulate) {
    float edge[PRODUCT_ROWS * PRODUCT_PANEL];
    const product_tile *tiles = table[vectors - 1];
    for (int64_t i = 0; i < m; i += PRODUCT_ROWS) {
        const int rows = m - i < PRODUCT_ROWS ? (int)(m - i) : PRODUCT_ROWS;
        const float *first = a + i / PRODUCT_ROWS * a_tile;
        float *corner = c + i * ldc;
        if (columns == vectors * SIMD_LANES) {
            tiles[rows - 1](depth, first, a_row, a_step, b, b_step, corner, ldc, accumulate);
            continue;
        }
        for (int r = 0; accumulate && r < rows; r++)
            product_copy(corner + r * ldc, columns, edge + r * PRODUCT_PANEL);
        tiles[rows - 1](depth, first, a_row, a_step, b, b_step, edge, PRODUCT_PANEL, accumulate);
        for (int r = 0; r < rows; r++) {
            const float *row = edge + r * PRODUCT_PANEL;
            int64_t v = 0;
            for (; v + SIMD_LANES <= columns; v += SIMD_LANES)
                simd_store(corner + r * ldc + v, simd_load(row + v));
            if (v < columns)
                simd_store_first(corner + r * ldc + v, (int)(columns - v), simd_load(row + v));
        }
    }
}

/* Copy columns of B, `depth` steps of them, into a panel; those that it does not have are zero. */
static void product_pack_panel_nn(const float *b, ptrdiff_t ldb, int64_t columns, int vectors,
                                  int64_t depth, float *panel) {
    const int64_t width = vectors * SIMD_LANES;
    for (int64_t i = 0; i < depth; i++, b += ldb, panel += width) {
        if (columns == PRODUCT_PANEL)
            for (int v = 0; v < PRODUCT_VECTORS; v++)
                simd_store(panel + v * SIMD_LANES, simd_load(b + v * SIMD_LANES));
        else
            product_copy(b, columns, panel);
    }
}

/* The same from rows of B, which are transposed in registers. */
static void product_pack_panel_nt(const float *b, ptrdiff_t ldb, int64_t columns, int vectors,
                                  int64_t depth, float *panel) {
    const int64_t width = vectors * SIMD_LANES;
    float edge[SIMD_LANES * SIMD_LANES]; /* copies fill whole vectors */
    simd_float lines[SIMD_COLUMNS];
    memset(edge, 0, sizeof edge);
    for (int64_t j = 0; j < width; j += SIMD_LANES)
        for (int64_t i = 0; i < depth; i += SIMD_COLUMNS) {
            const int64_t rows = columns - j < SIMD_LANES ? columns - j : SIMD_LANES;
            const int64_t steps = depth - i < SIMD_COLUMNS ? depth - i : SIMD_COLUMNS;
            const float *from = b + j * ldb + i;
            if (rows == SIMD_LANES && steps == SIMD_COLUMNS) {
                simd_load_columns(from, ldb, lines);
            } else {
                for (int64_t r = 0; r < rows; r++)
                    product_copy(from + r * ldb, steps, edge + r * SIMD_LANES);
                simd_load_columns(edge, SIMD_LANES, lines);
            }
            for (int64_t s = 0; s < steps; s++) simd_store(panel + (i + s) * width + j, lines[s]);
        }
}

/* How many floats a packed n x k or k x n matrix has. */
static inline int64_t product_packed_floats(int64_t n, int64_t k) {
    return (n + SIMD_LANES - 1) / SIMD_LANES * SIMD_LANES * k;
}

static void product_pack_nn(int64_t n, int64_t k, const float *b, int64_t ldb, float *packed) {
    for (int64_t j = 0; j < n;) {
        const int vectors = product_panel_vectors(n - j), width = vectors * SIMD_LANES;
        const int64_t columns = n - j < width ? n - j : width;
        product_pack_panel_nn(b + j, ldb, columns, vectors, k, packed + j * k);
        j += width;
    }
}

static void product_pack_nt(int64_t n, int64_t k, const float *b, int64_t ldb, float *packed) {
    for (int64_t j = 0; j < n;) {
        const int vectors = product_panel_vectors(n - j), width = vectors * SIMD_LANES;
        const int64_t columns = n - j < width ? n - j : width;
        product_pack_panel_nt(b + j * ldb, ldb, columns, vectors, k, packed + j * k);
        j += width;
    }
}

/* A sum of nothing. */
static void product_clear(int64_t m, int64_t n, float *c, int64_t ldc) {
    for (int64_t i = 0; i < m; i++) memset(c + i * ldc, 0, n * sizeof(float));
}

/* C = or += A B, with a B that product_pack_nn or product_pack_nt packed. */
static void product_packed(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                           const float *packed, float *c, int64_t ldc, int accumulate) {
    const int64_t block = m < PRODUCT_FEW_ROWS ? PRODUCT_FEW_DEPTH : PRODUCT_DEPTH;
    if (k == 0 && !accumulate) product_clear(m, n, c, ldc);
    for (int64_t j = 0; j < n;) {
        const int vectors = product_panel_vectors(n - j), width = vectors * SIMD_LANES;
        for (int64_t from = 0; from < k; from += block)
            product_panel(product_tiles, m, n - j < width ? n - j : width, vectors,
                          k - from < block ? k - from : block, a + from,
                          PRODUCT_ROWS * lda, lda, 1, packed + j * k + from * width, width, c + j,
                          ldc, accumulate || from);
        j += width;
    }
}

/* How many floats of scratch the two products below, and those of product_bf16.h, need at most; they
 * may be called with less than m, n and k as well. */
static inline int64_t product_scratch_floats(int64_t m, int64_t n, int64_t k) {
    (void)m, (void)n, (void)k;
    return (PRODUCT_PANEL + PRODUCT_STRIP_ROWS) * PRODUCT_STRIP_DEPTH;
}

/* m rows of C by `depth` steps of all columns of B, which is read as it lies but for a last panel
 * that is not full: `edge` has it. */
static void product_rows(int64_t m, int64_t n, int64_t depth, const float *a, ptrdiff_t a_tile,
                         ptrdiff_t a_row, ptrdiff_t a_step, const float *b, ptrdiff_t ldb,
                         const float *edge, float *c, ptrdiff_t ldc, int accumulate) {
    for (int64_t j = 0; j < n;) {
        const int vectors = product_panel_vectors(n - j), width = vectors * SIMD_LANES;
        if (n - j < width)
            product_panel(product_tiles, m, n - j, vectors, depth, a, a_tile, a_row, a_step, edge,
                          width, c + j, ldc, accumulate);
        else
            product_panel(product_tiles, m, width, vectors, depth, a, a_tile, a_row, a_step, b + j,
                          ldb, c + j, ldc, accumulate);
        j += width;
    }
}

/* Copy the last panel of B if it is not full. */
static void product_pack_edge(int64_t n, const float *b, ptrdiff_t ldb, int64_t depth,
                              float *edge) {
    for (int64_t j = 0; j < n;) {
        const int vectors = product_panel_vectors(n - j), width = vectors * SIMD_LANES;
        if (n - j < width) product_pack_panel_nn(b + j, ldb, n - j, vectors, depth, edge);
        j += width;
    }
}

static void product_nn(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                       const float *b, int64_t ldb, float *c, int64_t ldc, int accumulate,
                       float *scratch) {
    if (k == 0 && !accumulate) product_clear(m, n, c, ldc);
    for (int64_t from = 0; from < k; from += PRODUCT_DEPTH) {
        const int64_t depth = k - from < PRODUCT_DEPTH ? k - from : PRODUCT_DEPTH;
        product_pack_edge(n, b + from * ldb, ldb, depth, scratch);
        product_rows(m, n, depth, a + from, PRODUCT_ROWS * lda, lda, 1, b + from * ldb, ldb,
                     scratch, c, ldc, accumulate || from);
    }
}

/* Copy columns of A, `depth` steps of them, side by side for each tile. */
static void product_pack_strips(const float *a, ptrdiff_t lda, int64_t rows, int64_t depth,
                                float *strips) {
    for (int64_t r = 0; r < rows; r += PRODUCT_ROWS, strips += depth * PRODUCT_ROWS) {
        const float *from = a + r;
        if (rows - r >= PRODUCT_ROWS)
            for (int64_t i = 0; i < depth; i++, from += lda)
                memcpy(strips + i * PRODUCT_ROWS, from, PRODUCT_ROWS * sizeof(float));
        else
            for (int64_t i = 0; i < depth; i++, from += lda)
                for (int64_t s = r; s < rows; s++) strips[i * PRODUCT_ROWS + s - r] = from[s - r];
    }
}

static void product_tn(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                       const float *b, int64_t ldb, float *c, int64_t ldc, int accumulate,
                       float *scratch) {
    const int is_copied = m > PRODUCT_DIRECT_ROWS && k > PRODUCT_DIRECT_SUMS;
    const int64_t block = is_copied ? PRODUCT_STRIP_DEPTH : PRODUCT_DEPTH;
    const int64_t chunk = is_copied ? PRODUCT_STRIP_ROWS : PRODUCT_DIRECT_ROWS;
    float *strips = scratch + PRODUCT_PANEL * PRODUCT_STRIP_DEPTH;
    if (k == 0 && !accumulate) product_clear(m, n, c, ldc);
    for (int64_t from = 0; from < k; from += block) {
        const int64_t depth = k - from < block ? k - from : block;
        product_pack_edge(n, b + from * ldb, ldb, depth, scratch);
        for (int64_t i = 0; i < m; i += chunk) {
            const int64_t rows = m - i < chunk ? m - i : chunk;
            const float *first = a + from * lda + i;
            ptrdiff_t tile = PRODUCT_ROWS, step = lda;
            if (is_copied) {
                product_pack_strips(first, lda, rows, depth, strips);
                first = strips, tile = depth * PRODUCT_ROWS, step = PRODUCT_ROWS;
            }
            product_rows(rows, n, depth, first, tile, 1, step, b + from * ldb, ldb, scratch,
                         c + i * ldc, ldc, accumulate || from);
        }
    }
}

#endif
