/* Rows of a matrix that are read, by number: written out, or summed in bags.
 *
 * Which rows come is known beforehand, so they are asked for LOOKUP_AHEAD cache lines (of bfloat16
 * numbers half as many) before they are used: each line of a row asks for the same line of a later
 * one.
 */
#ifndef FASTREC_LOOKUP_READ_H
#define FASTREC_LOOKUP_READ_H

#include <stdint.h>

#include "bf16.h"
#include "simd_math.h"

#ifndef LOOKUP_AHEAD
#define LOOKUP_AHEAD 128
#endif

/* How many rows of so many numbers ahead of the one in hand memory is asked for. */
static inline int64_t lookup_rows_ahead(int64_t width) {
    const int64_t rows = LOOKUP_AHEAD * 16 / (width > 0 ? width : 1);
    return rows < 1 ? 1 : rows > LOOKUP_AHEAD ? LOOKUP_AHEAD : rows;
}

/* Ask for so many floats of a row. */
static inline void lookup_ask_for(const float *row, int64_t floats) {
    for (int64_t c = 0; c < floats; c += 16) SIMD_PREFETCH(row + c);
}

/* A matrix that is read: of float32 numbers, or of bfloat16 ones, which are half as long and are
 * summed as float32 all the same; `stride` numbers lie from row to row. */
typedef struct {
    const void *numbers;
    int is_bf16;
    int64_t stride, width;
} LookupRows;

static inline int64_t lookup_number_bytes(const int is_bf16) { return is_bf16 ? 2 : 4; }

/* Where number c of a row lies. */
SIMD_INLINE const char *lookup_at(const LookupRows *rows, int64_t row, int64_t c,
                                  const int is_bf16) {
    return (const char *)rows->numbers + (row * rows->stride + c) * lookup_number_bytes(is_bf16);
}

SIMD_INLINE simd_float lookup_load(const char *at, const int is_bf16) {
    return is_bf16 ? simd_load_bf16((const uint16_t *)at) : simd_load((const float *)at);
}

static inline float lookup_number(const char *at, const int is_bf16) {
    return is_bf16 ? bf16_value(*(const uint16_t *)at) : *(const float *)at;
}

/* Rows of a matrix that go to the same places of `out`. */
typedef struct {
    LookupRows rows;
    const int32_t *ids;
    float *out;
    int64_t out_stride;
} LookupGather;

SIMD_INLINE void lookup_gather_as(const LookupGather *job, int64_t start, int64_t stop,
                                  const int is_bf16) {
    const int64_t width = job->rows.width, bytes = lookup_number_bytes(is_bf16);
    const int64_t line = 64 / bytes, whole = width / line * line; /* numbers of a cache line */
    const int64_t ahead = lookup_rows_ahead(width);
    for (int64_t i = start; i < stop; i++) {
        const char *row = lookup_at(&job->rows, job->ids[i], 0, is_bf16);
        const char *later =
            lookup_at(&job->rows, job->ids[i + ahead < stop ? i + ahead : i], 0, is_bf16);
        float *to = job->out + i * job->out_stride;
        int64_t c = 0;
        for (; c < whole; c += line) {
            SIMD_PREFETCH(later + c * bytes);
            for (int64_t j = c; j < c + line; j += SIMD_LANES)
                simd_store(to + j, lookup_load(row + j * bytes, is_bf16));
        }
        if (c < width) SIMD_PREFETCH(later + c * bytes);
        for (; c + SIMD_LANES <= width; c += SIMD_LANES)
            simd_store(to + c, lookup_load(row + c * bytes, is_bf16));
        for (; c < width; c++) to[c] = lookup_number(row + c * bytes, is_bf16);
    }
}

/* Write rows ids[start, stop) of a LookupGather. */
static void lookup_gather(const void *context, int64_t start, int64_t stop) {
    const LookupGather *job = context;
    if (job->rows.is_bf16)
        lookup_gather_as(job, start, stop, 1);
    else
        lookup_gather_as(job, start, stop, 0);
}

/* Bags of rows of a matrix: bag b is ids[offsets[b], offsets[b + 1]), each row times its weight where
 * there are weights, the sum divided by the bag's length where `mean`. */
typedef struct {
    LookupRows rows;
    const int32_t *ids;
    const int64_t *offsets;
    const float *weights;
    int mean;
    float *out;
    int64_t out_stride;
} LookupBags;

