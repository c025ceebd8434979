/* A register tile of a float32 product, rows x queries, whose results are looked at before they
 * are stored.
 *
 * Queries are the lanes: `gemm_pack` lays them out depth-major in panels of two vectors (the last
 * panel has one where one is enough), padded with zeros. Rows stay as they are in memory, at any
 * stride, and are broadcast one number at a time, so the large operand is neither copied nor
 * transposed. A wide tile holds GEMM_WIDE_ROWS x 2 accumulators, a narrow one GEMM_NARROW_ROWS x 1:
 * all registers but the few that hold the operands.
 *
 * Every result is start + x[0] q[0] + x[1] q[1] + ... summed in this order, one fma after the
 * other, whatever the tile: a pair of vectors has the same product in every batch. Depth is never
 * blocked, which keeps the order and costs little: a panel beyond the first cache streams at
 * 128 bytes for 28 fused multiply-adds.
 *
 * A tile function returns 0 when no result is above its lane's limit, and then stores nothing
 * unless it is told to `keep` its results; else it stores the tile (row-major) and returns which
 * vectors hold such a result: bit 0 for the first, bit 1 for the second.
 */
#ifndef FASTREC_GEMM_H
#define FASTREC_GEMM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "simd.h"

#define GEMM_PANEL (2 * SIMD_LANES)
#define GEMM_LINE 16 /* floats in a cache line */

/* Row r of a tile lies o bytes after b: with one, three, five and seven strides in registers and
 * the scales of an address, a pointer reaches nine rows, and the integer registers suffice. */
#define GEMM_ROWS_6(X) X(0, b0, 0) X(1, b0, s1) X(2, b0, 2 * s1) X(3, b0, s3) X(4, b0, 4 * s1)    \
    X(5, b0, s5)
#define GEMM_ROWS_12(X) GEMM_ROWS_6(X) X(6, b0, 2 * s3) X(7, b0, s7) X(8, b0, 8 * s1)             \
    X(9, b1, 0) X(10, b1, s1) X(11, b1, 2 * s1)
#define GEMM_ROWS_14(X) GEMM_ROWS_12(X) X(12, b1, s3) X(13, b1, 4 * s1)
#define GEMM_ROWS_28(X) GEMM_ROWS_14(X) X(14, b1, s5) X(15, b1, 2 * s3) X(16, b1, s7)             \
    X(17, b1, 8 * s1) X(18, b2, 0) X(19, b2, s1) X(20, b2, 2 * s1) X(21, b2, s3)                  \
    X(22, b2, 4 * s1) X(23, b2, s5) X(24, b2, 2 * s3) X(25, b2, s7) X(26, b2, 8 * s1)             \
    X(27, b3, 0)

#if SIMD_LANES == 16 /* 32 registers */
#define GEMM_WIDE_ROWS 14
#define GEMM_WIDE(X) GEMM_ROWS_14(X)
#define GEMM_NARROW_ROWS 28
#define GEMM_NARROW(X) GEMM_ROWS_28(X)
#else /* 16 registers */
#define GEMM_WIDE_ROWS 6
#define GEMM_WIDE(X) GEMM_ROWS_6(X)
#define GEMM_NARROW_ROWS 12
#define GEMM_NARROW(X) GEMM_ROWS_12(X)
#endif

/* Queries up to which transposing the rows beats broadcasting them. */
#define GEMM_FEW_MOST (SIMD_LANES / 2)

#if defined(__clang__)
#define GEMM_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define GEMM_UNROLL _Pragma("GCC unroll 16")
#else
#define GEMM_UNROLL
#endif

/* How many floats gemm_pack writes for `queries` queries of `depth` numbers. */
static inline int64_t gemm_packed_size(int64_t queries, int64_t depth) {
    return (queries + SIMD_LANES - 1) / SIMD_LANES * SIMD_LANES * depth;
}

static void gemm_pack(const float *queries, ptrdiff_t stride, int64_t count, int64_t depth,
                      float *packed) {
    for (int64_t first = 0; first < count; first += GEMM_PANEL) {
        const int64_t left = count - first;
        const int64_t width = left > SIMD_LANES ? GEMM_PANEL : SIMD_LANES;
        const int64_t lanes = left < width ? left : width;
        float *panel = packed + first * depth;
        for (int64_t lane = 0; lane < lanes; lane++) {
            const float *query = queries + (first + lane) * stride;
            for (int64_t k = 0; k < depth; k++) panel[k * width + lane] = query[k];
        }
        for (int64_t lane = lanes; lane < width; lane++)
            for (int64_t k = 0; k < depth; k++) panel[k * width + lane] = 0.0f;
    }
}

