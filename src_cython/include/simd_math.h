/* Arithmetic on simd_float beyond the few operations of simd.h: sums across lanes, sign tricks,
 * exponentials, and the softplus and sigmoid that losses are made of.
 */
#ifndef FASTREC_SIMD_MATH_H
#define FASTREC_SIMD_MATH_H

#include <stdint.h>
#include <string.h>

#include "simd.h"

#if defined(_MSC_VER) && !defined(__clang__)
#define SIMD_INLINE static __forceinline
#else
#define SIMD_INLINE static inline __attribute__((always_inline))
#endif

/* Per level: add, sub, mul, div, square root, min, |a|, a with the sign of b flipped in (a if b >=
 * 0, -a if b < 0), b where the sign of a is set and c elsewhere, a rounded to a whole number, the
 * bits of a taken from others, 2^a of a whole number in [-126, 127]. */
#if defined(__AVX512F__)

SIMD_INLINE simd_float simd_add(simd_float a, simd_float b) { return _mm512_add_ps(a, b); }
SIMD_INLINE simd_float simd_sub(simd_float a, simd_float b) { return _mm512_sub_ps(a, b); }
SIMD_INLINE simd_float simd_mul(simd_float a, simd_float b) { return _mm512_mul_ps(a, b); }
SIMD_INLINE simd_float simd_div(simd_float a, simd_float b) { return _mm512_div_ps(a, b); }
SIMD_INLINE simd_float simd_root(simd_float a) { return _mm512_sqrt_ps(a); }
SIMD_INLINE simd_float simd_min(simd_float a, simd_float b) { return _mm512_min_ps(a, b); }
SIMD_INLINE simd_float simd_abs(simd_float a) { return _mm512_abs_ps(a); }
SIMD_INLINE simd_float simd_flip(simd_float a, simd_float b) {
    return _mm512_xor_ps(a, _mm512_and_ps(b, _mm512_set1_ps(-0.0f)));
}
SIMD_INLINE simd_float simd_if_negative(simd_float a, simd_float b, simd_float c) {
    return _mm512_mask_blend_ps(_mm512_movepi32_mask(_mm512_castps_si512(a)), c, b);
}
SIMD_INLINE simd_float simd_round(simd_float a) { return _mm512_roundscale_ps(a, 0); }
SIMD_INLINE simd_float simd_bits_minus(uint32_t bits, simd_float a) {
    return _mm512_castsi512_ps(_mm512_sub_epi32(_mm512_set1_epi32((int32_t)bits),
                                                _mm512_castps_si512(a)));
}
SIMD_INLINE simd_float simd_power_of_two(simd_float a) {
    return _mm512_scalef_ps(_mm512_set1_ps(1.0f), a);
}

/* Lane l of the result is the sum of v[l]. */
SIMD_INLINE simd_float simd_sum16(const simd_float *v) {
    simd_float part[4];
    for (int e = 0; e < 4; e++) {
        simd_float a = v[e], b = v[4 + e], c = v[8 + e], d = v[12 + e];
        simd_float ab =
            simd_add(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xEE));
        simd_float cd =
            simd_add(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xEE));
        part[e] = simd_add(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xDD));
    }
    __m512d low = _mm512_castps_pd(
        simd_add(_mm512_unpacklo_ps(part[0], part[1]), _mm512_unpackhi_ps(part[0], part[1])));
    __m512d high = _mm512_castps_pd(
        simd_add(_mm512_unpacklo_ps(part[2], part[3]), _mm512_unpackhi_ps(part[2], part[3])));
    return simd_add(_mm512_castpd_ps(_mm512_unpacklo_pd(low, high)),
                    _mm512_castpd_ps(_mm512_unpackhi_pd(low, high)));
}

SIMD_INLINE void simd_sums(const simd_float *v, const int count, float *out) {
    for (int i = 0; i < count; i += 16) {
        simd_float part[16];
        const int n = count - i < 16 ? count - i : 16;
        for (int j = 0; j < 16; j++) part[j] = j < n ? v[i + j] : _mm512_setzero_ps();
        _mm512_mask_storeu_ps(out + i, (__mmask16)((1u << n) - 1), simd_sum16(part));
    }
}

#elif SIMD_LANES == 8

