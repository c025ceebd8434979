/* bfloat16 numbers: the upper half of a float32, all of its range and 8 of its 24 digits.
 *
 * They are made from float32 by rounding to the nearest, to the even one of two that are as near;
 * NaN stays NaN, and what is beyond 3.39e38 becomes infinite. simd_load_bf16(p) reads SIMD_LANES of
 * them as float32, at every level.
 */
#ifndef FASTREC_BF16_H
#define FASTREC_BF16_H

#include <stdint.h>
#include <string.h>

#include "simd.h"

static inline float bf16_value(uint16_t number) {
    const uint32_t bits = (uint32_t)number << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Round n floats of a row. */
static inline void bf16_round_row(const float *restrict row, int64_t n, uint16_t *restrict out) {
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, row + i, sizeof bits);
        const uint32_t nearest = (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
        const uint32_t quiet = bits >> 16 | 0x40u;
        out[i] = (uint16_t)((bits & 0x7FFFFFFFu) > 0x7F800000u ? quiet : nearest);
    }
}

#if SIMD_LANES == 16
static inline simd_float simd_load_bf16(const uint16_t *p) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
#elif SIMD_LANES == 8
static inline simd_float simd_load_bf16(const uint16_t *p) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
#elif defined(__SSE2__) || defined(_M_X64)
static inline simd_float simd_load_bf16(const uint16_t *p) {
    const __m128i half = _mm_loadl_epi64((const __m128i *)p);
    return _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), half));
}
#elif SIMD_LANES == 4
static inline simd_float simd_load_bf16(const uint16_t *p) {
    return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(vld1_u16(p)), 16));
}
#else
static inline simd_float simd_load_bf16(const uint16_t *p) { return bf16_value(*p); }
#endif

#endif
