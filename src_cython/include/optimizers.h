/* Optimizers that update one row at a time: of a dense matrix row by row, of a sparse one the rows
 * that a step has touched.
 *
 * With g the gradient of a row w after grad_scale, and u the step that is taken as w -= rate u:
 *
 *   SGD            v = momentum v + g,  u = v            (u = g without momentum)
 *   Adagrad        s = s + g^2,  u = g / (sqrt(s) + epsilon); with momentum v = momentum v + u and
 *                  the step is v. Duchi et al., "Adaptive Subgradient Methods" (2011).
 *   row-wise       the same with one s a row, the mean of g^2 over the row's n numbers.
 *   Adam           m = beta1 m + (1 - beta1) g,  s = beta2 s + (1 - beta2) g^2,
 *                  u = correction1 m / (correction2 sqrt(s) + epsilon), where correction1 is
 *                  1 / (1 - beta1^t) and correction2 is 1 / sqrt(1 - beta2^t) at step t of the whole
 *                  model. Kingma and Ba, "Adam" (2015), algorithm 1; the moments of a row that a
 *                  step does not touch stay as they are.
 *
 * Weight decay is decoupled from the gradient, w -= rate decay w, and reaches touched rows only.
 * The state of a row is what optimizer_slots() says: of Adagrad s, then v; of Adam m, then s; each
 * of them as long as the padded row, but for the single number of row-wise Adagrad.
 */
#ifndef FASTREC_OPTIMIZERS_H
#define FASTREC_OPTIMIZERS_H

#include <math.h>
#include <stdint.h>

#include "simd_math.h"

enum { OPTIMIZER_SGD, OPTIMIZER_ADAGRAD, OPTIMIZER_ADAM, OPTIMIZER_ROW_ADAGRAD };

typedef struct {
    int kind;
    float rate, momentum, beta1, beta2, epsilon, decay;
    float correction1, correction2; /* set for each step; 1 where they mean nothing */
} Optimizer;

#define OPTIMIZER_SETTINGS 9

/* The optimizer that an array holds, in the order in which the struct names its fields. */
static inline Optimizer optimizer_of(const float *settings) {
    const Optimizer o = {(int)settings[0], settings[1], settings[2], settings[3], settings[4],
                         settings[5],      settings[6], settings[7], settings[8]};
    return o;
}

/* The floats of a padded row of n numbers. */
static inline int64_t optimizer_stride(int64_t n) { return (n + 15) & ~(int64_t)15; }

/* The floats of state that belong to a row of n numbers. */
static inline int64_t optimizer_slots(const Optimizer *o, int64_t n) {
    const int64_t stride = optimizer_stride(n);
    if (o->kind == OPTIMIZER_ROW_ADAGRAD) return 1;
    if (o->kind == OPTIMIZER_ADAM) return 2 * stride;
    return ((o->kind == OPTIMIZER_ADAGRAD) + (o->momentum != 0.0f)) * stride;
}

/* w = keep w - rate u, one vector of it. */
SIMD_INLINE void optimizer_step(float *w, simd_float u, simd_float keep, simd_float minus_rate) {
    simd_store(w, simd_fma(minus_rate, u, simd_mul(keep, simd_load(w))));
}

/* The root of a sum of squares; that of one below 1e-37, zero among them, is some 3e-19: subnormal
 * numbers have roots that take many times as long. */
SIMD_INLINE simd_float optimizer_root(simd_float square) {
    return simd_root(simd_max(simd_set1(1e-37f), square));
}

SIMD_INLINE simd_float optimizer_momentum(float *slot, simd_float u, simd_float momentum) {
    const simd_float v = simd_fma(momentum, simd_load(slot), u);
    simd_store(slot, v);
    return v;
}

/* The mean of the squares of n numbers that zeros pad; 16 sums of which each is taken in order, so
 * that every level adds the same numbers. */
