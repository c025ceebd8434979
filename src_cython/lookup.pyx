"""Sparse one-hot x W: gather rows, sum bags of rows, and update the rows that a step touched.

The jobs are made once a call and then called with ranges ``(start, stop)`` by any thread, as
``run_ranges`` does; what a range computes does not depend on where it is cut. Ids lie in
``[0, rows)``: nothing is checked here and no thread is started. The arithmetic lives in
``include/lookup.h`` and ``include/optimizers.h``; :func:`slots` and :func:`update_rows` show the
tests what these do to a dense matrix, as the trainer of recurrent nets uses them.
"""

from cython cimport view
from libc.stdint cimport int32_t, int64_t, uint16_t, uintptr_t

cdef extern from "bf16.h" nogil:
    void bf16_round_row(const float *, int64_t, uint16_t *)

cdef extern from "optimizers.h" nogil:
    enum:
        OPTIMIZER_SETTINGS

    ctypedef struct Optimizer:
        int kind

    Optimizer optimizer_of(const float *)
    int64_t optimizer_stride(int64_t)
    int64_t optimizer_slots(const Optimizer *, int64_t)
    void optimizer_update_row(const Optimizer *, float *, const float *, float *, float *, int64_t,
                              float)

cdef extern from "lookup.h" nogil:
    ctypedef struct LookupPlan:
        int32_t *rows
        int32_t *starts
        int32_t *positions
        int64_t groups

    ctypedef struct LookupGradient:
        const float *rows
        int64_t stride
        const int32_t *index
        const float *scale

    ctypedef struct LookupGradients:
        LookupGradient part[2]
        int64_t split

    ctypedef struct LookupMatrix:
        float *rows
        int64_t stride
        int64_t n
        float *state
        int64_t state_stride
        uint16_t *rounded
        int64_t rounded_stride

    ctypedef struct LookupRows:
        const void *numbers
        int is_bf16
        int64_t stride, width

    ctypedef struct LookupGather:
        LookupRows rows
        const int32_t *ids
        float *out
        int64_t out_stride

    ctypedef struct LookupBags:
        LookupRows rows
        const int32_t *ids
        const int64_t *offsets
        const float *weights
        int mean
        float *out
        int64_t out_stride

    ctypedef struct LookupUpdate:
        Optimizer optimizer
        LookupMatrix matrix
        LookupPlan plan
        const LookupGradients *gradients
        float grad_scale
        float *buffers
        int64_t buffer_stride
        int32_t *taken
        int64_t n_buffers

    void lookup_gather(const void *, int64_t, int64_t)
    void lookup_bags(const void *, int64_t, int64_t)
    int64_t lookup_plan_bytes(int64_t)
    void lookup_plan(const int32_t *, int64_t, int64_t, void *, LookupPlan *)
    int64_t lookup_take_buffer(LookupUpdate *)
    void lookup_give_buffer(LookupUpdate *, int64_t)
    void lookup_update_range(void *, int64_t, int64_t)
    double lookup_squares(const LookupPlan *, const LookupGradients *, int64_t, float *, int64_t,
                          int64_t)
    void lookup_bag_positions(const int64_t *, int64_t, const float *, int, int32_t *, float *)
    int64_t lookup_first_outside(const int32_t *, int64_t, int64_t)

SETTINGS = OPTIMIZER_SETTINGS
"""How many floats describe an optimizer: kind, rate, momentum, beta1, beta2, epsilon, decay and the
two corrections, as ``include/optimizers.h`` names them."""


def first_outside(const int32_t[::1] ids, int64_t rows):
    """Return the place of the first id that is not in ``[0, rows)``, or how many ids there are."""
    cdef int64_t n = ids.shape[0]
    if n == 0:
        return n
    with nogil:
        n = lookup_first_outside(&ids[0], n, rows)
    return n


def are_offsets(const int64_t[::1] offsets, int64_t n):
    """Return whether ``offsets`` (bags + 1,) ascend from 0 to ``n``."""
    cdef int64_t bags = offsets.shape[0] - 1
    cdef int64_t b
    cdef bint is_right = offsets[0] == 0 and offsets[bags] == n
    for b in range(bags):
        is_right &= offsets[b] <= offsets[b + 1]
    return is_right


