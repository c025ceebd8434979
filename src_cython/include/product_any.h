/* Products of float32 numbers, or of the same rounded to bfloat16, as a caller is told at run time.
 *
 * The arguments are those of product.h, and scratch for all that multiply. Who multiplies by a packed
 * matrix has packed it with the same `is_bf16`, which has to be 0 where PRODUCT_HAS_BF16 is.
 */
#ifndef FASTREC_PRODUCT_ANY_H
#define FASTREC_PRODUCT_ANY_H

#include "product_bf16.h"

#if PRODUCT_HAS_BF16
#define PRODUCT_EITHER(is_bf16, rounded, whole)                                                   \
    if (is_bf16)                                                                                  \
        rounded;                                                                                  \
    else                                                                                          \
        whole
#else
#define PRODUCT_EITHER(is_bf16, rounded, whole)                                                   \
    (void)is_bf16;                                                                                \
    whole
#endif

/* Floats of a packed n x k or k x n matrix. */
static inline int64_t product_any_floats(int is_bf16, int64_t n, int64_t k) {
    return product_packed_floats(n, is_bf16 ? (k + 1) / 2 : k);
}

static void product_any_pack_nn(int is_bf16, int64_t n, int64_t k, const float *b, int64_t ldb,
                                float *packed) {
    PRODUCT_EITHER(is_bf16, product_pack_nn_bf16(n, k, b, ldb, packed),
                   product_pack_nn(n, k, b, ldb, packed));
}

static void product_any_pack_nt(int is_bf16, int64_t n, int64_t k, const float *b, int64_t ldb,
                                float *packed) {
    PRODUCT_EITHER(is_bf16, product_pack_nt_bf16(n, k, b, ldb, packed),
                   product_pack_nt(n, k, b, ldb, packed));
}

static void product_any_packed(int is_bf16, int64_t m, int64_t n, int64_t k, const float *a,
                               int64_t lda, const float *packed, float *c, int64_t ldc,
                               int accumulate, float *scratch) {
    PRODUCT_EITHER(
        is_bf16,
        product_of_bf16(m, n, k, a, lda, 0, NULL, 0, packed, c, ldc, accumulate, scratch),
        product_packed(m, n, k, a, lda, packed, c, ldc, accumulate));
}

static void product_any_nn(int is_bf16, int64_t m, int64_t n, int64_t k, const float *a,
                           int64_t lda, const float *b, int64_t ldb, float *c, int64_t ldc,
                           int accumulate, float *scratch) {
    PRODUCT_EITHER(is_bf16,
                   product_of_bf16(m, n, k, a, lda, 0, b, ldb, NULL, c, ldc, accumulate, scratch),
                   product_nn(m, n, k, a, lda, b, ldb, c, ldc, accumulate, scratch));
}

static void product_any_tn(int is_bf16, int64_t m, int64_t n, int64_t k, const float *a,
                           int64_t lda, const float *b, int64_t ldb, float *c, int64_t ldc,
                           int accumulate, float *scratch) {
    PRODUCT_EITHER(is_bf16,
                   product_of_bf16(m, n, k, a, lda, 1, b, ldb, NULL, c, ldc, accumulate, scratch),
                   product_tn(m, n, k, a, lda, b, ldb, c, ldc, accumulate, scratch));
}

#endif
