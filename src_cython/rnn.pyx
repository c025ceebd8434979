"""Kernel of recurrent nets: sessions advance, and whole training steps run in compiled code.

Hidasi, Karatzoglou, Baltrunas and Tikk, "Session-based Recommendations with Recurrent Neural
Networks" (2016); Hidasi and Karatzoglou, "Recurrent Neural Networks with Top-k Gains for
Session-based Recommendations" (2018); cells as in ``include/rnn_net.h``. The arithmetic lives in
the headers ``include/rnn_*.h``: the net, its use by a service, a step's events, its losses, its
phases.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t, uintptr_t

import numpy as np

from rnn_headers cimport (
    PRODUCT_HAS_BF16, RNN_MOST_LAYERS, RNN_SOFTMAX, RNN_TOGETHER, RnnBatches, RnnNet, RnnSlots,
    RnnTokens, RnnTrainer, optimizer_of, rnn_advance, rnn_encode, rnn_gates, rnn_infer_floats,
    rnn_layout, rnn_place_own, rnn_place_work, rnn_queries, rnn_train, team_abort, team_reset,
)

CELLS = ("tanh", "relu", "gru", "lstm")
LOSSES = ("sampled_softmax", "softmax", "bpr_max", "top1_max")
MOST_LAYERS = RNN_MOST_LAYERS
HAS_BF16 = bool(PRODUCT_HAS_BF16)


cdef int64_t _padded(int64_t floats):
    return (floats + 15) // 16 * 16


cdef RnnNet _shape(str cell, int layers, int64_t units, int64_t input_dim, bint one_hot) except *:
    cdef RnnNet net
    net.cell = CELLS.index(cell)
    net.layers = layers
    net.one_hot = one_hot
    net.gates = rnn_gates(net.cell)
    net.units = units
    net.stride = _padded(units)
    net.width = net.gates * net.stride
    net.in_ = 0 if one_hot else input_dim
    net.in_stride = net.width if one_hot else _padded(input_dim)
    net.state_floats = layers * (2 if cell == "lstm" else 1) * net.stride
    return net


def dense_layout(str cell, int layers, int64_t units, int64_t input_dim, bint one_hot):
    """Return where the weights of the layers lie in one flat float32 array.

    Parameters
    ----------
    cell : str
        One of ``CELLS``.
    layers, units, input_dim : int
        1 to ``MOST_LAYERS``; units of each layer; numbers of an item's input row.
    one_hot : bool
        Input rows are added to the gates of the first layer, which then has no input weights.

    Returns
    -------
    list of (name, offset, rows, columns)
        In floats, without gaps: the last one's end is the length of the array. Columns are gates
        times units padded to a multiple of 16.
    """
    cdef RnnNet net = _shape(cell, layers, units, input_dim, one_hot)
    entries = []
    rnn_layout(&net, NULL)
    for number in range(layers):
        name, layer = f"layer{number}.", net.layer[number]
        if layer.in_:
            entries.append(
                (name + "input_weights", <uintptr_t>layer.w // 4, layer.in_, net.width)
            )
        entries.append((name + "state_weights", <uintptr_t>layer.u // 4, units, net.width))
        entries.append((name + "bias", <uintptr_t>layer.b // 4, 1, net.width))
        if cell == "gru":
            entries.append((name + "state_bias", <uintptr_t>layer.bu // 4, 1, net.stride))
    return entries


cdef class Network:
    """The weights of a recurrent net, as the kernels read them; they are not copied.

    Parameters
    ----------
    cell, layers, units, input_dim, one_hot
        As in :func:`dense_layout`.
    scale : float
        Scores are cosines times this, and input rows are taken at length 1; 0: scores are dot
        products.
    dense : float32 (floats,), read
        See :func:`dense_layout`; 64-byte aligned.
    inputs : float32 (items, input_dim padded to a multiple of 16, or gates x padded units), read
    outputs : float32 (items, padded units), read
        The same array as ``inputs`` where item vectors are tied.
    bias : float32 (items,) or None, read
        Added to scores.
    features : float32 (rows, columns of ``inputs``) or None, read
        Added to input rows.
    """

    cdef RnnNet net
    cdef readonly list arrays

    def __init__(self, str cell, int layers, int64_t units, int64_t input_dim, bint one_hot,
                 float scale, const float[::1] dense, const float[:, ::1] inputs,
                 const float[:, ::1] outputs, const float[::1] bias=None,
                 const float[:, ::1] features=None):
        self.net = _shape(cell, layers, units, input_dim, one_hot)
        rnn_layout(&self.net, <float *>&dense[0])
        if (dense.shape[0] != self.net.dense_floats or inputs.shape[1] != self.net.in_stride
                or outputs.shape[1] != self.net.stride or outputs.shape[0] != inputs.shape[0]):
            raise ValueError("arrays of another shape than the net's")
        self.arrays = [dense, inputs, outputs, bias, features]
        self.net.scale = scale
        self.net.items = inputs.shape[0]
        self.net.inputs = <float *>&inputs[0, 0]
        self.net.outputs = <float *>&outputs[0, 0]
        self.net.is_tied = self.net.inputs == self.net.outputs
        self.net.bias = NULL if bias is None else <float *>&bias[0]
        self.net.features = NULL
        self.net.feature_rows = 0
        if features is not None and features.shape[0]:
            self.net.features = <float *>&features[0, 0]
            self.net.feature_rows = features.shape[0]

    @property
    def state_floats(self):
        """Floats of a session's state: for each layer h and, of an LSTM, c, padded."""
        return self.net.state_floats

    def scratch_floats(self, int64_t rows):
        """Return the floats of scratch for :meth:`encode` and :meth:`advance`."""
        return rnn_infer_floats(&self.net, min(rows, <int64_t>RNN_TOGETHER))

    def encode(self, const int32_t[::1] tokens, const int64_t[::1] starts,
               const int64_t[::1] lengths, float[:, ::1] states, int64_t start, int64_t stop,
               float[::1] scratch, const int32_t[:, ::1] feature_ids=None,
               const float[:, ::1] feature_values=None):
        """Let sessions ``[start, stop)`` hear their tokens, oldest first, without the GIL.

        Parameters
        ----------
        tokens : int32 (tokens,), read
            Rows of items.
        starts, lengths : int64 (sessions,), read
            Session i hears ``tokens[starts[i] : starts[i] + lengths[i]]``; neighbours of like
            length are the fastest.
        states : float32 (sessions, state_floats), written
        start, stop : int
        scratch : float32, written
            See :meth:`scratch_floats`; one per thread.
        feature_ids : int32 (tokens, features) or None, read
            Rows of features, -1 for none.
        feature_values : float32 (tokens, features) or None, read
            What they are multiplied with.
        """
        cdef RnnTokens heard = _tokens(tokens, feature_ids, feature_values)
        if stop > start:
            with nogil:
                rnn_encode(&self.net, &heard, &starts[0], &lengths[0], &states[0, 0], start, stop,
                           &scratch[0])

    def advance(self, float[:, ::1] states, const int32_t[::1] rows, int64_t start, int64_t stop,
                float[::1] scratch, const int32_t[:, ::1] feature_ids=None,
                const float[:, ::1] feature_values=None):
        """Let session i of ``[start, stop)`` hear item ``rows[i]``; -1 leaves it as it is.

        The rest is as in :meth:`encode`, with a row of features a session.
        """
        cdef RnnTokens heard = _tokens(rows, feature_ids, feature_values)
        if stop > start:
            with nogil:
                rnn_advance(&self.net, &heard, &states[0, 0], start, stop, &scratch[0])

    def queries(self, const float[:, ::1] states, float[:, ::1] out, int64_t start, int64_t stop):
        """Write the vectors with which sessions ``[start, stop)`` look for items.

        ``out`` is float32 (sessions, padded units). The product with an item's output row (taken
        at length 1 for cosine scores), plus its bias, is its score.
        """
        if stop > start:
            with nogil:
                rnn_queries(&self.net, &states[0, 0], &out[0, 0], start, stop)


