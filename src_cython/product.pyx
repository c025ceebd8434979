"""Products of float32 matrices by one thread, for the tests of ``include/product_any.h``.

Training kernels include the header themselves. All functions write ``c`` (m, n), whose rows, as
those of the operands, may lie apart; with ``accumulate`` they add to it. With ``is_bf16``, for
levels that have it (``HAS_BF16``), the operands are rounded to bfloat16. An element's bits do not
depend on which other rows and columns a call has. Thread-safe on distinct ``c``. Cost: m n k.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

cdef extern from "product_any.h" nogil:
    const int PRODUCT_HAS_BF16
    int64_t product_scratch_floats(int64_t m, int64_t n, int64_t k)
    int64_t product_any_floats(int is_bf16, int64_t n, int64_t k)
    void product_any_nn(int is_bf16, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                        const float *b, int64_t ldb, float *c, int64_t ldc, int accumulate,
                        float *scratch)
    void product_any_tn(int is_bf16, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                        const float *b, int64_t ldb, float *c, int64_t ldc, int accumulate,
                        float *scratch)
    void product_any_pack_nn(int is_bf16, int64_t n, int64_t k, const float *b, int64_t ldb,
                             float *packed)
    void product_any_pack_nt(int is_bf16, int64_t n, int64_t k, const float *b, int64_t ldb,
                             float *packed)
    void product_any_packed(int is_bf16, int64_t m, int64_t n, int64_t k, const float *a,
                            int64_t lda, const float *packed, float *c, int64_t ldc,
                            int accumulate, float *scratch)

HAS_BF16 = bool(PRODUCT_HAS_BF16)

ctypedef void (*Product)(int, int64_t, int64_t, int64_t, const float *, int64_t, const float *,
                         int64_t, float *, int64_t, int, float *) noexcept nogil


cdef int64_t _stride(const float[:, :] matrix) noexcept nogil:
    """Return how many floats lie from row to row; the numbers of a row must lie side by side."""
    return matrix.strides[0] // <int64_t>sizeof(float)


cdef float *_scratch(int64_t m, int64_t n, int64_t k) except NULL:
    cdef float *scratch = <float *>malloc(product_scratch_floats(m, n, k) * sizeof(float))
    if scratch == NULL:
        raise MemoryError
    return scratch


cdef _multiply(Product product, int64_t k, const float[:, :] a, const float[:, :] b,
               float[:, :] c, bint accumulate, bint is_bf16):
    cdef int64_t m = c.shape[0], n = c.shape[1]
    cdef float *scratch = _scratch(m, n, k)
    with nogil:
        product(is_bf16, m, n, k, &a[0, 0] if k else NULL, _stride(a), &b[0, 0] if k else NULL,
                _stride(b), &c[0, 0], _stride(c), accumulate, scratch)
    free(scratch)


def multiply_nn(const float[:, :] a, const float[:, :] b, float[:, :] c, bint accumulate=False,
                bint is_bf16=False):
    """Write ``a @ b``: a is (m, k), b is (k, n)."""
    _multiply(product_any_nn, a.shape[1], a, b, c, accumulate, is_bf16)


def multiply_tn(const float[:, :] a, const float[:, :] b, float[:, :] c, bint accumulate=False,
                bint is_bf16=False):
    """Write ``a.T @ b``: a is (k, m), b is (k, n)."""
    _multiply(product_any_tn, a.shape[0], a, b, c, accumulate, is_bf16)


cdef class Packed:
    """A right operand in the order in which the kernels read it: (k, n), or (n, k) transposed."""

    cdef float *panels
    cdef int64_t n, k
    cdef bint is_bf16

    def __cinit__(self, const float[:, :] b, bint transposed=False, bint is_bf16=False):
        self.k, self.n = b.shape[0], b.shape[1]
        self.is_bf16 = is_bf16
        if transposed:
            self.n, self.k = self.k, self.n
        self.panels = <float *>malloc(
            product_any_floats(is_bf16, self.n, self.k) * sizeof(float) + 1
        )
        if self.panels == NULL:
            raise MemoryError
        if self.n == 0 or self.k == 0:
            return
        if transposed:
            product_any_pack_nt(is_bf16, self.n, self.k, &b[0, 0], _stride(b), self.panels)
        else:
            product_any_pack_nn(is_bf16, self.n, self.k, &b[0, 0], _stride(b), self.panels)

    def __dealloc__(self):
        free(self.panels)

    def multiply(self, const float[:, :] a, float[:, :] c, bint accumulate=False):
        """Write ``a @ b``: a is (m, k)."""
        cdef float *scratch = _scratch(c.shape[0], self.n, self.k)
        with nogil:
            product_any_packed(self.is_bf16, c.shape[0], self.n, self.k,
                               &a[0, 0] if self.k else NULL, _stride(a), self.panels, &c[0, 0],
                               _stride(c), accumulate, scratch)
        free(scratch)
