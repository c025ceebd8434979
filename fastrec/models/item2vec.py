"""Item embeddings from histories: skip-gram and CBOW with negative sampling.

Barkan and Koenigstein, "Item2Vec: Neural Item Embedding for Collaborative
Filtering" (2016), which is word2vec (Mikolov et al., 2013) with histories for
sentences and items for words.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrec.data import Interactions, Queries, as_interactions
from fastrec.errors import InputError
from fastrec.models.catalogue import Catalogue, Tokens
from fastrec.models.history_weights import check_history_params, decayed_weights
from fastrec.models.skipgram import SkipGramModel
from fastrec.models.vector_model import VectorRecommender
from fastrec.runtime import checks
from fastrec.runtime.arrays import stride_of
from fastrec.search import Recommendations, TopKIndex, Vectors
from fastrec.training.loop import Run


class Item2Vec(VectorRecommender, SkipGramModel):
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
        self._check_training_params()
        if self.window is not None:
            checks.whole_number("window", self.window, maximum=1 << 20)
        checks.one_of("architecture", self.architecture, ("skipgram", "cbow"))
        self._check_answer_params()

    def _check_answer_params(self) -> None:
        """Check the parameters that answers depend on; they may be changed after a fit."""
        check_history_params(self.history_items, self.history_decay)
        checks.one_of("score_by", self.score_by, ("context", "item"))
        checks.one_of("metric", self.metric, ("dot", "cosine"))

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
        return self._estimated_memory(Tokens.of_log(log), log.nbytes)

    def _begin(self, log: Interactions) -> None:
        self._begin_tokens(Tokens.of_log(log))

    def _extend(self, log: Interactions) -> None:
        self._extend_tokens(Tokens.of_log(log))

    def _take(
        self, catalogue: Catalogue, inputs: np.ndarray, old_outputs: np.ndarray | None
    ) -> None:
        self.item_ids, self.item_counts = catalogue.item_ids, catalogue.item_counts
        super()._take(catalogue, inputs, old_outputs)

    def _train(self, run: Run, log: Interactions) -> None:
        self._train_tokens(run, Tokens.of_log(log))

    def _build_index(self) -> TopKIndex:
        self._check_answer_params()
        matrix = self._outputs if self.score_by == "context" else self._inputs
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

    def _query_vectors(self, queries: Queries, threads: int | None = None) -> np.ndarray:
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
        return (bags @ self._inputs)[:, : self._dim]

    def _can_answer(self, queries: Queries) -> np.ndarray:
        return self._history_weights(queries)[1] > 0

    def _history_weights(self, queries: Queries) -> tuple[np.ndarray, np.ndarray]:
        """Return the weight of each history item, and the sum of each history, float64."""
        self._check_answer_params()
        return decayed_weights(queries, self.history_items, self.history_decay)

    def _forget_answers(self) -> None:
        super()._forget_answers()
        self._item_vectors = None

    @property
    def item_vectors(self) -> Vectors:
        """The vectors x of the items: float32, shape (items, dim)."""
        self._check_fitted()
        vectors = self._item_vectors
        if vectors is None:
            vectors = self._item_vectors = Vectors(self.item_ids, self._inputs[:, : self._dim])
        return vectors

    @property
    def context_vectors(self) -> Vectors:
        """The vectors y of the items as centers: float32, shape (items, dim)."""
        self._check_fitted()
        return Vectors(self.item_ids, self._outputs[:, : self._dim])

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
        return {"item_vectors": self._inputs, "context_vectors": self._outputs}

    def _restore(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        super()._restore(arrays, state)
        self.item_ids, self.item_counts = self._catalogue.item_ids, self._catalogue.item_counts
        shape = len(self.item_ids), stride_of(self._dim)
        self._inputs = self._restored_matrix(arrays, "item_vectors", *shape)
        self._outputs = self._restored_matrix(arrays, "context_vectors", *shape)