cdef class Gather:
    """Write rows ``ids[start:stop]`` of a matrix to the same rows of ``out``.

    Parameters
    ----------
    matrix : float32, or uint16 that holds bfloat16, (rows, width), read
        At any row stride; fastest where ``width`` is a multiple of 16.
    ids : int32 (n,), read
    out : float32 (n, width), written
    """

    cdef LookupGather job
    cdef tuple kept
    cdef readonly tuple entry

    def __init__(self, object matrix, const int32_t[::1] ids, float[:, :] out):
        self.job.rows = rows_of(matrix)
        self.job.ids = &ids[0] if ids.shape[0] > 0 else NULL
        self.job.out = &out[0, 0] if out.shape[0] * out.shape[1] > 0 else NULL
        self.job.out_stride = row_stride(out)
        self.kept = (matrix, ids, out)
        self.entry = (<uintptr_t>lookup_gather, <uintptr_t>&self.job)

    def __call__(self, int64_t start, int64_t stop):
        with nogil:
            lookup_gather(&self.job, start, stop)


cdef class Bags:
    """Write the sums of bags ``[start, stop)`` of rows; an empty bag is a row of zeros.

    Parameters
    ----------
    matrix : float32, or uint16 that holds bfloat16, (rows, width), read
        At any row stride; fastest where ``width`` is a multiple of 16.
    ids : int32 (n,), read
    offsets : int64 (bags + 1,), read
        Bag ``b`` is ``ids[offsets[b]:offsets[b + 1]]``.
    weights : float32 (n,) or None, read
        What each row is multiplied with.
    is_mean : bool
        Divide each sum by its bag's length.
    out : float32 (bags, width), written
    """

    cdef LookupBags job
    cdef tuple kept
    cdef readonly tuple entry

    def __init__(self, object matrix, const int32_t[::1] ids, const int64_t[::1] offsets,
                 const float[::1] weights, bint is_mean, float[:, :] out):
        self.job.rows = rows_of(matrix)
        self.job.ids = &ids[0] if ids.shape[0] > 0 else NULL
        self.job.offsets = &offsets[0]
        has_weights = weights is not None and weights.shape[0] > 0
        self.job.weights = &weights[0] if has_weights else NULL
        self.job.mean = is_mean
        self.job.out = &out[0, 0] if out.shape[0] * out.shape[1] > 0 else NULL
        self.job.out_stride = row_stride(out)
        self.kept = (matrix, ids, offsets, weights, out)
        self.entry = (<uintptr_t>lookup_bags, <uintptr_t>&self.job)

    def __call__(self, int64_t start, int64_t stop):
        with nogil:
            lookup_bags(&self.job, start, stop)


def round_rows(const float[:, :] matrix, uint16_t[:, :] rounded, int64_t start, int64_t stop):
    """Write rows ``[start, stop)`` of a float32 (rows, dim) matrix, rounded to bfloat16."""
    cdef int64_t row, dim = matrix.shape[1]
    if dim == 0:
        return
    with nogil:
        for row in range(start, stop):
            bf16_round_row(&matrix[row, 0], dim, &rounded[row, 0])


def bag_positions(const int64_t[::1] offsets, const float[::1] weights, bint is_mean,
                  int32_t[::1] index, float[::1] scale):
    """Write how the gradients of bags reach the ids: id ``p`` gets row ``index[p]`` * ``scale[p]``.

    ``index`` is int32 (n,). ``scale`` is float32 (n,), or None for sums without weights.
    """
    if index.shape[0] == 0:
        return
    with nogil:
        lookup_bag_positions(&offsets[0], offsets.shape[0] - 1,
                             NULL if weights is None else &weights[0], is_mean, &index[0],
                             NULL if scale is None else &scale[0])


def plan_bytes(int64_t n):
    """Return how many bytes of scratch :func:`plan` needs for ``n`` ids."""
    return lookup_plan_bytes(n)