SIMD_INLINE simd_float simd_add(simd_float a, simd_float b) { return _mm256_add_ps(a, b); }
SIMD_INLINE simd_float simd_sub(simd_float a, simd_float b) { return _mm256_sub_ps(a, b); }
SIMD_INLINE simd_float simd_mul(simd_float a, simd_float b) { return _mm256_mul_ps(a, b); }
SIMD_INLINE simd_float simd_div(simd_float a, simd_float b) { return _mm256_div_ps(a, b); }
SIMD_INLINE simd_float simd_root(simd_float a) { return _mm256_sqrt_ps(a); }
SIMD_INLINE simd_float simd_min(simd_float a, simd_float b) { return _mm256_min_ps(a, b); }
SIMD_INLINE simd_float simd_abs(simd_float a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
SIMD_INLINE simd_float simd_flip(simd_float a, simd_float b) {
    return _mm256_xor_ps(a, _mm256_and_ps(b, _mm256_set1_ps(-0.0f)));
}
SIMD_INLINE simd_float simd_if_negative(simd_float a, simd_float b, simd_float c) {
    return _mm256_blendv_ps(c, b, a);
}
SIMD_INLINE simd_float simd_round(simd_float a) {
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
SIMD_INLINE simd_float simd_bits_minus(uint32_t bits, simd_float a) {
    return _mm256_castsi256_ps(_mm256_sub_epi32(_mm256_set1_epi32((int32_t)bits),
                                                _mm256_castps_si256(a)));
}
SIMD_INLINE simd_float simd_power_of_two(simd_float a) {
    __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(a), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
}

SIMD_INLINE void simd_sums(const simd_float *v, const int count, float *out) {
    for (int i = 0; i < count; i += 4) {
        simd_float a = v[i], b = i + 1 < count ? v[i + 1] : a;
        simd_float c = i + 2 < count ? v[i + 2] : a, d = i + 3 < count ? v[i + 3] : a;
        simd_float h = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
        float four[4];
        _mm_storeu_ps(four, _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1)));
        for (int j = 0; j < 4 && i + j < count; j++) out[i + j] = four[j];
    }
}

#elif defined(__SSE2__) || defined(_M_X64)

SIMD_INLINE simd_float simd_add(simd_float a, simd_float b) { return _mm_add_ps(a, b); }
SIMD_INLINE simd_float simd_sub(simd_float a, simd_float b) { return _mm_sub_ps(a, b); }
SIMD_INLINE simd_float simd_mul(simd_float a, simd_float b) { return _mm_mul_ps(a, b); }
SIMD_INLINE simd_float simd_div(simd_float a, simd_float b) { return _mm_div_ps(a, b); }
SIMD_INLINE simd_float simd_root(simd_float a) { return _mm_sqrt_ps(a); }
SIMD_INLINE simd_float simd_min(simd_float a, simd_float b) { return _mm_min_ps(a, b); }
SIMD_INLINE simd_float simd_abs(simd_float a) { return _mm_andnot_ps(_mm_set1_ps(-0.0f), a); }
SIMD_INLINE simd_float simd_flip(simd_float a, simd_float b) {
    return _mm_xor_ps(a, _mm_and_ps(b, _mm_set1_ps(-0.0f)));
}
SIMD_INLINE simd_float simd_if_negative(simd_float a, simd_float b, simd_float c) {
    __m128 mask = _mm_castsi128_ps(_mm_srai_epi32(_mm_castps_si128(a), 31));
    return _mm_or_ps(_mm_and_ps(mask, b), _mm_andnot_ps(mask, c));
}
SIMD_INLINE simd_float simd_round(simd_float a) { return _mm_cvtepi32_ps(_mm_cvtps_epi32(a)); }
SIMD_INLINE simd_float simd_bits_minus(uint32_t bits, simd_float a) {
    return _mm_castsi128_ps(_mm_sub_epi32(_mm_set1_epi32((int32_t)bits), _mm_castps_si128(a)));
}
SIMD_INLINE simd_float simd_power_of_two(simd_float a) {
    __m128i biased = _mm_add_epi32(_mm_cvtps_epi32(a), _mm_set1_epi32(127));
    return _mm_castsi128_ps(_mm_slli_epi32(biased, 23));
}

