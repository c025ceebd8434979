/* Sparse one-hot x W: rows of a matrix chosen by number, bags of them, and the way back.
 *
 * The product of a one-hot row and W is one row of W, so nothing is multiplied; the gates of a
 * recurrent net, W of 3 h or 4 h columns, are a wider row. Ids lie in [0, rows of the matrix);
 * nothing is checked here.
 *
 * Every sum adds its rows in ascending position, one after the other, and every row is updated once
 * a step, so that the result does not depend on how ranges are given to threads.
 *
 * Reading is in lookup_read.h; what follows here is the way back.
 */
#ifndef FASTREC_LOOKUP_H
#define FASTREC_LOOKUP_H

#include <stdint.h>
#include <string.h>

#include "atomics.h"
#include "lookup_read.h"
#include "optimizers.h"
#include "simd_math.h"

#define LOOKUP_TOGETHER 4 /* rows that are added while a part of their sum is in a register */

/* The ids of a step sorted: which rows are touched, and from where.
 *
 * Group k is the row rows[k], ascending; positions[starts[k], starts[k + 1]) are the places in ids
 * that name it, ascending. The arrays hold n, n + 1 and n numbers.
 */
typedef struct {
    int32_t *rows;
    int32_t *starts;
    int32_t *positions;
    int64_t groups;
} LookupPlan;

#define LOOKUP_DIGIT_BITS 11

/* The bytes of scratch that lookup_plan() needs, to be aligned to 8 bytes. */
static inline int64_t lookup_plan_bytes(int64_t n) {
    return 2 * n * (int64_t)sizeof(uint64_t) +
           3 * ((int64_t)1 << LOOKUP_DIGIT_BITS) * (int64_t)sizeof(uint32_t);
}

/* A radix sort of ids in [0, rows) goes through so many digits of so many bits. */
typedef struct {
    int passes, bits;
    uint32_t size, mask; /* 2^bits, and that less 1 */
} LookupDigits;

/* Count the digits of n ids, and from that where the ids of each digit begin: `places` has a part for
 * each pass. */
static LookupDigits lookup_digits(const int32_t *ids, int64_t n, int64_t rows, uint32_t *places) {
    int bits = 1;
    while (bits < 31 && (int64_t)1 << bits < rows) bits++;
    const int passes = (bits + LOOKUP_DIGIT_BITS - 1) / LOOKUP_DIGIT_BITS;
    const int digit = (bits + passes - 1) / passes;
    const uint32_t size = (uint32_t)1 << digit, mask = size - 1;
    memset(places, 0, (size_t)passes * size * sizeof *places);
    for (int64_t i = 0; i < n; i++) {
        const uint32_t id = (uint32_t)ids[i];
        for (int pass = 0; pass < passes; pass++) places[pass * size + (id >> pass * digit & mask)]++;
    }
    for (int pass = 0; pass < passes; pass++) {
        uint32_t *place = places + pass * size, sum = 0;
        for (uint32_t d = 0; d < size; d++) {
            const uint32_t count = place[d];
            place[d] = sum;
            sum += count;
        }
    }
    return (LookupDigits){passes, digit, size, mask};
}

/* Sort n ids in [0, rows); n and scratch as for lookup_plan(). */
static void lookup_sort(int32_t *ids, int64_t n, int64_t rows, void *scratch) {
    int32_t *from = ids, *to = (int32_t *)scratch;
    uint32_t *places = (uint32_t *)(to + n);
    const LookupDigits digits = lookup_digits(ids, n, rows, places);
    for (int pass = 0; pass < digits.passes; pass++) {
        uint32_t *place = places + pass * digits.size;
        const int shift = pass * digits.bits;
        for (int64_t i = 0; i < n; i++)
            to[place[(uint32_t)from[i] >> shift & digits.mask]++] = from[i];
        int32_t *swapped = from;
        from = to;
        to = swapped;
    }
    if (from != ids) memcpy(ids, from, n * sizeof *ids);
}

/* Sort n ids in [0, rows) by id and position, n below 2^31, and fill the plan; a radix sort in as
 * few passes as the ids have digits. */