#define GEMM_POINTERS                                                                             \
    const ptrdiff_t s1 = stride * (ptrdiff_t)sizeof(float), s3 = 3 * s1, s5 = 5 * s1, s7 = 7 * s1;\
    const char *b0 = (const char *)rows, *b1 = b0 + 9 * s1, *b2 = b1 + 9 * s1, *b3 = b2 + 9 * s1; \
    (void)s7;
#define GEMM_ADVANCE(n) b0 += 4 * n, b1 += 4 * n, b2 += 4 * n, b3 += 4 * n
#define GEMM_VALUE(b, o) simd_set1(*(const float *)((b) + (o) + 4 * u))

/* A tile asks for the memory that later tiles will want, lines in the order of their addresses,
 * since that is what the hardware continues by itself: `soon` into the first cache, `later`, which
 * has to wait for memory, into the second (waiting for it in the first would use up its few places
 * for misses). Every four steps of depth a tile of n rows asks for n / 4 lines, as many as it
 * reads. Either may be NULL. */
#define GEMM_PREFETCH(count)                                                                      \
    if (soon)                                                                                     \
        for (int64_t i = 0; i < (count + 3) / 4; i++)                                             \
            SIMD_PREFETCH(soon + (k / 4 * ((count + 3) / 4) + i) * GEMM_LINE);                    \
    if (later)                                                                                    \
        for (int64_t i = 0; i < (count + 3) / 4; i++)                                             \
            SIMD_PREFETCH_FAR(later + (k / 4 * ((count + 3) / 4) + i) * GEMM_LINE);

#define GEMM_BEGIN_2(r, b, o) simd_float x##r = simd_set1(start[r]), y##r = x##r;
#define GEMM_FMA_2(r, b, o)                                                                       \
    {                                                                                             \
        const simd_float value = GEMM_VALUE(b, o);                                                \
        x##r = simd_fma(value, q0, x##r);                                                         \
        y##r = simd_fma(value, q1, y##r);                                                         \
    }
#define GEMM_STEP_2(step)                                                                         \
    {                                                                                             \
        const ptrdiff_t u = step;                                                                 \
        const simd_float q0 = simd_load(panel + u * GEMM_PANEL);                                  \
        const simd_float q1 = simd_load(panel + u * GEMM_PANEL + SIMD_LANES);                     \
        GEMM_WIDE(GEMM_FMA_2)                                                                     \
    }
