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
 * A tile function returns 0 when no result is above its lane's limit, and then stores nothing;
 * else it stores the tile (row-major) and returns 1.
 */
#ifndef FASTREC_GEMM_H
#define FASTREC_GEMM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "simd.h"

#define GEMM_PANEL (2 * SIMD_LANES)

/* Row r of a tile lies at b[o]: six pointers and four offsets address 28 rows, which leaves the
 * integer registers room. */
#define GEMM_ROWS_6(X) X(0, b0, 0) X(1, b0, s1) X(2, b0, s2) X(3, b0, s3) X(4, b0, s4) X(5, b1, 0)
#define GEMM_ROWS_12(X) GEMM_ROWS_6(X) X(6, b1, s1) X(7, b1, s2) X(8, b1, s3) X(9, b1, s4) \
    X(10, b2, 0) X(11, b2, s1)
#define GEMM_ROWS_14(X) GEMM_ROWS_12(X) X(12, b2, s2) X(13, b2, s3)
#define GEMM_ROWS_28(X) GEMM_ROWS_14(X) X(14, b2, s4) \
    X(15, b3, 0) X(16, b3, s1) X(17, b3, s2) X(18, b3, s3) X(19, b3, s4) \
    X(20, b4, 0) X(21, b4, s1) X(22, b4, s2) X(23, b4, s3) X(24, b4, s4) \
    X(25, b5, 0) X(26, b5, s1) X(27, b5, s2)

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
    const ptrdiff_t s1 = stride, s2 = 2 * stride, s3 = 3 * stride, s4 = 4 * stride;               \
    const float *b0 = rows, *b1 = b0 + 5 * stride, *b2 = b1 + 5 * stride, *b3 = b2 + 5 * stride,  \
                *b4 = b3 + 5 * stride, *b5 = b4 + 5 * stride;

#define GEMM_ADVANCE(n) b0 += n, b1 += n, b2 += n, b3 += n, b4 += n, b5 += n

/* Every four steps a quarter of the rows of the tile `ahead` is asked for, at the same depth: each
 * of its cache lines once. */
#define GEMM_PREFETCH(count)                                                                      \
    {                                                                                             \
        const float *line = ahead + (k & 12) / 4 * ((count + 3) / 4) * stride + (k & ~15);        \
        for (int i = 0; i < (count + 3) / 4; i++) SIMD_PREFETCH(line + i * stride);               \
    }

#define GEMM_BEGIN_2(r, b, o) simd_float x##r = simd_set1(start[r]), y##r = x##r;
#define GEMM_FMA_2(r, b, o)                                                                       \
    {                                                                                             \
        const simd_float value = simd_set1(b[(o) + u]);                                           \
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
#define GEMM_FMA_1(r, b, o) x##r = simd_fma(simd_set1(b[(o) + u]), q0, x##r);
#define GEMM_STEP_1(step)                                                                         \
    {                                                                                             \
        const ptrdiff_t u = step;                                                                 \
        const simd_float q0 = simd_load(panel + u * SIMD_LANES);                                  \
        GEMM_NARROW(GEMM_FMA_1)                                                                   \
    }
#define GEMM_MAX_1(r, b, o) best0 = simd_max(best0, x##r);
#define GEMM_STORE_1(r, b, o) simd_store(tile + r * SIMD_LANES, x##r);

/* rows: GEMM_WIDE_ROWS rows at `stride`; panel: depth x GEMM_PANEL; start: a number for each row;
 * limits: one for each lane; ahead: rows that are wanted soon; tile: room for the results. */
static int gemm_wide(const float *rows, ptrdiff_t stride, int64_t depth, const float *panel,
                     const float *start, const float *limits, const float *ahead, float *tile) {
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
    if (!(simd_above(best0, simd_load(limits)) |
          simd_above(best1, simd_load(limits + SIMD_LANES))))
        return 0;
    GEMM_WIDE(GEMM_STORE_2)
    return 1;
}

/* The same for a panel of one vector and GEMM_NARROW_ROWS rows. */
static int gemm_narrow(const float *rows, ptrdiff_t stride, int64_t depth, const float *panel,
                       const float *start, const float *limits, const float *ahead, float *tile) {
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
    if (!simd_above(best0, simd_load(limits))) return 0;
    GEMM_NARROW(GEMM_STORE_1)
    return 1;
}

#endif