/* Columns of a bag that are summed in registers, of all its rows, before the next ones are, at most. */
#define LOOKUP_VECTORS 8
#define LOOKUP_COLUMNS (LOOKUP_VECTORS * SIMD_LANES)

/* A part of a bag's sum, of so many vectors. Rows ahead of the one in hand are asked for: the same
 * columns of this bag, then the first ones of what comes next, which is the bag itself with its next
 * columns or, at the last ones, the ids that follow. */
SIMD_INLINE void lookup_bag_part(const LookupBags *job, int64_t first, int64_t last, int64_t ahead,
                                 int64_t end, int64_t c, const int vectors, int64_t next_c,
                                 int64_t next_first, float *to, const int is_bf16) {
    const int64_t bytes = lookup_number_bytes(is_bf16);
    simd_float sum[LOOKUP_VECTORS];
    for (int j = 0; j < vectors; j++) sum[j] = simd_set1(0.0f);
    for (int64_t i = first; i < last; i++) {
        const char *row = lookup_at(&job->rows, job->ids[i], c, is_bf16);
        const int is_here = i + ahead < last;
        const int64_t place = is_here ? i + ahead : next_first + (i + ahead - last);
        const char *later = lookup_at(&job->rows, job->ids[place < end ? place : i],
                                      is_here ? c : next_c, is_bf16);
        for (int64_t j = 0; j < vectors * SIMD_LANES * bytes; j += 64) SIMD_PREFETCH(later + j);
        if (job->weights) {
            const simd_float weight = simd_set1(job->weights[i]);
            for (int j = 0; j < vectors; j++)
                sum[j] =
                    simd_fma(weight, lookup_load(row + j * SIMD_LANES * bytes, is_bf16), sum[j]);
        } else {
            for (int j = 0; j < vectors; j++)
                sum[j] = simd_add(sum[j], lookup_load(row + j * SIMD_LANES * bytes, is_bf16));
        }
    }
    for (int j = 0; j < vectors; j++) simd_store(to + c + j * SIMD_LANES, sum[j]);
}

SIMD_INLINE void lookup_bags_as(const LookupBags *job, int64_t start, int64_t stop,
                                const int is_bf16) {
    const int64_t width = job->rows.width, end = job->offsets[stop];
    const int64_t together = width < LOOKUP_COLUMNS ? width : LOOKUP_COLUMNS;
    const int64_t ahead = lookup_rows_ahead(together);
    for (int64_t b = start; b < stop; b++) {
        const int64_t first = job->offsets[b], last = job->offsets[b + 1];
        float *sum = job->out + b * job->out_stride;
        int64_t c = 0;
        while (c + SIMD_LANES <= width) {
            const int64_t left = (width - c) / SIMD_LANES;
            const int64_t vectors = left < LOOKUP_VECTORS ? left : LOOKUP_VECTORS;
            const int64_t after = c + vectors * SIMD_LANES;
            const int is_last = after + SIMD_LANES > width;
            const int64_t next_c = is_last ? 0 : after, next_first = is_last ? last : first;
#define LOOKUP_PART(n)                                                                            \
    case n:                                                                                       \
        lookup_bag_part(job, first, last, ahead, end, c, n, next_c, next_first, sum, is_bf16);    \
        break;
            switch (vectors) {
                LOOKUP_PART(1) LOOKUP_PART(2) LOOKUP_PART(3) LOOKUP_PART(4)
                LOOKUP_PART(5) LOOKUP_PART(6) LOOKUP_PART(7) LOOKUP_PART(8)
            }
#undef LOOKUP_PART
            c = after;
        }
        for (; c < width; c++) {
            float part = 0.0f;
            for (int64_t i = first; i < last; i++) {
                const float x =
                    lookup_number(lookup_at(&job->rows, job->ids[i], c, is_bf16), is_bf16);
                part += job->weights ? job->weights[i] * x : x;
            }
            sum[c] = part;
        }
        if (job->mean && last - first > 1) {
            const float share = 1.0f / (float)(last - first);
            for (int64_t i = 0; i < width; i++) sum[i] *= share;
        }
    }
}

/* Sums of bags [start, stop) of a LookupBags; an empty one is zero. */
static void lookup_bags(const void *context, int64_t start, int64_t stop) {
    const LookupBags *job = context;
    if (job->rows.is_bf16)
        lookup_bags_as(job, start, stop, 1);
    else
        lookup_bags_as(job, start, stop, 0);
}

#endif
