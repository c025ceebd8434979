"""What to play next, from what was heard so far: a recurrent net over sessions.

Hidasi, Karatzoglou, Baltrunas and Tikk, "Session-based Recommendations with Recurrent
Neural Networks" (2016); the ranking losses are those of Hidasi and Karatzoglou,
"Recurrent Neural Networks with Top-k Gains for Session-based Recommendations" (2018).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from fastrec.data import Interactions, Queries, as_interactions
from fastrec.errors import InputError
from fastrec.generation.network import rows_of
from fastrec.models.generates import GeneratesPlaylists
from fastrec.models.item_starts import begin_with, starts_of
from fastrec.models.recurrent import RecurrentModel
from fastrec.models.resuming import checkpoint
from fastrec.search import Recommendations, TopKIndex, Vectors
from fastrec.training.callbacks import Callback
from fastrec.training.history import History


class PlaylistRNN(GeneratesPlaylists, RecurrentModel):
    """Read sessions track by track and say, after each, which track comes next.

    The state ``h_t = f(W x_t + U h_{t-1})`` carries what was heard, x_t being the vector of
    track t; track j's score is ``scale * cos(h_t, y_j)``, or ``h_t . y_j + c_j``. Training
    minimises the mean loss over all events that follow another one.

    Parameters
    ----------
    cell : {"gru", "lstm", "tanh", "relu"}
        f: gated, or a plain net of that function. The variants are PyTorch's.
    units : int
        Length of the state, and of the vectors that items are scored with.
    layers : int
        1 to 3, each of ``units``.
    item_inputs : {"tied", "separate", "gates"}
        Items are read by the vectors that they are scored with, by vectors of their own, or
        by one row for each gate of the first layer, which has no W then.
    dim : int or None
        Length of separate input vectors; None takes ``units``.
    scores : {"cosine", "dot"}
        With cosines, input vectors are read at length 1 too.
    scale : float
        What cosines are multiplied with, 8 to 20.
    bias : bool
        Whether each item's score has a bias.
    members : int
        Nets that are trained beside each other on the same steps, from random weights, negatives
        and dropout of their own; scores are the mean of theirs (a deep ensemble). Training,
        answers and memory cost that many times as much; a step works in the same memory.
    repeat_bonus, neighbour_bonus : float
        What :meth:`rank` and :meth:`recommend` add to scores, in their unit, from 0 to 1000: the
        first to those of all items that the history holds, where these may be answers
        (``exclude_seen=False``, as in protocols of session data); the second to that of the item
        which occurs most with the latest ones in the histories of the log, by the score of
        :class:`fastrec.ItemKNN` with its default parameters for histories without values, and in
        proportion to this score to others (where the best one may be no answer, no answer gets
        all of it). Choose them on held-out queries, 0 to 5 for cosines of scale 16. They may be
        set after ``fit``, but pairs of items are only counted by a ``fit`` with a
        ``neighbour_bonus``, which costs what that of ItemKNN costs. An answer costs a second
        search, of the items that have a bonus; only the latest 32 of a history give any. The
        net, its sessions, likelihoods and playlists do not know of them.
    loss : {"sampled_softmax", "softmax", "bpr_max", "top1_max"}
        Cross-entropy over the target and the negatives, or over all items (for small
        catalogues); or a ranking loss over the negatives.
    negatives : int
        Items drawn for each step, shared by its events.
    ns_exponent : float
        They are drawn from count ** ns_exponent.
    logq : bool
        Correct the sampled softmax by the logarithm of each item's expected draws.
    bpr_regularization, elu : float
        Of ``"bpr_max"``: weight of the squared scores of negatives; and the alpha of an ELU
        that scores go through, 0 for none.
    input_dropout, state_dropout : float
        Share of the numbers of each input vector, and of each state that is scored, that
        training sets to zero.
    batching : {"sessions", "lanes"}
        A step takes whole sessions of like length, or one row of each of ``batch_size``
        lanes, where a lane that has ended takes the next session.
    order : {"random", "time"}
        An epoch takes sessions in random order, or by the time of their last event (of a log
        without time, as they stand in it) and only mixed with their neighbours: what was heard
        last is then learned last. With a constant learning rate this suits what moves on, as
        news do.
    batch_size : int
        Sessions or lanes of a step. A step whose events would take more than about 220 MB
        has fewer sessions.
    truncation : int
        Events of a session that gradients flow back through; a longer session is cut, and
        its state carried over. 1 with lanes is the classic session-parallel training. With
        so many lanes that their events would take more than about 220 MB, rows are cut earlier.
    epochs : int
        Passes over the log.
    optimizer : {"adam", "adagrad", "row_adagrad", "sgd"}
        Vectors of items and features change where a step has touched them.
    learning_rate : float
    schedule : {"constant", "linear", "cosine", "cooldown"}
        How the rate falls to zero over all epochs, or over the last one, if it does.
    momentum : float
        Of ``"sgd"`` and ``"adagrad"``.
    weight_decay : float
        Share of a weight, times the rate, that a step takes off; of touched rows only.
    clip : float
        Largest norm of the gradient of the layers; 0 for any.
    products : {"float32", "bfloat16"}
        What the matrix products of training multiply. With ``"bfloat16"`` every number that enters
        one is rounded to 8 binary digits; sums, weights and answers stay float32. It needs a
        processor with AVX-512 BF16 (and kernels of another compiler than Microsoft's), and only
        pays where that adds such products faster than those of float32; on Intel's Emerald Rapids
        training is slower with it.
    user_features : sequence of str
        Columns of ``log.users``.
    context : sequence of str
        Context columns of the log. Strings are categories, which have a vector each;
        numbers are normalised, and multiply one vector. An event is read with its own.
    min_count : int
        Rarer items are left out, as if they were not in the log.
    seed : int
        Same seed: same bits, for any number of threads, at one instruction-set level.
    threads : int or None
        Threads of ``fit``, at most the CPUs that the process may use, which None takes.

    Notes
    -----
    An event costs about ``6 * (weights of the layers + (negatives + 1) * units)`` operations.
    ``value`` weights the loss of the event that it belongs to. Sessions of one track teach
    nothing and are skipped; the history counts them as ``skipped_sessions``. Memory: see
    :meth:`memory`. ``rank`` and ``recommend`` may be called from several threads.

    Examples
    --------
    >>> import fastrec as fr
    >>> log = fr.Interactions.from_sequences([[1, 2, 3, 4], [2, 3, 4, 5]] * 20)
    >>> model = fr.PlaylistRNN(units=16, epochs=5, batch_size=8, negatives=4).fit(log)
    >>> model.recommend([[2, 3]], k=2).items.shape
    (1, 2)
    """

    _item_vectors: Vectors | None = None  # kept for the index that similar items are found with

    def __init__(
        self,
        *,
        cell: str = "gru",
        units: int = 256,
        layers: int = 1,
        item_inputs: str = "tied",
        dim: int | None = None,
        scores: str = "cosine",
        scale: float = 16.0,
        bias: bool = False,
        members: int = 1,
        repeat_bonus: float = 0.0,
        neighbour_bonus: float = 0.0,
        loss: str = "sampled_softmax",
        negatives: int = 2048,
        ns_exponent: float = 0.5,
        logq: bool = True,
        bpr_regularization: float = 1.0,
        elu: float = 0.0,
        input_dropout: float = 0.2,
        state_dropout: float = 0.1,
        batching: str = "sessions",
        order: str = "random",
        batch_size: int = 128,
        truncation: int = 512,
        epochs: int = 8,
        optimizer: str = "adam",
        learning_rate: float = 0.002,
        schedule: str = "constant",
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        clip: float = 5.0,
        products: str = "float32",
        user_features: Sequence[str] = (),
        context: Sequence[str] = (),
        min_count: int = 1,
        seed: int = 1,
        threads: int | None = None,
    ) -> None:
        self.cell = cell
        self.units = units
        self.layers = layers
        self.item_inputs = item_inputs
        self.dim = dim
        self.scores = scores
        self.scale = scale
        self.bias = bias
        self.members = members
        self.repeat_bonus = repeat_bonus
        self.neighbour_bonus = neighbour_bonus
        self.loss = loss
        self.negatives = negatives
        self.ns_exponent = ns_exponent
        self.logq = logq
        self.bpr_regularization = bpr_regularization
        self.elu = elu
        self.input_dropout = input_dropout
        self.state_dropout = state_dropout
        self.batching = batching
        self.order = order
        self.batch_size = batch_size
        self.truncation = truncation
        self.epochs = epochs
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.clip = clip
        self.products = products
        self.user_features = user_features
        self.context = context
        self.min_count = min_count
        self.seed = seed
        self.threads = threads

    def memory(self, data: Any) -> dict[str, int]:
        """Estimate the memory of ``fit`` on a log, in bytes, before fitting.

        Parameters
        ----------
        data : Interactions, or what ``fit`` takes

        Returns
        -------
        dict of str to int
            ``parameters`` (with a ``neighbour_bonus`` also the pairs of items, at the most that
            the lengths of the histories allow), ``optimizer`` (what it keeps beside them),
            ``log``, ``work`` (a step's events, the plan of an epoch, or counting pairs) and
            ``total``.
        """
        self._check_params()
        return self._estimated_memory(as_interactions(data))

    def fit(
        self,
        data: Any,
        *,
        validation: Queries | None = None,
        callbacks: Sequence[Callback] = (),
        progress: bool = False,
        item_vectors: Any = None,
        resume: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Train on a log, from scratch, from vectors of another model, or from a checkpoint.

        Parameters
        ----------
        data, validation, callbacks, progress
            As in :meth:`Recommender.fit`.
        item_vectors : Vectors, a model that has ``item_vectors``, None, or a list of these
            Where the vectors that items are read by begin; other items begin at random. For
            cosines only their directions are taken, at the length that random ones have. A list
            has one for each of the ``members``, of which those with None begin at random.
        resume : path or None
            What a :class:`fastrec.Checkpoint` of an interrupted ``fit`` or ``partial_fit`` has
            written. With the same log, parameters and callbacks the result has the same bits
            as that of a run that was not interrupted.

        Raises
        ------
        InputError
            Besides what :meth:`Recommender.fit` raises: vectors of another length, a list of
            another length than ``members``, or a checkpoint of other parameters or another log;
            with a ``neighbour_bonus`` histories of more than 2**31 pairs, or values above 1e9.
        DeviceError
            ``products="bfloat16"`` where the processor or the build has none.
        """
        if resume is None:
            self._check_params()
            self._given_vectors = starts_of(item_vectors, self.members)
            try:
                return super().fit(
                    data, validation=validation, callbacks=callbacks, progress=progress
                )
            finally:
                self.__dict__.pop("_given_vectors", None)
        if item_vectors is not None:
            raise InputError("a resumed run has item vectors already; leave item_vectors out")
        log = self._checked_log(data)
        saved = checkpoint(resume, type(self).__name__, self._saved_params(), log)
        with self._replacing_state(History(saved.state["history"])):
            run = self._run(log, validation, callbacks, progress)
            self._resume(run, log, saved)
        return self

    def _begin(self, log: Interactions) -> None:
        super()._begin(log)
        starts = self.__dict__.get("_given_vectors", ())
        for member, vectors in zip(self._network.members, starts, strict=False):
            if vectors is not None:
                begin_with(vectors, member, self.item_ids)

    # Answers

    def _build_index(self) -> TopKIndex:
        return TopKIndex(self._network.output_vectors(), bias=self._network.bias)

    def _query_vectors(self, queries: Queries, threads: int | None = None) -> np.ndarray:
        """Return the scaled states after each history; see :meth:`rank`."""
        features = None
        if self._features is not None:
            asked = self._features.of_queries(queries)
            features = rows_of(asked, queries.histories.row_numbers)
        network = self._network
        return network.queries(network.encode(queries.histories, features, threads), threads)

    def recommend(
        self,
        histories: Any,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        exclude: Any = None,
        allow: Any = None,
        weights: Any = None,
        on_unknown: str = "ignore",
        threads: int | None = None,
        users: Any = None,
        context: Mapping[str, Any] | None = None,
    ) -> Recommendations:
        """Recommend items for ordered histories.

        Parameters
        ----------
        histories, k, exclude_seen, exclude, allow, weights, on_unknown, threads
            As in :meth:`Recommender.recommend`; ``on_unknown`` holds for users and categories
            of the context too.
        users : sequence of ids, or None
            Whose histories these are, where the model has ``user_features``.
        context : mapping of str to sequence, or None
            One value a history of each context column, with which all its events are read. It
            may hold user features, which then go before what is known of the user.

        Raises
        ------
        InputError
            A context column or user feature that the model was fitted with is missing.
        UnknownIdError
            An unknown item, user or category with ``on_unknown="error"``.
        """
        return self._recommend(
            histories,
            k,
            exclude_seen=exclude_seen,
            exclude=exclude,
            allow=allow,
            weights=weights,
            on_unknown=on_unknown,
            threads=threads,
            about=lambda count: self._about(count, users, context, on_unknown),
        )

    def _forget_answers(self) -> None:
        super()._forget_answers()
        self._item_vectors = None

    @property
    def item_vectors(self) -> Vectors:
        """What items are scored with: float32, shape (items, members * units)."""
        self._check_fitted()
        vectors = self._item_vectors
        if vectors is None:
            vectors = self._item_vectors = Vectors(self.item_ids, self._network.item_vectors())
        return vectors

    def similar_items(
        self, items: Any, k: int = 10, *, threads: int | None = None
    ) -> Recommendations:
        """Return the items whose vectors have the largest cosine with those of ``items``.

        Takes and raises what :meth:`Item2Vec.similar_items` does.
        """
        return self.item_vectors.similar(items, k, threads=threads)

    def _restore(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        super()._restore(arrays, state)
        # Files keep lists.
        self.context, self.user_features = tuple(self.context), tuple(self.user_features)
