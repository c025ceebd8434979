/* The functions of gates and of shares. All of them let NaN through, which the checks for a loss
 * that diverges need: of two numbers simd_min returns the second where one is NaN.
 */
#ifndef FASTREC_RNN_MATH_H
#define FASTREC_RNN_MATH_H

#include "simd_math.h"

/* exp(s - most) for s <= most; what is far below is (nearly) nothing. */
SIMD_INLINE simd_float rnn_exp_below(simd_float s, simd_float most) {
    return simd_exp_negative(simd_min(simd_set1(87.0f), simd_sub(most, s)));
}

SIMD_INLINE simd_float rnn_sigmoid(simd_float x) {
    const simd_float one = simd_set1(1.0f);
    const simd_float t = simd_exp_negative(simd_min(simd_set1(40.0f), simd_abs(x)));
    return simd_div(simd_if_negative(x, t, one), simd_add(one, t));
}

/* tanh: the odd polynomial of Taylor up to the 9th power where |x| < 1/4, else by exp(-2|x|). */
SIMD_INLINE simd_float rnn_tanh(simd_float x) {
    const simd_float one = simd_set1(1.0f), magnitude = simd_abs(x);
    const simd_float twice = simd_min(simd_set1(40.0f), simd_add(magnitude, magnitude));
    const simd_float t = simd_exp_negative(twice);
    const simd_float large = simd_flip(simd_div(simd_sub(one, t), simd_add(one, t)), x);
    const simd_float x2 = simd_mul(x, x);
    simd_float series = simd_fma(x2, simd_set1(62.0f / 2835), simd_set1(-17.0f / 315));
    series = simd_fma(series, x2, simd_set1(2.0f / 15));
    series = simd_fma(series, x2, simd_set1(-1.0f / 3));
    const simd_float small = simd_fma(simd_mul(x, x2), series, x);
    return simd_if_negative(simd_sub(magnitude, simd_set1(0.25f)), small, large);
}

#endif
