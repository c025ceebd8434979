"""Training kernel of the skip-gram family: skip-gram and CBOW with negative sampling.

Mikolov et al., "Efficient Estimation of Word Representations in Vector Space" (2013) and
"Distributed Representations of Words and Phrases and their Compositionality" (2013); negatives
shared by a window: Ji et al., "Parallelizing Word2Vec in Shared and Distributed Memory" (2016).
The arithmetic lives in ``include/sgns.h`` and ``include/sgns_block.h``.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cdef extern from "sgns.h":
    ctypedef struct SgnsPlan:
        const int32_t *tokens
        const int32_t *rows
        const int64_t *offsets
        int64_t sequences
        const float *values
        const uint32_t *keep
        const uint64_t *noise
        int64_t items
        float *input
        float *output
        int64_t stride
        uint64_t keep_key
        uint64_t window_key
        uint64_t noise_key
        int64_t window
        int dynamic_window
        int past_only
        int cbow
        int negatives
        int group

    const int MAX_GROUP
    int64_t sgns_scratch_bytes(const SgnsPlan *plan, int64_t capacity) nogil
    void sgns_train(const SgnsPlan *plan, int64_t start, int64_t stop, int64_t capacity,
                    float rate_from, float rate_to, char *scratch, double *totals) nogil


cdef extern from "alias.h":
    void alias_build(double *share, int64_t items, int32_t *stack, uint64_t *table) nogil


LARGEST_GROUP = MAX_GROUP


def build_alias_table(double[::1] weights, int32_t[::1] stack, uint64_t[::1] table):
    """Build the alias table from which :class:`Trainer` draws noise items.

    Parameters
    ----------
    weights : float64 (items,), overwritten
        Non-negative, with a sum above zero.
    stack : int32 (items,), written
        Work space.
    table : uint64 (items,), written
    """
    if weights.shape[0]:
        with nogil:
            alias_build(&weights[0], weights.shape[0], &stack[0], &table[0])


cdef class Trainer:
    """What one training run reads and writes; shared by all of its threads.

    Parameters
    ----------
    tokens : int32 (tokens,), read
        Item codes of all sequences, each in ``[0, codes)``.
    rows : int32 (codes,), read
        Matrix row of each item code, in ``[0, items)``, or -1 to pass its occurrences over.
    offsets : int64 (sequences + 1,), read
        Sequence ``s`` is ``tokens[offsets[s]:offsets[s + 1]]``.
    input, output : float32 (items, stride), written
        Rows of context items and of centers; ``stride`` is a multiple of 16 and the columns beyond
        the dimension are zero and stay so.
    noise : uint64 (items,), read
        Alias table of the noise distribution.
    keep : uint32 (items,) or None, read
        An occurrence is kept when a 32-bit draw is at most this.
    values : float32 (tokens,) or None, read
        Weight of each token as a center.
    window : int
        Tokens on each side, 0 for the whole sequence.
    dynamic_window, past_only, cbow : bool
        Draw each center's reach from 1..window; contexts only before the center; CBOW.
    negatives : int
        Noise items per group, or per pair.
    group : int
        Neighbouring windows, up to ``LARGEST_GROUP``, that share noise items; 0: each pair draws.
    """

    cdef SgnsPlan plan
    cdef object arrays

    def __init__(self, const int32_t[::1] tokens, const int32_t[::1] rows,
                 const int64_t[::1] offsets, float[:, ::1] input, float[:, ::1] output,
                 const uint64_t[::1] noise, const uint32_t[::1] keep,
                 const float[::1] values, *, int64_t window, bint dynamic_window, bint past_only,
                 bint cbow, int negatives, int group):
        self.arrays = (tokens, rows, offsets, input, output, noise, keep, values)
        self.plan.tokens = &tokens[0]
        self.plan.rows = &rows[0]
        self.plan.offsets = &offsets[0]
        self.plan.sequences = offsets.shape[0] - 1
        self.plan.input = &input[0, 0]
        self.plan.output = &output[0, 0]
        self.plan.stride = input.shape[1]
        self.plan.noise = &noise[0]
        self.plan.items = noise.shape[0]
        self.plan.keep = NULL if keep is None else &keep[0]
        self.plan.values = NULL if values is None else &values[0]
        self.plan.window = window
        self.plan.dynamic_window = dynamic_window
        self.plan.past_only = past_only
        self.plan.cbow = cbow
        self.plan.negatives = negatives
        self.plan.group = group

    def set_epoch(self, uint64_t keep_key, uint64_t window_key, uint64_t noise_key):
        """Set the keys of the random streams that the next calls draw from."""
        self.plan.keep_key = keep_key
        self.plan.window_key = window_key
        self.plan.noise_key = noise_key

    def scratch_bytes(self, int64_t capacity):
        """Return the bytes of scratch that :meth:`train` needs to lay out ``capacity`` tokens."""
        return sgns_scratch_bytes(&self.plan, capacity)

    def train(self, int64_t start, int64_t stop, int64_t capacity, float rate_from, float rate_to,
              char[::1] scratch, double[::1] totals):
        """Train on the tokens ``[start, stop)`` as centers, without the GIL.

        Parameters
        ----------
        start, stop : int
            A non-empty range of tokens.
        capacity : int
            At least ``stop - start`` plus the context tokens outside of it.
        rate_from, rate_to : float
            Learning rate at ``start`` and at ``stop``, linear between.
        scratch : bytes, written
            64-byte aligned; see :meth:`scratch_bytes`. One per thread.
        totals : float64 (2,), written
            The loss and the weight of the positive pairs are added.
        """
        with nogil:
            sgns_train(&self.plan, start, stop, capacity, rate_from, rate_to, &scratch[0],
                       &totals[0])
