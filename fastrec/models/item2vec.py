"""Item embeddings from histories: skip-gram and CBOW with negative sampling.

Barkan and Koenigstein, "Item2Vec: Neural Item Embedding for Collaborative
Filtering" (2016), which is word2vec (Mikolov et al., 2013) with histories for
sentences and items for words.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrec.data import IdMap, Interactions, Queries, as_interactions
from fastrec.errors import InputError
from fastrec.models.catalogue import Catalogue
from fastrec.models.vector_model import VectorRecommender
from fastrec.runtime import checks, isa
from fastrec.runtime.arrays import padded_zeros, stride_of
from fastrec.runtime.random import generator
from fastrec.runtime.threads import Team, resolve_threads
from fastrec.search import Recommendations, TopKIndex, Vectors
from fastrec.training.loop import Meter, Run, run_epochs
from fastrec.training.negatives import keep_thresholds, noise_table
from fastrec.training.sgns import Pieces, Rate, SgnsEpochs

WINDOWS_A_DRAW = {"pair": 0, "window": 1, "block": 4}
ROWS_AT_ONCE = 1 << 16


class Item2Vec(VectorRecommender):
    """Embed items so that those of one history lie close, and recommend by the vectors.

    Every center item of a history is predicted from the items around it: the
    loss of a pair is ``-log sigmoid(x_c . y_o) - sum_n log sigmoid(-x_c . y_n)`` over
    ``negatives`` noise items n (Mikolov et al., "Distributed Representations of Words
    and Phrases", 2013, eq. 4). x are the *item vectors*, y the *context vectors*.

    Parameters
    ----------
    dim : int
        Length of the vectors.
    window : int or None
        Items on each side of the center; None takes the whole history, which suits
        carts and costs the square of its length.
    negatives : int
        Noise items for each pair.
    epochs : int
        Passes over the log.
    learning_rate, min_learning_rate : float
        The rate falls linearly from one to the other over all epochs.
    architecture : {"skipgram", "cbow"}
        Predict from each context item by itself, or from their mean. As in the
        authors' code, CBOW adds the mean's gradient undivided to each context item.
    context : {"both", "past"}
        Contexts on both sides of the center, or before it only.
    dynamic_window : bool
        Draw each center's reach from 1..window, which weights near items more.
    subsample : float
        Occurrences of items with a share above this are dropped at random; 0 keeps
        all. Usual: 1e-5 to 1e-3.
    ns_exponent : float
        Noise is drawn from count ** ns_exponent; negative prefers rare items.
    negative_sharing : {"window", "block", "pair"}
        Noise drawn for each window (Ji et al., 2016), for four neighbouring windows, or for
        each pair as in the original. All have the same expected gradient; ``"block"`` is
        the fastest, adds up the most pairs in one step and so needs the lowest rate.
    min_count : int
        Rarer items are left out, as if they were not in the log.
    history_items : int or None
        How many of a history's latest items are asked for; None takes all.
    history_decay : float
        Weight of an item relative to the one after it, in (0, 1].
    score_by : {"context", "item"}
        Score candidates by their context vectors (what comes along with the history)
        or by their item vectors (what is like the history).
    metric : {"dot", "cosine"}
        How a history's vector and a candidate's are compared.
    seed : int
        Same seed and one thread: same bits, at one instruction-set level.
    threads : int or None
        Threads of ``fit``; None takes all CPUs that the process may use. Several threads
        update the vectors without locks, so that results differ a little from run to run.

    Notes
    -----
    One epoch costs about ``6 * dim * pairs * (negatives + 1)`` operations, fewer where
    noise is shared; memory is two float32 matrices of items x dim and the log.
    ``value`` of the log weights each center's loss. ``rank`` and ``recommend`` may be
    called from several threads.

    Examples
    --------
    >>> import fastrec as fr
    >>> log = fr.Interactions.from_sequences([[1, 2, 3, 4], [2, 3, 4, 5]] * 20)
    >>> model = fr.Item2Vec(dim=8, epochs=20, threads=1).fit(log)
    >>> model.recommend([[2, 3]], k=2).items.shape
    (1, 2)
    """

    uses_history_weights = True
    _item_vectors: Vectors | None = None  # kept for the index that similar items are found with

    def __init__(
        self,
        *,
        dim: int = 128,
        window: int | None = 5,
        negatives: int = 5,
        epochs: int = 10,
        learning_rate: float = 0.025,
        min_learning_rate: float = 1e-4,
        architecture: str = "skipgram",
        context: str = "both",
        dynamic_window: bool = True,
        subsample: float = 0.0,
        ns_exponent: float = 0.75,
        negative_sharing: str = "window",
        min_count: int = 1,
        history_items: int | None = None,
        history_decay: float = 0.9,
        score_by: str = "context",
        metric: str = "dot",
        seed: int = 1,
        threads: int | None = None,
    ) -> None:
        self.dim = dim
        self.window = window
        self.negatives = negatives
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.min_learning_rate = min_learning_rate
        self.architecture = architecture
        self.context = context
        self.dynamic_window = dynamic_window
        self.subsample = subsample
        self.ns_exponent = ns_exponent
        self.negative_sharing = negative_sharing
        self.min_count = min_count
        self.history_items = history_items
        self.history_decay = history_decay
        self.score_by = score_by
        self.metric = metric
        self.seed = seed
        self.threads = threads

    def _check_params(self) -> None:
        checks.whole_number("dim", self.dim, maximum=65536)
        if self.window is not None:
            checks.whole_number("window", self.window, maximum=1 << 20)
        checks.whole_number("negatives", self.negatives, maximum=1024)
        checks.whole_number("epochs", self.epochs)
        if checks.real_number("learning_rate", self.learning_rate, minimum=0) == 0:
            raise InputError("learning_rate must be above 0, got 0: nothing would be trained")
        checks.real_number("min_learning_rate", self.min_learning_rate, 0, self.learning_rate)
        checks.one_of("architecture", self.architecture, ("skipgram", "cbow"))
        checks.one_of("context", self.context, ("both", "past"))
        checks.flag("dynamic_window", self.dynamic_window)
        checks.real_number("subsample", self.subsample, 0, 1)
        checks.real_number("ns_exponent", self.ns_exponent, -8, 8)
        checks.one_of("negative_sharing", self.negative_sharing, tuple(WINDOWS_A_DRAW))
        checks.whole_number("min_count", self.min_count)
        checks.whole_number("seed", self.seed, minimum=0)
        resolve_threads(self.threads)
        self._check_answer_params()

    def _check_answer_params(self) -> None:
        """Check the parameters that answers depend on; they may be changed after a fit."""
        if self.history_items is not None:
            checks.whole_number("history_items", self.history_items)
        decay = checks.real_number("history_decay", self.history_decay, 0, 1)
        if decay == 0:
            raise InputError(
                "history_decay must be above 0; history_items=1 asks for the last item"
            )
        checks.one_of("score_by", self.score_by, ("context", "item"))
        checks.one_of("metric", self.metric, ("dot", "cosine"))

    def _is_fitted(self) -> bool:
        return hasattr(self, "_item_matrix")

    def memory(self, data: Any) -> dict[str, int]:
        """Estimate the memory of ``fit`` on a log, in bytes, before fitting.

        Parameters
        ----------
        data : Interactions, or what ``fit`` takes

        Returns
        -------
        dict of str to int
            ``parameters`` (both matrices), ``log``, ``work`` (noise table, maps and
            the threads' scratch) and ``total``.
        """
        self._check_params()
        log = as_interactions(data)
        counts = log.item_counts()
        items = int((counts >= self.min_count).sum())
        parameters = 2 * 4 * items * stride_of(self.dim)
        scratch = (
            24 * self._pieces(log).capacity
            + 4 * 32 * (16 + self.negatives)
            + 64 * stride_of(self.dim)
        )
        work = 24 * items + 4 * len(counts) + resolve_threads(self.threads) * scratch
        return {
            "parameters": parameters,
            "log": log.nbytes,
            "work": work,
            "total": parameters + log.nbytes + work,
        }

    def _begin(self, log: Interactions) -> None:
        catalogue = Catalogue.of_log(log, self.min_count)
        self._take(catalogue, self._new_rows(len(catalogue.item_ids), 0), None)

    def _extend(self, log: Interactions) -> None:
        if self.dim != self._dim:
            raise InputError(
                f"dim is {self.dim}, but the vectors of this model have {self._dim}; "
                "partial_fit goes on with the old dim, fit starts anew"
            )
        before = len(self.item_ids)
        catalogue = Catalogue(self.item_ids, self.item_counts).extended(log, self.min_count)
        items = self._new_rows(len(catalogue.item_ids), before)
        items[:before] = self._item_matrix
        self._take(catalogue, items, self._context_matrix)

    def _take(
        self, catalogue: Catalogue, items: np.ndarray, old_contexts: np.ndarray | None
    ) -> None:
        contexts = padded_zeros(len(items), self.dim)
        if old_contexts is not None:
            contexts[: len(old_contexts)] = old_contexts
        self.item_ids, self.item_counts = catalogue.item_ids, catalogue.item_counts
        self._dim = self.dim
        self._item_matrix, self._context_matrix = items, contexts
        self._forget_answers()

    def _new_rows(self, rows: int, first: int) -> np.ndarray:
        """Return a matrix whose rows from ``first`` on are uniform in (-0.5, 0.5) / dim."""
        matrix = padded_zeros(rows, self.dim)
        random = generator(self.seed, "item2vec rows", first)
        for start in range(first, rows, ROWS_AT_ONCE):
            part = matrix[start : start + ROWS_AT_ONCE, : self.dim]
            part[:] = random.random(part.shape, dtype=np.float32)
            part -= 0.5
            part /= self.dim
        return matrix

    def _pieces(self, log: Interactions) -> Pieces:
        longest = int(np.diff(log.history_offsets).max(initial=0))
        products = stride_of(self.dim) * (1 + self.negatives)
        return Pieces.of(len(log), self.window, longest, products)

    def _train(self, run: Run, log: Interactions) -> None:
        catalogue = Catalogue(self.item_ids, self.item_counts)
        trainer = isa.load("sgns").Trainer(
            log.item,
            catalogue.rows_of(log),
            log.history_offsets,
            self._item_matrix,
            self._context_matrix,
            noise_table(self.item_counts, self.ns_exponent),
            keep_thresholds(self.item_counts, self.subsample),
            log.value,
            window=self.window or 0,
            dynamic_window=self.dynamic_window,
            past_only=self.context == "past",
            cbow=self.architecture == "cbow",
            negatives=self.negatives,
            group=max(WINDOWS_A_DRAW[self.negative_sharing], self.architecture == "cbow"),
        )
        pieces = self._pieces(log)
        rate = Rate(self.learning_rate, self.min_learning_rate, self.epochs)
        with Team(min(resolve_threads(self.threads), pieces.count)) as team:
            epochs = SgnsEpochs(trainer, pieces, rate, self.seed, len(run.history), team)

            def train_epoch(epoch: int, meter: Meter) -> None:
                self._forget_answers()
                epochs.train(epoch, meter)

            run_epochs(run, train_epoch)

    def _build_index(self) -> TopKIndex:
        self._check_answer_params()
        matrix = self._context_matrix if self.score_by == "context" else self._item_matrix
        return TopKIndex(matrix[:, : self._dim], metric=self.metric)

    def set_params(self, **params: Any) -> Item2Vec:
        """Set constructor arguments; ``score_by``, ``metric`` and ``history_*`` act at once.

        On a fitted model these four are checked here, and stay as they were if one is refused.
        """
        before = self.get_params()
        super().set_params(**params)
        if self._is_fitted():
            try:
                self._check_answer_params()
            except InputError:
                super().set_params(**before)
                raise
        self._forget_answers()
        return self

    def _query_vectors(self, queries: Queries) -> np.ndarray:
        """Return the weighted means of the item vectors of each history's latest items."""
        from scipy.sparse import csr_array

        histories = queries.histories
        weights, total = self._history_weights(queries)
        weights /= np.where(total > 0, total, 1.0)[histories.row_numbers]
        bags = csr_array(
            (
                weights.astype(np.float32),
                histories.flat,
                histories.offsets - histories.offsets[0],
            ),
            shape=(len(histories), len(self.item_ids)),
        )
        # The whole rows: SciPy would copy a part of them.
        return (bags @ self._item_matrix)[:, : self._dim]

    def _can_answer(self, queries: Queries) -> np.ndarray:
        return self._history_weights(queries)[1] > 0

    def _history_weights(self, queries: Queries) -> tuple[np.ndarray, np.ndarray]:
        """Return the weight of each history item, and the sum of each history, float64."""
        self._check_answer_params()
        histories = queries.histories
        owner = histories.row_numbers
        places = np.arange(histories.offsets[0], histories.offsets[-1])
        age = histories.offsets[1:][owner] - 1 - places
        weights = np.power(self.history_decay, age, dtype=np.float64)
        if self.history_items is not None:
            weights[age >= self.history_items] = 0.0
        if queries.history_value is not None:
            value = queries.history_value[histories.offsets[0] : histories.offsets[-1]]
            if (value < 0).any():
                raise InputError(
                    "values of history items are weights and must be at least 0, got "
                    f"{float(value.min())}"
                )
            weights *= value
        return weights, np.bincount(owner, weights=weights, minlength=len(histories))

    def _forget_answers(self) -> None:
        super()._forget_answers()
        self._item_vectors = None

    @property
    def item_vectors(self) -> Vectors:
        """The vectors x of the items: float32, shape (items, dim)."""
        self._check_fitted()
        vectors = self._item_vectors
        if vectors is None:
            vectors = self._item_vectors = Vectors(self.item_ids, self._item_matrix[:, : self._dim])
        return vectors

    @property
    def context_vectors(self) -> Vectors:
        """The vectors y of the items as centers: float32, shape (items, dim)."""
        self._check_fitted()
        return Vectors(self.item_ids, self._context_matrix[:, : self._dim])

    def similar_items(
        self, items: Any, k: int = 10, *, threads: int | None = None
    ) -> Recommendations:
        """Return the items whose vectors have the largest cosine with those of ``items``.

        Parameters
        ----------
        items : sequence of ids
        k : int
            Items a row; the item itself is left out.
        threads : int or None
            None takes all CPUs that the process may use.

        Raises
        ------
        UnknownIdError
            An id that the model has not seen.
        """
        return self.item_vectors.similar(items, k, threads=threads)

    def _parameters(self) -> dict[str, np.ndarray]:
        return {"item_vectors": self._item_matrix, "context_vectors": self._context_matrix}

    def _arrays(self) -> dict[str, np.ndarray]:
        return {
            **self._parameters(),
            "item_counts": self.item_counts,
            **self.item_ids.to_arrays("item_ids"),
        }

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "dim": self._dim}

    def _restore(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        super()._restore(arrays, state)
        self._dim = int(state["dim"])
        self.item_ids = IdMap.from_arrays("item_ids", arrays)
        self.item_counts = arrays["item_counts"]
        matrices = arrays["item_vectors"], arrays["context_vectors"]
        shape = (len(self.item_ids), stride_of(self._dim))
        if any(m.shape != shape or m.dtype != np.float32 for m in matrices):
            raise ValueError(f"matrices of shape {matrices[0].shape}, expected {shape}")
        self._item_matrix, self._context_matrix = matrices
