"""Exact float32 top-k: products with the selection fused in, and the top-k of given scores.

A scan adds up the exponentials of all scores in the same pass where it is asked to.

Arrays hold rows in C order; a matrix may have any row stride of at least its
width. ``keys`` and ``counts`` are the shortlists of a search (see
``include/shortlist.h``), ``limits`` the score that each query's next answer has
to pass. Nothing is checked here and no thread is started; several threads may
scan at once, each with its own shortlists and scratch.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cdef extern from "matrix_rows.h" nogil:
    uint32_t rows_largest_bits(const float *, int64_t, int64_t, int64_t)
    void rows_normalise(const float *, int64_t, int64_t, int64_t, float *, int64_t)
    float rows_read(const float *, int64_t, int64_t, int64_t)
    int64_t list_sort_unique(int32_t *, int64_t)

cdef extern from "topk.h" nogil:
    enum:
        SIMD_LANES
    const int64_t EXP_CHUNK

    ctypedef struct ExpSums:
        double *sums
        float *peaks
        float *parts
        int64_t lanes

    ctypedef struct TopKJob:
        int64_t n_items
        const float *items
        int64_t stride
        int64_t dim
        const float *bias
        const int32_t *rows
        const float *added
        int64_t n_queries
        const float *panels
        float *limits
        uint64_t *keys
        int64_t *counts
        int64_t capacity
        int64_t k
        const int32_t *exclude
        const int64_t *exclude_begins
        const int64_t *exclude_ends
        int64_t exclude_step
        float *block
        ExpSums sums

    int64_t gemm_packed_size(int64_t, int64_t)
    void gemm_pack(const float *, int64_t, int64_t, int64_t, float *)
    int64_t topk_scratch_floats(int64_t)
    void topk_scan(const TopKJob *, int64_t, int64_t)
    void topk_lists(TopKJob *, const float *, int64_t, const int32_t *, const float *,
                    const int64_t *, const int64_t *, int64_t, int32_t *, float *, int32_t *,
                    int64_t, int64_t)
    void topk_merge(uint64_t *, int64_t *, const uint64_t *, const int64_t *, int64_t, int64_t,
                    int64_t)
    void topk_finish(uint64_t *, const int64_t *, int64_t, int64_t, int64_t, int64_t, int32_t *,
                     float *, int32_t *)
    int64_t topk_of_scores(const float *, int64_t, const int32_t *, const int32_t *, int64_t,
                           uint64_t *, int64_t *, int64_t, int64_t)


LANES = SIMD_LANES
"""Queries in one vector; a panel holds two vectors."""

SUM_ROWS = EXP_CHUNK
"""Rows of a chunk whose exponentials are summed by themselves."""


def packed_size(int64_t n_queries, int64_t dim):
    """Return how many floats the packed panels of ``n_queries`` queries take."""
    return gemm_packed_size(n_queries, dim)


def scratch_size(int64_t dim):
    """Return how many floats of scratch a scan needs."""
    return topk_scratch_floats(dim)


cdef int64_t row_stride(const float[:, :] matrix) noexcept nogil:
    """Return the distance of two rows in floats."""
    return matrix.strides[0] // <int64_t>sizeof(float)


cdef void set_items(TopKJob *job, const float[:, :] items, const float[::1] bias,
                    const int32_t[::1] exclude, const int64_t[::1] exclude_begins,
                    const int64_t[::1] exclude_ends) noexcept:
    """Set what is searched: the rows, their bias (or None) and the rows to leave out (or None)."""
    job.n_items = items.shape[0]
    job.items = &items[0, 0]
    job.stride = row_stride(items)
    job.dim = items.shape[1]
    job.bias = NULL
    job.added = NULL
    if bias is not None:
        job.bias = &bias[0]
    job.exclude = NULL
    job.exclude_begins = NULL
    job.exclude_ends = NULL
    job.exclude_step = 0
    job.sums.sums = NULL
    if exclude is not None and exclude.shape[0] > 0:
        job.exclude = &exclude[0]
        job.exclude_begins = &exclude_begins[0]
        job.exclude_ends = &exclude_ends[0]
        job.exclude_step = 1 if exclude_begins.shape[0] > 1 else 0


def pack(const float[:, :] queries, float[::1] panels):
    """Lay ``queries`` (n, dim) out in panels, depth first; ``panels`` holds packed_size floats."""
    cdef int64_t n = queries.shape[0]
    if n == 0:
        return
    with nogil:
        gemm_pack(&queries[0, 0], row_stride(queries), n, queries.shape[1], &panels[0])


def scan(const float[:, :] items, const float[::1] bias, const int32_t[::1] rows,
         const int32_t[::1] exclude, const int64_t[::1] exclude_begins,
         const int64_t[::1] exclude_ends, const float[::1] panels,
         float[::1] limits, uint64_t[:, ::1] keys, int64_t[::1] counts, int64_t k,
         float[::1] scratch, double[:, ::1] sums, float[:, ::1] peaks, float[::1] parts,
         int64_t start, int64_t stop):
    """Score a range of rows for all packed queries and keep the best in the shortlists.

    Parameters
    ----------
    items : float32, (n_items, dim)
        Rows in place, at any row stride.
    bias : float32, (n_items,), or None
        Added to the score of each row, as the first term of its sum.
    rows : int32, ascending, or None
        Score these rows only; the range then counts places of this list.
    exclude, exclude_begins, exclude_ends : int32, int64 (n_queries,) or (1,), or None
        ``exclude[begins[q]:ends[q]]`` are ascending rows that are no answer to query q; one list
        for all where there is one entry.
    panels : float32
        The queries as ``pack`` lays them out.
    limits : float32, written
        One for each lane of the panels; +infinity in lanes without a query.
    keys, counts : uint64 (n_queries, capacity), int64 (n_queries,), written
        The shortlists; capacity is above k, or the number of rows there are.
    k : int
        Answers that are wanted, at least 1.
    scratch : float32, written
        ``scratch_size(dim)`` floats.
    sums, peaks : float64 and float32, (chunks of SUM_ROWS rows, lanes of the panels), or None
        Written where the range has its rows: ``exp(peak) * sum`` is what the exponentials of a
        chunk's scores add up to, excluded rows among them. Without ``rows`` only.
    parts : float32, (lanes of the panels,), or None
        Scratch for the sums.
    start, stop : int
        The range; ranges given to the same shortlists come in ascending order. With ``sums``,
        ``start`` is a multiple of SUM_ROWS, and so is ``stop`` unless it is the last row's end.
    """
    cdef TopKJob job
    set_items(&job, items, bias, exclude, exclude_begins, exclude_ends)
    job.rows = NULL
    if rows is not None:
        job.rows = &rows[0]
    job.n_queries = keys.shape[0]
    job.panels = &panels[0]
    job.limits = &limits[0]
    job.keys = &keys[0, 0]
    job.counts = &counts[0]
    job.capacity = keys.shape[1]
    job.k = k
    job.block = &scratch[0]
    if sums is not None:
        job.sums.sums = &sums[0, 0]
        job.sums.peaks = &peaks[0, 0]
        job.sums.parts = &parts[0]
        job.sums.lanes = sums.shape[1]
    with nogil:
        topk_scan(&job, start, stop)


def scan_lists(const float[:, :] items, const float[::1] bias, const int32_t[::1] lists,
               const int64_t[::1] begins, const int64_t[::1] ends, const float[::1] added,
               const int32_t[::1] exclude, const int64_t[::1] exclude_begins,
               const int64_t[::1] exclude_ends, const float[:, :] queries, int64_t k,
               uint64_t[::1] keys, float[::1] scratch, int32_t[:, ::1] found_rows,
               float[:, ::1] found_scores, int32_t[::1] found,
               int64_t start, int64_t stop):
    """Answer queries ``[start, stop)``, each out of its own list of rows.

    ``lists[begins[q]:ends[q]]`` are query q's rows, ascending and different, and ``added`` (or
    None) holds beside each what is added to its score. ``keys`` has room for one shortlist;
    ``scratch`` for ``scratch_size(dim) + (dim + 1) * LANES`` floats. Row q of the three ``found``
    arrays is written as by ``finish``.
    """
    cdef TopKJob job
    cdef int64_t count = 0
    cdef int64_t dim = items.shape[1]
    if lists.shape[0] == 0:
        return
    set_items(&job, items, bias, exclude, exclude_begins, exclude_ends)
    job.n_queries = 1
    job.limits = &scratch[0]
    job.panels = &scratch[SIMD_LANES]
    job.block = &scratch[SIMD_LANES * (dim + 1)]
    job.keys = &keys[0]
    job.counts = &count
    job.capacity = keys.shape[0]
    job.k = k
    with nogil:
        topk_lists(&job, &queries[0, 0], row_stride(queries), &lists[0],
                   NULL if added is None else &added[0], &begins[0], &ends[0],
                   found_rows.shape[1], &found_rows[0, 0], &found_scores[0, 0], &found[0], start,
                   stop)


def merge(uint64_t[:, ::1] keys, int64_t[::1] counts, const uint64_t[:, ::1] other_keys,
          const int64_t[::1] other_counts, int64_t k):
    """Add the shortlists of other rows to ``keys`` and ``counts`` (same capacity)."""
    with nogil:
        topk_merge(&keys[0, 0], &counts[0], &other_keys[0, 0], &other_counts[0], keys.shape[0],
                   keys.shape[1], k)


def finish(uint64_t[:, ::1] keys, const int64_t[::1] counts, int64_t k,
           int32_t[:, ::1] found_rows, float[:, ::1] found_scores, int32_t[::1] found):
    """Write each shortlist's k best, best first; columns beyond its ``found`` are left alone."""
    with nogil:
        topk_finish(&keys[0, 0], &counts[0], keys.shape[1], k, found_rows.shape[1],
                    keys.shape[0], &found_rows[0, 0], &found_scores[0, 0], &found[0])


