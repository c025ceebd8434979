/* One vector of float32 at the width of the level that is being compiled.
 *
 * AVX-512: 16 lanes. AVX2 with FMA: 8. Baseline x86-64 (SSE2) and 64-bit ARM (NEON): 4. Anywhere
 * else one lane, plain C. A kernel that is written against this header is compiled once a level
 * and needs no intrinsics of its own.
 *
 * simd_fma(a, b, c) is a * b + c; it rounds once where the level has a fused instruction (all but
 * SSE2). A chain of them is summed in the order in which it is written, although the flags allow
 * the compiler to reorder other sums. simd_above(a, b) is a bit per lane, lane 0 lowest, set where
 * a > b; a NaN is above nothing. simd_load_columns(p, stride, columns) reads SIMD_COLUMNS numbers
 * of each of SIMD_LANES rows and transposes them: lane r of columns[k] is p[r * stride + k].
 * simd_load_first(p, count) touches count <= SIMD_LANES numbers only and makes the other lanes
 * zero; simd_store_first(p, count, a) writes the first lanes only.
 */
#ifndef FASTREC_SIMD_H
#define FASTREC_SIMD_H

#include <stddef.h>
#include <stdint.h>

#if defined(__AVX512F__)

#include <immintrin.h>
#define SIMD_LANES 16
typedef __m512 simd_float;
static inline simd_float simd_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void simd_store(float *p, simd_float a) { _mm512_storeu_ps(p, a); }
static inline simd_float simd_load_first(const float *p, int count) {
    return _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p);
}
static inline void simd_store_first(float *p, int count, simd_float a) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), a);
}
static inline simd_float simd_set1(float a) { return _mm512_set1_ps(a); }
static inline simd_float simd_fma(simd_float a, simd_float b, simd_float c) {
    return _mm512_fmadd_ps(a, b, c);
}
static inline simd_float simd_max(simd_float a, simd_float b) { return _mm512_max_ps(a, b); }
static inline uint32_t simd_above(simd_float a, simd_float b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ);
}
static inline uint32_t simd_unordered(simd_float a, simd_float b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q);
}
#define SIMD_COLUMNS 8
static inline void simd_load_columns(const float *p, ptrdiff_t stride, simd_float *columns) {
    simd_float v[8];
    for (int j = 0; j < 8; j++) { /* eight numbers of two rows: 0 and 4, ... 8 and 12, ... */
        const float *row = p + (j < 4 ? j : j + 4) * stride;
        const __m512d low = _mm512_castpd256_pd512(_mm256_castps_pd(_mm256_loadu_ps(row)));
        const __m256d high = _mm256_castps_pd(_mm256_loadu_ps(row + 4 * stride));
        v[j] = _mm512_castpd_ps(_mm512_insertf64x4(low, high, 1));
    }
    for (int k = 0; k < 8; k += 4) { /* four numbers of rows j, j + 4, j + 8 and j + 12 */
        simd_float w[4];
        for (int j = 0; j < 4; j++)
            w[j] = k ? _mm512_shuffle_f32x4(v[j], v[j + 4], 0xdd)
                     : _mm512_shuffle_f32x4(v[j], v[j + 4], 0x88);
        const __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(w[0], w[1]));
        const __m512d b = _mm512_castps_pd(_mm512_unpackhi_ps(w[0], w[1]));
        const __m512d c = _mm512_castps_pd(_mm512_unpacklo_ps(w[2], w[3]));
        const __m512d d = _mm512_castps_pd(_mm512_unpackhi_ps(w[2], w[3]));
        columns[k] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
        columns[k + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
        columns[k + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
        columns[k + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
    }
}

#elif defined(__AVX2__) && (defined(__FMA__) || defined(_MSC_VER))

#include <immintrin.h>
#define SIMD_LANES 8
typedef __m256 simd_float;
static inline simd_float simd_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void simd_store(float *p, simd_float a) { _mm256_storeu_ps(p, a); }
static inline simd_float simd_set1(float a) { return _mm256_set1_ps(a); }
static inline simd_float simd_fma(simd_float a, simd_float b, simd_float c) {
    return _mm256_fmadd_ps(a, b, c);
}
static inline simd_float simd_max(simd_float a, simd_float b) { return _mm256_max_ps(a, b); }
static inline uint32_t simd_above(simd_float a, simd_float b) {
    return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ));
}
static inline uint32_t simd_unordered(simd_float a, simd_float b) {
    return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_UNORD_Q));
}
static inline void simd_load_columns(const float *p, ptrdiff_t stride, simd_float *columns) {
    simd_float v[4];
    for (int j = 0; j < 4; j++) {
        const float *row = p + j * stride;
        v[j] = _mm256_castps128_ps256(_mm_loadu_ps(row));
        v[j] = _mm256_insertf128_ps(v[j], _mm_loadu_ps(row + 4 * stride), 1);
    }
    const __m256d a = _mm256_castps_pd(_mm256_unpacklo_ps(v[0], v[1]));
    const __m256d b = _mm256_castps_pd(_mm256_unpackhi_ps(v[0], v[1]));
    const __m256d c = _mm256_castps_pd(_mm256_unpacklo_ps(v[2], v[3]));
    const __m256d d = _mm256_castps_pd(_mm256_unpackhi_ps(v[2], v[3]));
    columns[0] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, c));
    columns[1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, c));
    columns[2] = _mm256_castpd_ps(_mm256_unpacklo_pd(b, d));
    columns[3] = _mm256_castpd_ps(_mm256_unpackhi_pd(b, d));
}

#elif defined(__SSE2__) || defined(_M_X64)