SIMD_INLINE void simd_sums(const simd_float *v, const int count, float *out) {
    for (int i = 0; i < count; i += 4) {
        simd_float a = v[i], b = i + 1 < count ? v[i + 1] : a;
        simd_float c = i + 2 < count ? v[i + 2] : a, d = i + 3 < count ? v[i + 3] : a;
        _MM_TRANSPOSE4_PS(a, b, c, d);
        float four[4];
        _mm_storeu_ps(four, _mm_add_ps(_mm_add_ps(a, b), _mm_add_ps(c, d)));
        for (int j = 0; j < 4 && i + j < count; j++) out[i + j] = four[j];
    }
}

#elif SIMD_LANES == 4

SIMD_INLINE simd_float simd_add(simd_float a, simd_float b) { return vaddq_f32(a, b); }
SIMD_INLINE simd_float simd_sub(simd_float a, simd_float b) { return vsubq_f32(a, b); }
SIMD_INLINE simd_float simd_mul(simd_float a, simd_float b) { return vmulq_f32(a, b); }
SIMD_INLINE simd_float simd_div(simd_float a, simd_float b) { return vdivq_f32(a, b); }
SIMD_INLINE simd_float simd_root(simd_float a) { return vsqrtq_f32(a); }
SIMD_INLINE simd_float simd_min(simd_float a, simd_float b) { return vminq_f32(a, b); }
SIMD_INLINE simd_float simd_abs(simd_float a) { return vabsq_f32(a); }
SIMD_INLINE simd_float simd_flip(simd_float a, simd_float b) {
    uint32x4_t sign = vandq_u32(vreinterpretq_u32_f32(b), vdupq_n_u32(0x80000000u));
    return vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(a), sign));
}
SIMD_INLINE simd_float simd_if_negative(simd_float a, simd_float b, simd_float c) {
    return vbslq_f32(vreinterpretq_u32_s32(vshrq_n_s32(vreinterpretq_s32_f32(a), 31)), b, c);
}
SIMD_INLINE simd_float simd_round(simd_float a) { return vrndnq_f32(a); }
SIMD_INLINE simd_float simd_bits_minus(uint32_t bits, simd_float a) {
    return vreinterpretq_f32_u32(vsubq_u32(vdupq_n_u32(bits), vreinterpretq_u32_f32(a)));
}
SIMD_INLINE simd_float simd_power_of_two(simd_float a) {
    int32x4_t biased = vaddq_s32(vcvtnq_s32_f32(a), vdupq_n_s32(127));
    return vreinterpretq_f32_s32(vshlq_n_s32(biased, 23));
}

SIMD_INLINE void simd_sums(const simd_float *v, const int count, float *out) {
    for (int i = 0; i < count; i++) out[i] = vaddvq_f32(v[i]);
}

#else

#include <math.h>
SIMD_INLINE simd_float simd_add(simd_float a, simd_float b) { return a + b; }
SIMD_INLINE simd_float simd_sub(simd_float a, simd_float b) { return a - b; }
SIMD_INLINE simd_float simd_mul(simd_float a, simd_float b) { return a * b; }
SIMD_INLINE simd_float simd_div(simd_float a, simd_float b) { return a / b; }
SIMD_INLINE simd_float simd_root(simd_float a) { return sqrtf(a); }
SIMD_INLINE simd_float simd_min(simd_float a, simd_float b) { return a < b ? a : b; }
SIMD_INLINE simd_float simd_abs(simd_float a) { return fabsf(a); }
SIMD_INLINE simd_float simd_flip(simd_float a, simd_float b) { return signbit(b) ? -a : a; }
SIMD_INLINE simd_float simd_if_negative(simd_float a, simd_float b, simd_float c) {
    return signbit(a) ? b : c;
}
SIMD_INLINE simd_float simd_round(simd_float a) { return rintf(a); }
SIMD_INLINE simd_float simd_bits_minus(uint32_t bits, simd_float a) {
    uint32_t whole;
    memcpy(&whole, &a, sizeof whole);
    whole = bits - whole;
    memcpy(&a, &whole, sizeof whole);
    return a;
}
SIMD_INLINE simd_float simd_power_of_two(simd_float a) { return ldexpf(1.0f, (int)a); }
SIMD_INLINE void simd_sums(const simd_float *v, const int count, float *out) {
    for (int i = 0; i < count; i++) out[i] = v[i];
}

#endif