static inline float optimizer_mean_square(const float *g, int64_t n) {
    const int64_t stride = optimizer_stride(n);
    float sums[16], sum = 0.0f;
    simd_float square[16 / SIMD_LANES];
    for (int j = 0; j < 16 / SIMD_LANES; j++) square[j] = simd_set1(0.0f);
    for (int64_t i = 0; i < stride; i += 16)
        for (int j = 0; j < 16 / SIMD_LANES; j++) {
            const simd_float part = simd_load(g + i + j * SIMD_LANES);
            square[j] = simd_fma(part, part, square[j]);
        }
    for (int j = 0; j < 16 / SIMD_LANES; j++) simd_store(sums + j * SIMD_LANES, square[j]);
    for (int j = 0; j < 16; j++) sum += sums[j];
    return n > 0 ? sum / (float)n : 0.0f;
}

/* Update one row in place.
 *
 * w, g, slot1 and slot2 hold n numbers and zeros up to the next multiple of 16, which stay zeros
 * (epsilon is above zero); slot1 of row-wise Adagrad is one number. Slots that the kind does not
 * have are not looked at; g may be anywhere but in the slots. The gradient is g * grad_scale.
 */
static inline void optimizer_update_row(const Optimizer *o, float *w, const float *g, float *slot1,
                                        float *slot2, int64_t n, float grad_scale) {
    const int64_t stride = optimizer_stride(n);
    const simd_float scale = simd_set1(grad_scale), epsilon = simd_set1(o->epsilon);
    const simd_float keep = simd_set1(1.0f - o->rate * o->decay);
    const simd_float momentum = simd_set1(o->momentum);
    simd_float minus_rate = simd_set1(-o->rate);
    if (o->kind == OPTIMIZER_ADAM) {
        const simd_float beta1 = simd_set1(o->beta1), rest1 = simd_set1(1.0f - o->beta1);
        const simd_float beta2 = simd_set1(o->beta2), rest2 = simd_set1(1.0f - o->beta2);
        const simd_float correction2 = simd_set1(o->correction2);
        minus_rate = simd_set1(-o->rate * o->correction1);
        for (int64_t i = 0; i < stride; i += SIMD_LANES) {
            const simd_float part = simd_mul(scale, simd_load(g + i));
            const simd_float mean =
                simd_fma(beta1, simd_load(slot1 + i), simd_mul(rest1, part));
            const simd_float square =
                simd_fma(beta2, simd_load(slot2 + i), simd_mul(rest2, simd_mul(part, part)));
            simd_store(slot1 + i, mean);
            simd_store(slot2 + i, square);
            const simd_float root = simd_fma(correction2, optimizer_root(square), epsilon);
            optimizer_step(w + i, simd_mul(mean, simd_inverse(root)), keep, minus_rate);
        }
    } else if (o->kind == OPTIMIZER_ADAGRAD) {
        const int has_momentum = o->momentum != 0.0f;
        for (int64_t i = 0; i < stride; i += SIMD_LANES) {
            const simd_float part = simd_mul(scale, simd_load(g + i));
            const simd_float square = simd_fma(part, part, simd_load(slot1 + i));
            simd_store(slot1 + i, square);
            simd_float u =
                simd_mul(part, simd_inverse(simd_add(optimizer_root(square), epsilon)));
            if (has_momentum) u = optimizer_momentum(slot2 + i, u, momentum);
            optimizer_step(w + i, u, keep, minus_rate);
        }
    } else {
        const int has_momentum = o->kind == OPTIMIZER_SGD && o->momentum != 0.0f;
        simd_float factor = scale;
        if (o->kind == OPTIMIZER_ROW_ADAGRAD) {
            *slot1 += grad_scale * grad_scale * optimizer_mean_square(g, n);
            factor = simd_set1(grad_scale / (sqrtf(*slot1) + o->epsilon));
        }
        for (int64_t i = 0; i < stride; i += SIMD_LANES) {
            simd_float u = simd_mul(factor, simd_load(g + i));
            if (has_momentum) u = optimizer_momentum(slot1 + i, u, momentum);
            optimizer_step(w + i, u, keep, minus_rate);
        }
    }
}

#endif