static void lookup_plan(const int32_t *ids, int64_t n, int64_t rows, void *scratch,
                        LookupPlan *plan) {
    uint64_t *from = (uint64_t *)scratch, *to = from + n;
    uint32_t *places = (uint32_t *)(to + n);
    const LookupDigits digits = lookup_digits(ids, n, rows, places);
    for (int pass = 0; pass < digits.passes; pass++) {
        uint32_t *place = places + pass * digits.size;
        const int shift = pass * digits.bits;
        if (pass == 0)
            for (int64_t i = 0; i < n; i++) {
                const uint32_t id = (uint32_t)ids[i];
                to[place[id & digits.mask]++] = (uint64_t)id << 32 | (uint32_t)i;
            }
        else
            for (int64_t i = 0; i < n; i++) {
                const uint64_t pair = from[i];
                to[place[(uint32_t)(pair >> 32) >> shift & digits.mask]++] = pair;
            }
        uint64_t *swapped = from;
        from = to;
        to = swapped;
    }
    int64_t groups = 0;
    int32_t previous = -1;
    for (int64_t i = 0; i < n; i++) { /* written always, so that there is nothing to predict */
        const int32_t row = (int32_t)(from[i] >> 32);
        plan->positions[i] = (int32_t)(uint32_t)from[i];
        plan->rows[groups] = row;
        plan->starts[groups] = (int32_t)i;
        groups += row != previous;
        previous = row;
    }
    plan->starts[groups] = (int32_t)n;
    plan->groups = groups;
}

/* Where gradient rows lie: that of position p is rows[index[p]], or rows[p] without an index, times
 * scale[p], or 1. Rows are padded with zeros to a multiple of 16 floats. */
typedef struct {
    const float *rows;
    int64_t stride;
    const int32_t *index;
    const float *scale;
} LookupGradient;

/* The gradient of a step in two parts, since tied input and output rows get both: positions from
 * `split` on are those of the second part, counted from 0. */
typedef struct {
    LookupGradient part[2];
    int64_t split;
} LookupGradients;

SIMD_INLINE const float *lookup_gradient(const LookupGradients *all, int64_t position,
                                         float *scale) {
    const int second = position >= all->split;
    const LookupGradient *part = &all->part[second];
    const int64_t place = second ? position - all->split : position;
    *scale = part->scale ? part->scale[place] : 1.0f;
    return part->rows + (part->index ? part->index[place] : place) * part->stride;
}

/* sum += weights[r] * rows[r], in ascending r; the sum begins at zero where `fresh`. */
SIMD_INLINE void lookup_add(const float *const *rows, const float *weights, const int count,
                            int fresh, int64_t width, float *sum) {
    simd_float weight[LOOKUP_TOGETHER];
    const int64_t whole = width & ~(int64_t)15;
    int64_t c = 0;
    for (int r = 0; r < count; r++) weight[r] = simd_set1(weights[r]);
    for (; c < whole; c += 16) {
        for (int j = 0; j < 16; j += SIMD_LANES) {
            simd_float part = fresh ? simd_set1(0.0f) : simd_load(sum + c + j);
            for (int r = 0; r < count; r++)
                part = simd_fma(weight[r], simd_load(rows[r] + c + j), part);
            simd_store(sum + c + j, part);
        }
    }
    for (; c < width; c++) {
        float part = fresh ? 0.0f : sum[c];
        for (int r = 0; r < count; r++) part += weights[r] * rows[r][c];
        sum[c] = part;
    }
}

/* The gradient of group k: its address, and in *scale what it is still to be multiplied with.
 * `buffer` holds a padded row. */
static inline const float *lookup_group(const LookupPlan *plan, const LookupGradients *gradients,
                                        int64_t k, int64_t width, float *buffer, float *scale) {
    const int64_t last = plan->starts[k + 1];
    int64_t i = plan->starts[k];
    const float *rows[LOOKUP_TOGETHER];
    float weights[LOOKUP_TOGETHER];
    if (last - i == 1) return lookup_gradient(gradients, plan->positions[i], scale);
    for (int fresh = 1; i < last; fresh = 0) {
        const int count = last - i < LOOKUP_TOGETHER ? 1 : LOOKUP_TOGETHER;
        for (int r = 0; r < count; r++)
            rows[r] = lookup_gradient(gradients, plan->positions[i + r], &weights[r]);
        if (count == 1)
            lookup_add(rows, weights, 1, fresh, width, buffer);
        else
            lookup_add(rows, weights, LOOKUP_TOGETHER, fresh, width, buffer);
        i += count;
    }
    *scale = 1.0f;
    return buffer;
}

/* The matrix that a step updates: rows of n numbers at `stride` floats, and their optimizer's
 * state, whose rows lie state_stride floats apart (at least optimizer_slots()); `rounded`, if not
 * NULL, has the same rows as bfloat16, which follow every update. */
typedef struct {
    float *rows;
    int64_t stride;
    int64_t n;
    float *state;
    int64_t state_stride;
    uint16_t *rounded;
    int64_t rounded_stride;
} LookupMatrix;