def plan(const int32_t[::1] ids, int64_t rows, char[::1] scratch, int32_t[::1] plan_rows,
         int32_t[::1] plan_starts, int32_t[::1] plan_positions):
    """Sort ids by row and position and return how many different rows there are.

    Parameters
    ----------
    ids : int32 (n,), read
        In ``[0, rows)``.
    rows : int
        Rows of the matrix.
    scratch : int8, written
        ``plan_bytes(n)`` bytes, aligned to 8.
    plan_rows, plan_starts, plan_positions : int32 (n,), (n + 1,) and (n,), written
        Group ``k`` is row ``plan_rows[k]``, ascending, which the ids at
        ``plan_positions[plan_starts[k]:plan_starts[k + 1]]``, ascending, name.
    """
    cdef LookupPlan made
    if ids.shape[0] == 0:
        plan_starts[0] = 0
        return 0
    made.rows, made.starts = &plan_rows[0], &plan_starts[0]
    made.positions = &plan_positions[0]
    with nogil:
        lookup_plan(&ids[0], ids.shape[0], rows, &scratch[0], &made)
    return made.groups


cdef class Gradients:
    """The gradients of the ids of a plan, in one part or two.

    Parameters
    ----------
    rows : float32 (any, stride), read
        Rows that zeros pad to a multiple of 16 columns.
    index : int32 (n,) or None, read
        The row that belongs to each id; None where they are one to one.
    scale : float32 (n,) or None, read
        What each id's gradient is multiplied with.
    n : int
        Ids that this part is for.
    more : Gradients or None
        The gradients of the ids that follow; it has no such part itself.
    """

    cdef const float[:, :] rows
    cdef const int32_t[::1] index
    cdef const float[::1] scale
    cdef Gradients more
    cdef LookupGradients all

    def __init__(self, const float[:, :] rows, const int32_t[::1] index, const float[::1] scale,
                 int64_t n, Gradients more=None):
        cdef LookupGradient *part = &self.all.part[0]
        self.rows, self.index, self.scale, self.more = rows, index, scale, more
        part.rows = &rows[0, 0] if rows.shape[0] > 0 else NULL
        part.stride = row_stride(rows)
        part.index = &index[0] if index is not None and index.shape[0] > 0 else NULL
        part.scale = &scale[0] if scale is not None and scale.shape[0] > 0 else NULL
        self.all.split = n
        self.all.part[1] = self.all.part[0] if more is None else more.all.part[0]


cdef class Update:
    """Update the rows of groups ``[start, stop)`` of a plan, each once; or measure their gradient.

    Parameters
    ----------
    settings : float32 (SETTINGS,), read
        The optimizer at this step.
    matrix : float32 (rows, stride), written
        Rows that zeros pad to a multiple of 16 columns; they stay zeros.
    n : int
        Columns that count.
    state : float32 (rows, any), written
        At least ``slots(settings, n)`` columns.
    plan_rows, plan_starts, plan_positions : int32, read
        As :func:`plan` wrote them.
    gradients : Gradients
    grad_scale : float
        What the gradients are multiplied with.
    buffers : float32 (any, stride), written
        One row for each thread that works at once: a call takes one and puts it back.
    rounded : uint16 (rows, any) or None, written
        The same rows as bfloat16, which follow the matrix.
    """

    cdef LookupUpdate job
    cdef tuple kept
    cdef readonly tuple entry

    def __init__(self, const float[::1] settings, float[:, ::1] matrix, int64_t n,
                 float[:, ::1] state, int32_t[::1] plan_rows, int32_t[::1] plan_starts,
                 int32_t[::1] plan_positions, Gradients gradients, float grad_scale,
                 float[:, ::1] buffers, uint16_t[:, ::1] rounded=None):
        cdef int32_t[::1] taken = view.array((buffers.shape[0],), sizeof(int32_t), "i")
        taken[:] = 0
        self.job.optimizer = optimizer_of(&settings[0])
        self.job.matrix.rows = &matrix[0, 0] if matrix.shape[0] > 0 else NULL
        self.job.matrix.stride = matrix.shape[1]
        self.job.matrix.n = n
        self.job.matrix.state = &state[0, 0] if state.shape[0] * state.shape[1] > 0 else NULL
        self.job.matrix.state_stride = state.shape[1]
        self.job.matrix.rounded, self.job.matrix.rounded_stride = NULL, 0
        if rounded is not None and rounded.shape[0] * rounded.shape[1] > 0:
            self.job.matrix.rounded = &rounded[0, 0]
            self.job.matrix.rounded_stride = rounded.shape[1]
        self.job.plan.starts = &plan_starts[0]
        if plan_positions.shape[0] > 0:
            self.job.plan.rows, self.job.plan.positions = &plan_rows[0], &plan_positions[0]
        self.job.gradients, self.job.grad_scale = &gradients.all, grad_scale
        self.job.buffers, self.job.buffer_stride = &buffers[0, 0], buffers.shape[1]
        self.job.taken, self.job.n_buffers = &taken[0], buffers.shape[0]
        self.kept = (matrix, state, plan_rows, plan_starts, plan_positions, gradients, buffers,
                     taken, rounded)
        self.entry = (<uintptr_t>lookup_update_range, <uintptr_t>&self.job)

    def __call__(self, int64_t start, int64_t stop):
        with nogil:
            lookup_update_range(&self.job, start, stop)

    def squares(self, int64_t start, int64_t stop):
        """Return the sum of squares of the gradients of a range of groups, before grad_scale."""
        cdef double sum
        cdef int64_t own
        with nogil:
            own = lookup_take_buffer(&self.job)
            sum = lookup_squares(&self.job.plan, self.job.gradients, self.job.matrix.n,
                                 self.job.buffers + own * self.job.buffer_stride, start, stop)
            lookup_give_buffer(&self.job, own)
        return sum


