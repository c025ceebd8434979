"""Training kernel of the skip-gram family: skip-gram, CBOW and paragraph vectors.

Mikolov et al., "Efficient Estimation of Word Representations in Vector Space" (2013) and
"Distributed Representations of Words and Phrases and their Compositionality" (2013); negatives
shared by a window: Ji et al., "Parallelizing Word2Vec in Shared and Distributed Memory" (2016);
paragraph vectors: Le and Mikolov, "Distributed Representations of Sentences and Documents" (2014).
The arithmetic lives in ``include/sgns.h`` and the headers that it includes.
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
        int64_t output_stride
        uint64_t keep_key
        uint64_t window_key
        uint64_t noise_key
        int64_t window
        int dynamic_window
        int past_only
        int cbow
        int concatenated
        int output_layer
        int negatives
        int group
        int apart
        const int64_t *paths
        const int32_t *nodes
        const float *branches
        int longest_path
        float *documents
        const int32_t *document_rows
        int documents_only
        int frozen
        int64_t hot_rows
        int64_t hot_centers

    const int MAX_GROUP
    const int NEGATIVE_SAMPLING
    const int HIERARCHICAL_SOFTMAX
    const int FULL_SOFTMAX
    int64_t sgns_scratch_bytes(const SgnsPlan *plan, int64_t capacity) nogil
    void sgns_train(const SgnsPlan *plan, const int64_t *starts, int64_t count, int64_t grain,
                    int64_t capacity, float rate_from, float rate_to, char *scratch,
                    double *totals) nogil
    void sgns_infer(const SgnsPlan *plan, int64_t first, int64_t last, int64_t begin, int64_t end,
                    int64_t epochs, const uint64_t *keys, float rate_from, float rate_to,
                    int64_t grain, int64_t capacity, char *scratch, double *totals) nogil


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


cdef float *_first_row(const float[:, ::1] matrix, bint is_frozen) except NULL:
    """Return where a matrix begins; one that is not frozen must be writeable."""
    cdef float[:, ::1] writeable
    if is_frozen:
        return <float *>&matrix[0, 0]
    writeable = matrix.base
    return &writeable[0, 0]


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
    input : float32 (items, stride), written
        Rows of context items; ``stride`` is a multiple of 16 and the columns beyond the dimension
        are zero and stay so.
    output : float32 (items or nodes, stride), written
        Rows of centers and noise, or of the nodes of a tree. ``(1 + 2 * window) * stride`` columns
        where a window is concatenated.
    window : int
        Tokens on each side, 0 for the whole sequence.
    dynamic_window, past_only, cbow, concatenated : bool
        Draw each center's reach from 1..window; contexts only before the center; CBOW; the rows of
        a window (and of the document, which there must be) side by side instead of their mean.
    noise : uint64 (items,) or None, read
        Alias table of the noise distribution, for negative sampling.
    negatives : int
        Noise items per group, or per pair.
    group : int
        Neighbouring windows, up to ``LARGEST_GROUP``, that share noise items; 0: each pair draws.
        Must be 1 without noise.
    apart : bool
        The centers of a group draw noise of their own instead; their scores are taken before any of
        them is trained. Only with noise, for CBOW and ``documents_only``.
    tree : tuple (paths, nodes, branches) or None
        For hierarchical softmax: int64 (items + 1,), int32 and float32 (paths[-1],), read. Item
        ``i`` passes the rows ``nodes[paths[i]:paths[i + 1]]`` of ``output`` and leaves them by
        ``branches``, 1 or -1. Without noise and tree, a full softmax over ``output`` is trained.
    keep : uint32 (items,) or None, read
        An occurrence is kept when a 32-bit draw is at most this.
    values : float32 (tokens,) or None, read
        Weight of each token as a center.
    documents : float32 (documents, stride) or None, written
        Paragraph vectors: one more context of all windows of a sequence.
    document_rows : int32 (sequences,), read
        Row of ``documents`` of each sequence.
    documents_only, frozen : bool
        No windows, the document alone predicts; only ``documents`` is written, and the matrices
        may be read-only.
    hot_rows, hot_centers : int
        Each call of :meth:`train` copies the first ``hot_rows`` rows of both matrices and exchanges
        the copies with them every ``hot_centers`` centers, so that threads do not fight for them.
    """

    cdef SgnsPlan plan
    cdef object arrays

    def __init__(self, const int32_t[::1] tokens, const int32_t[::1] rows,
                 const int64_t[::1] offsets, const float[:, ::1] input,
                 const float[:, ::1] output, *, int64_t window, bint dynamic_window,
                 bint past_only, bint cbow, bint concatenated=False,
                 const uint64_t[::1] noise=None, int negatives=0, int group=1,
                 bint apart=False, tree=None, const uint32_t[::1] keep=None,
                 const float[::1] values=None, float[:, ::1] documents=None,
                 const int32_t[::1] document_rows=None, bint documents_only=False,
                 bint frozen=False, int64_t hot_rows=0,
                 int64_t hot_centers=0):
        self.arrays = [tokens, rows, offsets, input, output, noise, keep, values, documents,
                       document_rows]
        self.plan.tokens = &tokens[0] if tokens.shape[0] else NULL
        self.plan.rows = &rows[0]
        self.plan.offsets = &offsets[0]
        self.plan.sequences = offsets.shape[0] - 1
        self.plan.input = _first_row(input, frozen)
        self.plan.output = _first_row(output, frozen)
        self.plan.stride = input.shape[1]
        self.plan.output_stride = output.shape[1]
        self.plan.items = input.shape[0]
        self.plan.keep = NULL if keep is None else &keep[0]
        self.plan.values = NULL if values is None else &values[0]
        self.plan.window = window
        self.plan.dynamic_window = dynamic_window
        self.plan.past_only = past_only
        self.plan.cbow = cbow
        self.plan.concatenated = concatenated
        self.plan.output_layer = FULL_SOFTMAX
        if noise is not None:
            self.plan.output_layer = NEGATIVE_SAMPLING
            self.plan.noise = &noise[0]
        elif tree is not None:
            paths, nodes, branches = tree
            self._set_tree(paths, nodes, branches)
        self.plan.negatives = negatives
        self.plan.group = group
        self.plan.apart = apart
        if documents is not None and documents.shape[0]:
            self.plan.documents = &documents[0, 0]
            self.plan.document_rows = &document_rows[0]
        self.plan.documents_only = documents_only
        self.plan.frozen = frozen
        self.plan.hot_rows = hot_rows
        self.plan.hot_centers = hot_centers

    cdef _set_tree(self, const int64_t[::1] paths, const int32_t[::1] nodes,
                   const float[::1] branches):
        cdef int64_t item
        self.arrays += [paths, nodes, branches]
        self.plan.output_layer = HIERARCHICAL_SOFTMAX
        self.plan.paths = &paths[0]
        # A catalogue of one item has a tree without a node.
        self.plan.nodes = &nodes[0] if nodes.shape[0] else NULL
        self.plan.branches = &branches[0] if nodes.shape[0] else NULL
        self.plan.longest_path = 1
        for item in range(self.plan.items):
            self.plan.longest_path = max(self.plan.longest_path, paths[item + 1] - paths[item])

    def set_epoch(self, uint64_t keep_key, uint64_t window_key, uint64_t noise_key):
        """Set the keys of the random streams that the next calls draw from."""
        self.plan.keep_key = keep_key
        self.plan.window_key = window_key
        self.plan.noise_key = noise_key

    def scratch_bytes(self, int64_t capacity):
        """Return the bytes of scratch that a call needs to lay out ``capacity`` tokens."""
        return sgns_scratch_bytes(&self.plan, capacity)

    def train(self, const int64_t[::1] starts, int64_t grain, int64_t capacity, float rate_from,
              float rate_to, char[::1] scratch, double[::1] totals):
        """Train on pieces of the log one after the other, without the GIL.

        Parameters
        ----------
        starts : int64 (pieces,), read
            The first token of each piece, whose tokens are centers; at least one piece.
        grain : int
            Tokens of a piece, at least 1; the log's end cuts the last.
        capacity : int
            At least ``grain`` plus the context tokens outside of a piece.
        rate_from, rate_to : float
            Learning rate at the beginning and at the end, linear between.
        scratch : bytes, written
            64-byte aligned; see :meth:`scratch_bytes`. One per thread.
        totals : float64 (2,), written
            The loss and the weight of the positive pairs are added.
        """
        with nogil:
            sgns_train(&self.plan, &starts[0], starts.shape[0], grain, capacity, rate_from, rate_to,
                       &scratch[0], &totals[0])

    def infer(self, int64_t first, int64_t last, int64_t begin, int64_t end, int64_t epochs,
              const uint64_t[:, ::1] keys, float rate_from, float rate_to, int64_t grain,
              int64_t capacity, char[::1] scratch, double[::1] totals):
        """Train the rows of the documents ``[first, last)``, each by itself, without the GIL.

        A document's row does not depend on the others. The trainer must be frozen.

        Parameters
        ----------
        first, last : int
            A range of sequences.
        begin, end, epochs : int
            Epochs to do now, of all that there are.
        keys : uint64 (epochs, 3), read
            What :meth:`set_epoch` takes, for each epoch.
        rate_from, rate_to : float
            Learning rate of the first epoch, and what it falls to linearly.
        grain : int
            Centers that are laid out at once.
        capacity, scratch, totals
            As in :meth:`train`.
        """
        with nogil:
            sgns_infer(&self.plan, first, last, begin, end, epochs, &keys[0, 0], rate_from, rate_to,
                       grain, capacity, &scratch[0], &totals[0])