/* Update the rows of groups [start, stop), each once with the sum of its gradients times
 * grad_scale. `buffer` holds one padded row and belongs to this thread. */
static void lookup_update(const Optimizer *o, const LookupMatrix *matrix, const LookupPlan *plan,
                          const LookupGradients *gradients, float grad_scale, float *buffer,
                          int64_t start, int64_t stop) {
    const int64_t width = optimizer_stride(matrix->n), slots = optimizer_slots(o, matrix->n);
    const int64_t ahead = lookup_rows_ahead(2 * width + slots);
    for (int64_t k = start; k < stop; k++) {
        float scale;
        if (k + ahead < stop) {
            const int64_t row = plan->rows[k + ahead];
            const float *w = matrix->rows + row * matrix->stride;
            const float *s = matrix->state + row * matrix->state_stride;
            const float *g =
                lookup_gradient(gradients, plan->positions[plan->starts[k + ahead]], &scale);
            lookup_ask_for(w, width);
            lookup_ask_for(s, slots);
            lookup_ask_for(g, width);
        }
        const float *g = lookup_group(plan, gradients, k, width, buffer, &scale);
        const int64_t row = plan->rows[k];
        float *state = matrix->state + row * matrix->state_stride;
        float *numbers = matrix->rows + row * matrix->stride;
        optimizer_update_row(o, numbers, g, state, state + width, matrix->n, scale * grad_scale);
        if (matrix->rounded)
            bf16_round_row(numbers, matrix->n, matrix->rounded + row * matrix->rounded_stride);
    }
}

/* An update of all groups of a plan, by threads that take one of the buffers for each range. */
typedef struct {
    Optimizer optimizer;
    LookupMatrix matrix;
    LookupPlan plan;
    const LookupGradients *gradients;
    float grad_scale;
    float *buffers; /* a padded row for each thread */
    int64_t buffer_stride;
    int32_t *taken; /* of each buffer whether a thread has it */
    int64_t n_buffers;
} LookupUpdate;

static int64_t lookup_take_buffer(LookupUpdate *job) {
    for (int64_t b = 0;; b = (b + 1) % job->n_buffers) {
        int32_t is_free = 0;
        if (ATOMIC_SWAP(job->taken + b, is_free, 1)) return b;
    }
}

static void lookup_give_buffer(LookupUpdate *job, int64_t buffer) {
    ATOMIC_WRITE(job->taken + buffer, 0);
}

/* Update the rows of groups [start, stop) of a LookupUpdate. */
static void lookup_update_range(void *context, int64_t start, int64_t stop) {
    LookupUpdate *job = context;
    const int64_t own = lookup_take_buffer(job);
    lookup_update(&job->optimizer, &job->matrix, &job->plan, job->gradients, job->grad_scale,
                  job->buffers + own * job->buffer_stride, start, stop);
    lookup_give_buffer(job, own);
}

/* The sum of squares of the gradients of groups [start, stop), for clipping by the norm; `buffer`
 * as for lookup_update(). The caller adds ranges that do not depend on its threads. */
static double lookup_squares(const LookupPlan *plan, const LookupGradients *gradients, int64_t n,
                             float *buffer, int64_t start, int64_t stop) {
    double sum = 0.0;
    for (int64_t k = start; k < stop; k++) {
        float scale;
        const float *g =
            lookup_group(plan, gradients, k, optimizer_stride(n), buffer, &scale);
        sum += (double)scale * scale * optimizer_mean_square(g, n) * (double)n;
    }
    return sum;
}

/* Fill the index and the scale by which the gradients of bags reach their positions; `scale` is
 * needed where there are weights or the bags are means. */
static void lookup_bag_positions(const int64_t *offsets, int64_t bags, const float *weights,
                                 int mean, int32_t *index, float *scale) {
    for (int64_t b = 0; b < bags; b++) {
        const int64_t first = offsets[b], last = offsets[b + 1];
        const float share = mean && last > first ? 1.0f / (float)(last - first) : 1.0f;
        for (int64_t i = first; i < last; i++) index[i] = (int32_t)b;
        if (weights || mean)
            for (int64_t i = first; i < last; i++) scale[i] = weights ? weights[i] * share : share;
    }
}

/* The first of n ids that is no row of [0, rows), or n. */
static int64_t lookup_first_outside(const int32_t *ids, int64_t n, int64_t rows) {
    int outside = 0;
    int64_t i = 0;
    for (; i < n; i++) outside |= (uint32_t)ids[i] >= (uint64_t)rows;
    if (!outside) return n;
    for (i = 0; i < n; i++)
        if ((uint32_t)ids[i] >= (uint64_t)rows) break;
    return i;
}

#endif