def select(const float[:, :] scores, const int32_t[::1] allow, const int64_t[::1] begins,
           const int64_t[::1] ends, const int32_t[::1] exclude,
           const int64_t[::1] exclude_begins, const int64_t[::1] exclude_ends, int64_t k,
           uint64_t[:, ::1] keys,
           int32_t[:, ::1] found_rows, float[:, ::1] found_scores, int32_t[::1] found,
           int64_t start, int64_t stop):
    """Write the k best of each row ``[start, stop)`` of ``scores`` (n_queries, n_items).

    ``allow[begins[q]:ends[q]]`` are the columns that may be answers of row q (None: all);
    ``begins`` and ``ends`` have one entry where one list serves all rows. ``exclude`` as in
    ``scan``. ``keys`` has shape (1, capacity). Returns the first row that holds a NaN among its
    candidates, or -1.
    """
    cdef int64_t q, n, step, allow_step, count = 0
    cdef int64_t broken = -1
    cdef int64_t stride = row_stride(scores)
    cdef const int32_t *allowed = NULL
    cdef const int32_t *excluded = NULL
    cdef int64_t n_excluded = 0
    step = 1 if exclude is not None and exclude_begins.shape[0] > 1 else 0
    allow_step = 1 if allow is not None and begins.shape[0] > 1 else 0
    n = scores.shape[1]
    if allow is not None and allow.shape[0] == 0:
        return broken
    with nogil:
        for q in range(start, stop):
            if allow is not None:
                allowed = &allow[0] + begins[q * allow_step]
                n = ends[q * allow_step] - begins[q * allow_step]
            if exclude is not None and exclude.shape[0] > 0:
                excluded = &exclude[0] + exclude_begins[q * step]
                n_excluded = exclude_ends[q * step] - exclude_begins[q * step]
            if topk_of_scores(&scores[0, 0] + q * stride, n, allowed, excluded, n_excluded,
                              &keys[0, 0], &count, keys.shape[1], k) >= 0:
                broken = q
                break
            topk_finish(&keys[0, 0], &count, keys.shape[1], k, found_rows.shape[1], 1,
                        &found_rows[q, 0], &found_scores[q, 0], &found[q])
    return broken