#define GEMM_MAX_2(r, b, o) best0 = simd_max(best0, x##r), best1 = simd_max(best1, y##r);
#define GEMM_STORE_2(r, b, o)                                                                     \
    simd_store(tile + r * GEMM_PANEL, x##r), simd_store(tile + r * GEMM_PANEL + SIMD_LANES, y##r);

#define GEMM_BEGIN_1(r, b, o) simd_float x##r = simd_set1(start[r]);
#define GEMM_FMA_1(r, b, o) x##r = simd_fma(GEMM_VALUE(b, o), q0, x##r);
#define GEMM_STEP_1(step)                                                                         \
    {                                                                                             \
        const ptrdiff_t u = step;                                                                 \
        const simd_float q0 = simd_load(panel + u * SIMD_LANES);                                  \
        GEMM_NARROW(GEMM_FMA_1)                                                                   \
    }
#define GEMM_MAX_1(r, b, o) best0 = simd_max(best0, x##r);
#define GEMM_STORE_1(r, b, o) simd_store(tile + r * SIMD_LANES, x##r);

/* rows: GEMM_WIDE_ROWS rows at `stride`; panel: depth x GEMM_PANEL; start: a number for each row;
 * limits: one for each lane; soon, later: see GEMM_PREFETCH; tile: room for the results; keep: store
 * them whether they pass or not. */
static int gemm_wide(const float *rows, ptrdiff_t stride, int64_t depth, const float *panel,
                     const float *start, const float *limits, const float *soon, const float *later,
                     float *tile, int keep) {
    GEMM_POINTERS
    int64_t k = 0;
    GEMM_WIDE(GEMM_BEGIN_2)
    for (; k + 4 <= depth; k += 4) {
        GEMM_PREFETCH(GEMM_WIDE_ROWS)
        GEMM_STEP_2(0) GEMM_STEP_2(1) GEMM_STEP_2(2) GEMM_STEP_2(3)
        panel += 4 * GEMM_PANEL, GEMM_ADVANCE(4);
    }
    for (; k < depth; k++) {
        GEMM_STEP_2(0)
        panel += GEMM_PANEL, GEMM_ADVANCE(1);
    }
    simd_float best0 = x0, best1 = y0;
    GEMM_WIDE(GEMM_MAX_2)
    const int passing = (simd_above(best0, simd_load(limits)) ? 1 : 0) |
                        (simd_above(best1, simd_load(limits + SIMD_LANES)) ? 2 : 0);
    if (passing || keep) {
        GEMM_WIDE(GEMM_STORE_2)
    }
    return passing;
}

/* The same for a panel of one vector and GEMM_NARROW_ROWS rows. */
static int gemm_narrow(const float *rows, ptrdiff_t stride, int64_t depth, const float *panel,
                       const float *start, const float *limits, const float *soon,
                       const float *later, float *tile, int keep) {
    GEMM_POINTERS
    int64_t k = 0;
    GEMM_NARROW(GEMM_BEGIN_1)
    for (; k + 4 <= depth; k += 4) {
        GEMM_PREFETCH(GEMM_NARROW_ROWS)
        GEMM_STEP_1(0) GEMM_STEP_1(1) GEMM_STEP_1(2) GEMM_STEP_1(3)
        panel += 4 * SIMD_LANES, GEMM_ADVANCE(4);
    }
    for (; k < depth; k++) {
        GEMM_STEP_1(0)
        panel += SIMD_LANES, GEMM_ADVANCE(1);
    }
    simd_float best0 = x0;
    GEMM_NARROW(GEMM_MAX_1)
    const int passing = simd_above(best0, simd_load(limits)) ? 1 : 0;
    if (passing || keep) {
        GEMM_NARROW(GEMM_STORE_1)
    }
    return passing;
}

/* The same for the first `queries` lanes of a panel of one vector, when they are few, and for
 * SIMD_LANES rows: here the rows are the lanes, so that no lane computes for a query that is not
 * there. Rows are transposed in registers, SIMD_COLUMNS numbers of each at a time: the processor then
 * sees far enough ahead to transpose while the sums, each of which waits for the one before, go on.
 * Prefetches come by fours: more at once hold up the loads. A multiple of SIMD_COLUMNS numbers is
 * read of each row, and the tile is stored query by query. */
#define GEMM_FEW(queries)                                                                         \
    static int gemm_few_##queries(const float *rows, ptrdiff_t stride, int64_t depth,             \
                                  const float *panel, const float *start, const float *limits,    \
                                  const float *soon, const float *later, float *tile, int keep) { \
        simd_float columns[SIMD_COLUMNS], sums[queries];                                          \
        uint32_t passing = 0;                                                                     \
        int64_t k = 0;                                                                            \
        if (!soon) soon = rows; /* the cache has them: that costs less than to ask whether */     \
        if (!later) later = rows;                                                                 \
        GEMM_UNROLL for (int q = 0; q < queries; q++) sums[q] = simd_load(start);                 \
        for (; k + SIMD_COLUMNS <= depth; k += SIMD_COLUMNS) {                                    \
            simd_load_columns(rows + k, stride, columns);                                         \
            GEMM_UNROLL for (int i = 0; i < SIMD_COLUMNS; i++) {                                  \
                if (i % 4 == 0) {                                                                 \
                    GEMM_UNROLL for (int line = 0; line < 4 * SIMD_LANES; line += GEMM_LINE)      \
                        SIMD_PREFETCH(soon + i * SIMD_LANES + line);                              \
                    GEMM_UNROLL for (int line = 0; line < 4 * SIMD_LANES; line += GEMM_LINE)      \
                        SIMD_PREFETCH_FAR(later + i * SIMD_LANES + line);                         \
                }                                                                                 \
                GEMM_UNROLL for (int q = 0; q < queries; q++)                                     \
                    sums[q] = simd_fma(columns[i], simd_set1(panel[(k + i) * SIMD_LANES + q]),    \
                                       sums[q]);                                                  \
            }                                                                                     \
            soon += SIMD_COLUMNS * SIMD_LANES;                                                    \
            later += SIMD_COLUMNS * SIMD_LANES;                                                   \
        }                                                                                         \
        if (k < depth) simd_load_columns(rows + k, stride, columns);                              \
        for (int i = 0; k + i < depth; i++)                                                       \
            GEMM_UNROLL for (int q = 0; q < queries; q++)                                         \
                sums[q] = simd_fma(columns[i], simd_set1(panel[(k + i) * SIMD_LANES + q]),        \
                                   sums[q]);                                                      \
        GEMM_UNROLL for (int q = 0; q < queries; q++)                                             \
            passing |= simd_above(sums[q], simd_set1(limits[q]));                                 \
        if (!passing && !keep) return 0;                                                          \
        GEMM_UNROLL for (int q = 0; q < queries; q++)                                             \
            simd_store(tile + q * SIMD_LANES, sums[q]);                                           \
        return passing ? 1 : 0;                                                                   \
    }

GEMM_FEW(1)
GEMM_FEW(2)
GEMM_FEW(4)
GEMM_FEW(8)

#endif