#include <emmintrin.h>
#define SIMD_LANES 4
typedef __m128 simd_float;
static inline simd_float simd_load(const float *p) { return _mm_loadu_ps(p); }
static inline void simd_store(float *p, simd_float a) { _mm_storeu_ps(p, a); }
static inline simd_float simd_set1(float a) { return _mm_set1_ps(a); }
static inline simd_float simd_fma(simd_float a, simd_float b, simd_float c) {
    simd_float sum = _mm_add_ps(_mm_mul_ps(a, b), c);
#if defined(__GNUC__) || defined(__clang__)
    __asm__("" : "+x"(sum)); /* keeps the order: what comes next cannot be merged with this sum */
#endif
    return sum;
}
static inline simd_float simd_max(simd_float a, simd_float b) { return _mm_max_ps(a, b); }
static inline uint32_t simd_above(simd_float a, simd_float b) {
    return (uint32_t)_mm_movemask_ps(_mm_cmpgt_ps(a, b));
}
static inline uint32_t simd_unordered(simd_float a, simd_float b) {
    return (uint32_t)_mm_movemask_ps(_mm_cmpunord_ps(a, b));
}
static inline void simd_load_columns(const float *p, ptrdiff_t stride, simd_float *columns) {
    simd_float a = _mm_loadu_ps(p), b = _mm_loadu_ps(p + stride);
    simd_float c = _mm_loadu_ps(p + 2 * stride), d = _mm_loadu_ps(p + 3 * stride);
    _MM_TRANSPOSE4_PS(a, b, c, d);
    columns[0] = a, columns[1] = b, columns[2] = c, columns[3] = d;
}

#elif defined(__aarch64__) || defined(_M_ARM64)

#include <arm_neon.h>
#define SIMD_LANES 4
typedef float32x4_t simd_float;
static inline simd_float simd_load(const float *p) { return vld1q_f32(p); }
static inline void simd_store(float *p, simd_float a) { vst1q_f32(p, a); }
static inline simd_float simd_set1(float a) { return vdupq_n_f32(a); }
static inline simd_float simd_fma(simd_float a, simd_float b, simd_float c) {
    return vfmaq_f32(c, a, b);
}
static inline simd_float simd_max(simd_float a, simd_float b) { return vmaxq_f32(a, b); }
static inline uint32_t simd_bits(uint32x4_t lanes) {
    static const int32_t places[4] = {0, 1, 2, 3};
    return vaddvq_u32(vshlq_u32(vshrq_n_u32(lanes, 31), vld1q_s32(places)));
}
static inline uint32_t simd_above(simd_float a, simd_float b) { return simd_bits(vcgtq_f32(a, b)); }
static inline uint32_t simd_unordered(simd_float a, simd_float b) {
    return 15u ^ simd_bits(vandq_u32(vceqq_f32(a, a), vceqq_f32(b, b)));
}
static inline void simd_load_columns(const float *p, ptrdiff_t stride, simd_float *columns) {
    const float32x4x2_t a = vtrnq_f32(vld1q_f32(p), vld1q_f32(p + stride));
    const float32x4x2_t b = vtrnq_f32(vld1q_f32(p + 2 * stride), vld1q_f32(p + 3 * stride));
    columns[0] = vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0]));
    columns[1] = vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1]));
    columns[2] = vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0]));
    columns[3] = vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1]));
}

#else

#include <math.h>
#define SIMD_LANES 1
typedef float simd_float;
static inline simd_float simd_load(const float *p) { return *p; }
static inline void simd_store(float *p, simd_float a) { *p = a; }
static inline simd_float simd_set1(float a) { return a; }
static inline simd_float simd_fma(simd_float a, simd_float b, simd_float c) {
    return fmaf(a, b, c);
}
static inline simd_float simd_max(simd_float a, simd_float b) { return a > b ? a : b; }
static inline uint32_t simd_above(simd_float a, simd_float b) { return a > b; }
static inline uint32_t simd_unordered(simd_float a, simd_float b) { return a != a || b != b; }
static inline void simd_load_columns(const float *p, ptrdiff_t stride, simd_float *columns) {
    (void)stride;
    columns[0] = *p;
}

#endif

#if SIMD_LANES != 16
#define SIMD_COLUMNS (SIMD_LANES < 4 ? SIMD_LANES : 4)
static inline simd_float simd_load_first(const float *p, int count) {
    float lanes[SIMD_LANES] = {0};
    for (int i = 0; i < count; i++) lanes[i] = p[i];
    return simd_load(lanes);
}
static inline void simd_store_first(float *p, int count, simd_float a) {
    float lanes[SIMD_LANES];
    simd_store(lanes, a);
    for (int i = 0; i < count; i++) p[i] = lanes[i];
}
#endif

/* Ask for the cache line at p to be brought close, or only to the second cache; a wrong address
 * does no harm. */
#if defined(__GNUC__) || defined(__clang__)
#define SIMD_PREFETCH(p) __builtin_prefetch((const void *)(p), 0, 3)
#define SIMD_PREFETCH_FAR(p) __builtin_prefetch((const void *)(p), 0, 2)
#elif defined(_M_X64)
#define SIMD_PREFETCH(p) _mm_prefetch((const char *)(p), _MM_HINT_T0)
#define SIMD_PREFETCH_FAR(p) _mm_prefetch((const char *)(p), _MM_HINT_T1)
#else
#define SIMD_PREFETCH(p) ((void)(p))
#define SIMD_PREFETCH_FAR(p) ((void)(p))
#endif

/* The place of the lowest bit of a mask that is not 0. */
#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
static inline int simd_lowest(uint32_t mask) {
    unsigned long place;
    _BitScanForward(&place, mask);
    return (int)place;
}
#else
static inline int simd_lowest(uint32_t mask) { return __builtin_ctz(mask); }
#endif

#endif