/* e^f for |f| <= log(2)/2: the Taylor polynomial of degree 7. */
SIMD_INLINE simd_float simd_exp_series(simd_float f) {
    simd_float e = simd_fma(f, simd_set1(1.0f / 5040), simd_set1(1.0f / 720));
    e = simd_fma(e, f, simd_set1(1.0f / 120));
    e = simd_fma(e, f, simd_set1(1.0f / 24));
    e = simd_fma(e, f, simd_set1(1.0f / 6));
    e = simd_fma(e, f, simd_set1(0.5f));
    e = simd_fma(e, f, simd_set1(1.0f));
    return simd_fma(e, f, simd_set1(1.0f));
}

/* exp(-a) for a in [0, 87]: 2^k e^f with |f| <= log(2)/2. */
SIMD_INLINE simd_float simd_exp_negative(simd_float a) {
    simd_float k = simd_round(simd_mul(a, simd_set1(-1.44269504f)));
    simd_float f = simd_fma(k, simd_set1(-0.693147181f), simd_sub(simd_set1(0.0f), a));
    return simd_mul(simd_exp_series(f), simd_power_of_two(k));
}

/* 1 / a for a in [1e-30, 1e30], within 3e-7 of the exact value: Newton's steps from a guess by the
 * exponent. Divisions take longer, and longest behind roots, with which they share a unit; the
 * processors' own guesses are not the same from maker to maker. NaN comes through. */
SIMD_INLINE simd_float simd_inverse(simd_float a) {
    simd_float r = simd_bits_minus(0x7EF311C3u, a);
    const simd_float minus = simd_sub(simd_set1(0.0f), a), one = simd_set1(1.0f);
    for (int i = 0; i < 3; i++) r = simd_fma(simd_fma(minus, r, one), r, r);
    return r;
}

/* exp(a) = e * power for a in [-87, 87] (less counts as -87), in two factors, so that a sum of
 * exponentials takes one fma each. 2^k e^f with |f| <= log(2)/2: k log(2) is taken off in two parts,
 * the first of few enough bits that its product with k is exact, also where an fma rounds twice. */
SIMD_INLINE simd_float simd_exp_parts(simd_float a, simd_float *power) {
    a = simd_max(a, simd_set1(-87.0f));
    simd_float k = simd_round(simd_mul(a, simd_set1(1.44269504f)));
    simd_float f = simd_fma(k, simd_set1(-0.693359375f), a);
    f = simd_fma(k, simd_set1(2.12194440e-4f), f);
    *power = simd_power_of_two(k);
    return simd_exp_series(f);
}

/* softplus(-z) = -log sigmoid(z), and sigmoid(-z), its slope negated.
 *
 * With t = exp(-|z|): softplus(-z) = (|z| - z) / 2 + log(1 + t), log(1 + t) = 2 atanh(t / (2 + t))
 * as a series to the 13th power. Within 3e-7 of the exact value; NaN and infinite scores reach the
 * softplus by way of |z| - z. |z| is cut at 40 in t (4e-18): beyond, steps would be subnormal
 * numbers, on which processors are a hundred times slower. One division serves all quotients.
 */
SIMD_INLINE simd_float simd_softplus_of_minus(simd_float z, simd_float *sigmoid_of_minus) {
    simd_float magnitude = simd_abs(z), one = simd_set1(1.0f), two = simd_set1(2.0f);
    simd_float t = simd_exp_negative(simd_min(magnitude, simd_set1(40.0f)));
    simd_float one_t = simd_add(one, t), two_t = simd_add(two, t);
    simd_float shared = simd_div(one, simd_mul(one_t, two_t));
    simd_float large = simd_mul(two_t, shared);
    *sigmoid_of_minus = simd_if_negative(z, large, simd_mul(t, large));
    simd_float r = simd_mul(t, simd_mul(one_t, shared)), r2 = simd_mul(r, r);
    simd_float series = simd_fma(r2, simd_set1(2.0f / 13), simd_set1(2.0f / 11));
    series = simd_fma(series, r2, simd_set1(2.0f / 9));
    series = simd_fma(series, r2, simd_set1(2.0f / 7));
    series = simd_fma(series, r2, simd_set1(2.0f / 5));
    series = simd_fma(series, r2, simd_set1(2.0f / 3));
    series = simd_fma(series, r2, two);
    return simd_fma(simd_set1(0.5f), simd_sub(magnitude, z), simd_mul(series, r));
}

#endif