cdef RnnTokens _tokens(const int32_t[::1] items, const int32_t[:, ::1] feature_ids,
                       const float[:, ::1] feature_values) noexcept:
    cdef RnnTokens tokens
    tokens.items = &items[0] if items.shape[0] else NULL
    tokens.feature_ids = NULL
    tokens.feature_values = NULL
    tokens.n_features = 0
    if feature_ids is not None and feature_ids.shape[0] and feature_ids.shape[1]:
        tokens.feature_ids = &feature_ids[0, 0]
        tokens.n_features = feature_ids.shape[1]
        if feature_values is not None:
            tokens.feature_values = &feature_values[0, 0]
    return tokens


cdef class Trainer:
    """Trains a :class:`Network` in place; shared by the threads of a team.

    Parameters
    ----------
    network : Network
        Its arrays are written.
    loss : str
        One of ``LOSSES``.
    negatives : int
        Items that all events of a step are compared with; the full softmax compares with all.
    noise : uint64 (items,), read
        Alias table that they are drawn by; None for the full softmax.
    log_q : float32 (items,) or None, read
        Subtracted from scores: log(negatives x chance of a draw).
    optimizer : float32 (9,), read
        The fields of ``Optimizer`` in ``include/optimizers.h``.
    dense_slots, input_slots, output_slots, bias_slots, feature_slots : float32 or None, written
        The optimizer's state: (slots, floats of ``dense``); a row for each row of the matrices, as
        ``include/optimizers.h`` says; (items, 0 to 2) for the bias. ``output_slots`` is that of
        tied rows.
    input_dropout, state_dropout : float
        Chance that a number of an input row, or of a state that is scored, becomes 0.
    clip : float
        Largest norm of the gradient of ``dense``; 0 for any.
    bpr_regularization, elu : float
        Of the ranking losses, see ``include/rnn_losses.h``.
    is_bf16 : bool
        Products round what they multiply to bfloat16 and sum in float32; only where ``HAS_BF16``.
    max_rows, max_events, max_features : int
        The largest step that there will be; rows are also the lanes whose states are kept.
    threads : int
        Ranks of the team.
    turns_with : Trainer or None
        One of an equal net, loss and limits (of which only the size of the memory is compared),
        whose memory this one works in: they never run at once.
    """

    cdef RnnTrainer trainer
    cdef Network network
    cdef list arrays
    cdef object work
    cdef readonly object lane_states
    """float32 (max_rows, state_floats): what rows with a slot begin from and leave behind."""

    def __init__(self, Network network, *, str loss, int64_t negatives, const float[::1] optimizer,
                 const uint64_t[::1] noise=None, const float[::1] log_q=None,
                 float[:, ::1] dense_slots=None, float[:, ::1] input_slots=None,
                 float[:, ::1] output_slots=None, float[:, ::1] bias_slots=None,
                 float[:, ::1] feature_slots=None, double input_dropout=0.0,
                 double state_dropout=0.0, float clip=0.0, float bpr_regularization=0.0,
                 float elu=0.0, bint is_bf16=False, int64_t max_rows, int64_t max_events,
                 int64_t max_features=0, int threads=1, Trainer turns_with=None):
        cdef RnnTrainer *t = &self.trainer
        cdef char[::1] work, own
        self.network = network
        self.arrays = [optimizer, noise, log_q, dense_slots, input_slots, output_slots, bias_slots,
                       feature_slots]
        for array in network.arrays:
            if array is not None and not np.asarray(array.base).flags.writeable:
                raise ValueError("a network of arrays that may not be written is not trained")
        if is_bf16 and not HAS_BF16:
            raise ValueError("this level has no products of bfloat16")
        t.net = &network.net
        t.loss.kind = LOSSES.index(loss)
        t.loss.regularization = bpr_regularization
        t.loss.elu = elu
        t.samples = network.net.items if t.loss.kind == RNN_SOFTMAX else negatives
        t.noise = NULL if noise is None else &noise[0]
        t.log_q = NULL if log_q is None else &log_q[0]
        t.input_keep = _keep(input_dropout)
        t.state_keep = _keep(state_dropout)
        t.clip = clip
        t.is_bf16 = is_bf16
        t.optimizer = optimizer_of(&optimizer[0])
        t.steps_done = 0
        t.dense_slots = _slots(dense_slots)
        t.input_slots = _slots(input_slots)
        t.output_slots = _slots(output_slots)
        t.bias_slots = _slots(bias_slots)
        t.feature_slots = _slots(feature_slots)
        t.most_rows = max_rows
        t.most_events = max_events
        t.most_features = max_features
        size = rnn_place_work(t, NULL, threads)
        self.work = _lines(size) if turns_with is None else turns_with.work
        if len(self.work) != size:
            raise ValueError("a trainer takes turns with one of another kind")
        work = self.work
        rnn_place_work(t, &work[0], threads)
        block = _lines(rnn_place_own(t, NULL))
        own = block
        rnn_place_own(t, &own[0])
        team_reset(&t.team, threads)
        floats = max_rows * network.net.state_floats
        self.lane_states = block[:4 * floats].view(np.float32).reshape(max_rows, -1)
        self.arrays.append(block)

    @staticmethod
    def work_bytes(Network network, *, str loss, int64_t negatives, int64_t max_rows,
                   int64_t max_events, int64_t max_features=0, int threads=1, int trainers=1):
        """Return the bytes that trainers who take turns have beside the arrays they are given.

        Products of float32, which take the most, are meant.
        """
        cdef RnnTrainer t
        cdef int64_t shared
        t.net = &network.net
        t.is_bf16 = False
        t.samples = network.net.items if loss == "softmax" else negatives
        t.most_rows = max_rows
        t.most_events = max_events
        t.most_features = max_features
        shared = rnn_place_work(&t, NULL, threads)  # first: the other builds on it
        return shared + trainers * rnn_place_own(&t, NULL)

    @property
    def steps_done(self):
        """Steps since the optimizer's state was zero; Adam corrects its moments by it."""
        return self.trainer.steps_done

    @steps_done.setter
    def steps_done(self, int64_t steps):
        self.trainer.steps_done = steps
        team_reset(&self.trainer.team, self.trainer.team.threads)

    @property
    def totals(self):
        """(summed loss, summed weight) of all events so far."""
        return self.trainer.totals[0], self.trainer.totals[1]

    @totals.setter
    def totals(self, pair):
        self.trainer.totals[0], self.trainer.totals[1] = pair

    def abort(self):
        """Free all ranks that wait for others, now and until :meth:`reset`."""
        team_abort(&self.trainer.team)

    def reset(self, int threads):
        """Make ready for a team of so many ranks, of which none is inside."""
        team_reset(&self.trainer.team, threads)

    def run(self, int64_t rank, const int32_t[::1] tokens, const int64_t[::1] starts,
            const int32_t[::1] lengths, const int32_t[::1] slots, const uint8_t[::1] fresh,
            const int64_t[::1] step_rows, int64_t first_step, uint64_t key, float rate,
            const float[::1] weights=None, const int32_t[:, ::1] feature_ids=None,
            const float[:, ::1] feature_values=None):
        """Train some steps, without the GIL; every rank calls it with the same arguments.

        Parameters
        ----------
        rank : int
            From 0.
        tokens : int32 (tokens,), read
            Rows of items: all sessions, one after the other.
        starts : int64, lengths : int32 (rows,), read
            A row hears ``tokens[starts + t]`` and has ``tokens[starts + t + 1]`` as its target, for
            t below its length, which is at least 1 and falls or stays within a step.
        slots : int32 (rows,), read
            The row of ``lane_states`` that a row's state comes from and goes to, or -1.
        fresh : uint8 (rows,), read
            Whether a row begins at zero nevertheless.
        step_rows : int64 (steps + 1,), read
            Step s takes rows ``step_rows[s]`` to ``step_rows[s + 1]``, at least one.
        first_step : int
            Number of the first step, which its draws depend on.
        key : int
            The stream of random draws.
        rate : float
            Learning rate.
        weights : float32 (tokens,) or None, read
            Weight of the loss of the event whose target a token is.
        feature_ids, feature_values : (tokens, features) or None, read
            As in :meth:`Network.encode`.

        Returns
        -------
        bool
            False where another rank called :meth:`abort`.
        """
        cdef RnnBatches batches
        cdef RnnTokens heard = _tokens(tokens, feature_ids, feature_values)
        cdef int finished
        batches.tokens = heard.items
        batches.weights = NULL if weights is None else &weights[0]
        batches.feature_ids = heard.feature_ids
        batches.feature_values = heard.feature_values
        batches.n_features = heard.n_features
        batches.steps = step_rows.shape[0] - 1
        if batches.steps < 1:
            return True
        batches.starts = &starts[0]
        batches.lengths = &lengths[0]
        batches.slots = &slots[0]
        batches.fresh = &fresh[0]
        batches.step_rows = &step_rows[0]
        batches.first_step = first_step
        batches.key = key
        if rank == 0:
            self.trainer.optimizer.rate = rate
        with nogil:
            finished = rnn_train(&self.trainer, &batches, rank)
        return bool(finished)


cdef object _lines(int64_t size):
    """Return zeros that begin with a cache line, int8."""
    block = np.zeros(size + 64, dtype=np.int8)
    first = -block.ctypes.data % 64
    return block[first:first + size]


cdef uint32_t _keep(double dropout):
    return <uint32_t>(65536 * (1 - dropout) + 0.5)


cdef RnnSlots _slots(float[:, ::1] state) noexcept:
    cdef RnnSlots slots
    slots.state = NULL
    slots.stride = 0
    if state is not None and state.shape[0] and state.shape[1]:
        slots.state = &state[0, 0]
        slots.stride = state.shape[1]
    return slots