def slots(const float[::1] settings, int64_t n):
    """Return how many floats of state an optimizer keeps for a row of ``n`` numbers."""
    cdef Optimizer optimizer = optimizer_of(&settings[0])
    return optimizer_slots(&optimizer, n)


def update_rows(const float[::1] settings, float[:, ::1] matrix, const float[:, :] gradient,
                float[:, ::1] state, int64_t n, float grad_scale, int64_t start, int64_t stop):
    """Update rows ``[start, stop)`` of a dense matrix in place.

    Parameters
    ----------
    settings : float32 (SETTINGS,), read
        The optimizer at this step.
    matrix : float32 (rows, stride), written
        Rows that zeros pad to a multiple of 16 columns; they stay zeros.
    gradient : float32 (rows, stride), read
        Padded alike.
    state : float32 (rows, any), written
        At least ``slots(settings, n)`` columns.
    n : int
        Columns that count.
    grad_scale : float
        What the gradient is multiplied with.
    """
    cdef Optimizer optimizer = optimizer_of(&settings[0])
    cdef int64_t row, width = optimizer_stride(n)
    cdef float *slot = NULL
    cdef bint has_state = state.shape[1] > 0
    with nogil:
        for row in range(start, stop):
            if has_state:
                slot = &state[row, 0]
            optimizer_update_row(&optimizer, &matrix[row, 0], &gradient[row, 0], slot,
                                 slot + width, n, grad_scale)


cdef LookupRows rows_of(object matrix) except *:
    """Return how the kernels read a matrix of either format; it has to be kept."""
    cdef const float[:, :] whole
    cdef const uint16_t[:, :] rounded
    cdef LookupRows rows
    rows.numbers, rows.is_bf16 = NULL, matrix.itemsize == sizeof(uint16_t)
    rows.width = matrix.shape[1]
    if rows.is_bf16:
        rounded = matrix
        rows.stride = rounded.strides[0] // <int64_t>sizeof(uint16_t)
        if rounded.shape[0] * rounded.shape[1] > 0:
            rows.numbers = &rounded[0, 0]
    else:
        whole = matrix
        rows.stride = row_stride(whole)
        if whole.shape[0] * whole.shape[1] > 0:
            rows.numbers = &whole[0, 0]
    return rows


cdef int64_t row_stride(const float[:, :] matrix) noexcept nogil:
    """Return the distance of two rows in floats."""
    return matrix.strides[0] // <int64_t>sizeof(float)