def sort_lists(int32_t[::1] lists, const int64_t[::1] offsets, int64_t[::1] ends, int64_t start,
               int64_t stop):
    """Sort lists ``[start, stop)`` in place, without repetitions and negative numbers.

    List q lies at ``lists[offsets[q]:offsets[q + 1]]``; ``ends[q]`` is written: where it now ends.
    """
    cdef int64_t q
    if lists.shape[0] == 0:
        return
    with nogil:
        for q in range(start, stop):
            ends[q] = offsets[q] + list_sort_unique(&lists[0] + offsets[q],
                                                    offsets[q + 1] - offsets[q])


def largest_bits(const float[:, :] matrix, int64_t start, int64_t stop):
    """Return the largest magnitude in rows ``[start, stop)``, as the bits of a float32.

    A result of at least 0x7F800000 means that there is an infinity or a NaN.
    """
    cdef uint32_t bits = 0
    if stop > start and matrix.shape[1] > 0:
        with nogil:
            bits = rows_largest_bits(&matrix[0, 0] + start * row_stride(matrix),
                                     row_stride(matrix), stop - start, matrix.shape[1])
    return bits


def normalise(const float[:, :] matrix, float[:, :] unit, int64_t start, int64_t stop):
    """Write rows ``[start, stop)`` scaled to length one into ``unit``; zeros stay zeros."""
    if stop > start:
        with nogil:
            rows_normalise(&matrix[0, 0] + start * row_stride(matrix), row_stride(matrix),
                           stop - start, matrix.shape[1],
                           &unit[0, 0] + start * row_stride(unit), row_stride(unit))


def read(const float[::1] values, int64_t start, int64_t stop, int64_t near=0, int64_t far=0):
    """Read ``values[start:stop]`` once, asking for lines that many floats before they are used.

    ``near`` brings them to the first cache and ``far`` to the second; 0 leaves it to the hardware.

    This is what a benchmark compares a scan with. Returns the largest value, so that no compiler
    may leave the reading out.
    """
    cdef float largest
    with nogil:
        largest = rows_read(&values[0] + start, stop - start, near, far)
    return largest
