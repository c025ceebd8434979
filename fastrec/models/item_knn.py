"""Items that occur in the same histories, by the cosine of their columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fastrec.data import Interactions, Queries, as_interactions
from fastrec.models.history_weights import check_history_params, decayed_weights
from fastrec.models.neighbours import DistinctItems, NeighbourRecommender, Scorer, best_of
from fastrec.models.pair_counts import HISTORY_DECAY, SHRINKAGE, PairCounts, pair_bytes
from fastrec.runtime import checks
from fastrec.runtime.threads import resolve_threads
from fastrec.search import Recommendations


class ItemKNN(NeighbourRecommender):
    """Recommend what occurred in the same histories as the latest items, by cosine.

    Sarwar, Karypis, Konstan, Riedl, "Item-based Collaborative Filtering Recommendation
    Algorithms" (2001), as the baseline of papers on sessions (Hidasi et al., "Session-based
    Recommendations with Recurrent Neural Networks", 2016, section 4): with B the matrix of
    histories x items that says what is in which, ``n_i`` the histories with item i and
    ``n_ij`` those with both,

        s_ij = n_ij / sqrt((n_i + shrinkage) (n_j + shrinkage)),    s_ii = 0,

    which at ``shrinkage`` 0 is the cosine of columns i and j of B. The score of an item is
    the sum of s over the items of the history, the t-th latest weighted by
    ``history_decay ** (t - 1)``.

    Parameters
    ----------
    shrinkage : float
        Takes weight from items that few histories have, whose cosines are chance; at least 0.
    history_items : int or None
        How many of a history's latest items are asked for; 1 is usual in papers on sessions,
        None takes all.
    history_decay : float
        Weight of an item relative to the one after it, in (0, 1]; 1 suits sets without order.
    threads : int or None
        Threads of ``fit``; None takes all CPUs that the process may use. The model does not
        depend on it.

    Notes
    -----
    ``value`` of the log is what B holds (the largest one where a history has an item several
    times), and then ``n_ij = sum_h B_hi B_hj`` and ``n_i = sum_h B_hi ** 2``. Fitting costs the
    sum of the squared lengths of the histories; memory is 8 bytes for each pair of items that
    occurs. A query costs the neighbours of its items and a pass over the catalogue. Items
    that never came with the history have a score of 0 and come last, the most frequent first.
    ``partial_fit`` counts more histories. The loss of the one epoch is the share of events
    that were alone in their history, of which nothing is learnt. Deterministic for any number
    of threads; ``rank`` and ``recommend`` may be called from several threads.

    Examples
    --------
    >>> import fastrec as fr
    >>> model = fr.ItemKNN().fit([["bread", "butter"], ["bread", "butter", "jam"], ["tea"]])
    >>> model.recommend([["jam"]], k=2).items.tolist()
    [['bread', 'butter']]
    """

    _pairs: PairCounts

    def __init__(
        self,
        *,
        shrinkage: float = SHRINKAGE,
        history_items: int | None = None,
        history_decay: float = HISTORY_DECAY,
        threads: int | None = None,
    ) -> None:
        self.shrinkage = shrinkage
        self.history_items = history_items
        self.history_decay = history_decay
        self.threads = threads

    def _is_fitted(self) -> bool:
        return hasattr(self, "_pairs")

    def _check_params(self) -> None:
        checks.real_number("shrinkage", self.shrinkage, 0)
        check_history_params(self.history_items, self.history_decay)
        resolve_threads(self.threads)

    def memory(self, data: Any) -> dict[str, int]:
        """Estimate the memory of ``fit`` on a log, in bytes, before fitting.

        Parameters
        ----------
        data : Interactions, or what ``fit`` takes

        Returns
        -------
        dict of str to int
            ``parameters`` (the pairs, at the most that the lengths of the histories allow),
            ``log``, ``work`` and ``total``.
        """
        self._check_params()
        log = as_interactions(data)
        kept, work = pair_bytes(np.diff(log.history_offsets), log.n_items)
        parts = {"parameters": kept + 8 * log.n_items, "log": log.nbytes, "work": work}
        return parts | {"total": sum(parts.values())}

    def _clear(self) -> None:
        self._pairs = PairCounts.empty(len(self.item_ids))

    def _widen(self) -> None:
        self._pairs = self._pairs.widened(len(self.item_ids))

    def _count(self, log: Interactions, histories: DistinctItems) -> None:
        self._pairs = self._pairs.counted(histories, self.threads)

    def _history_weights(self, queries: Queries) -> tuple[np.ndarray, np.ndarray]:
        self._check_params()
        return decayed_weights(queries, self.history_items, self.history_decay)

    def _scorer(self, queries: Queries, weights: np.ndarray) -> Scorer:
        histories = queries.histories
        return self._scores_of(histories.flat, histories.offsets - histories.offsets[0], weights, 0)

    def _scores_of(
        self, items: np.ndarray, offsets: np.ndarray, weights: np.ndarray, otherwise: float
    ) -> Scorer:
        """Return what scores bags of weighted items; where no pair is, it is ``otherwise``."""
        scores_of = self._pairs.scorer(items, offsets, weights, self.shrinkage)

        def score(start: int, stop: int, scores: np.ndarray) -> None:
            sums, out = scores_of(start, stop), scores[: stop - start]
            if otherwise:
                out[:] = otherwise
                owner = np.repeat(np.arange(stop - start), np.diff(sums.indptr))
                out[owner, sums.indices] = sums.data
            else:
                sums.toarray(out=out)

        return score

    def similar_items(
        self, items: Iterable[Any], k: int = 10, *, threads: int | None = None
    ) -> Recommendations:
        """Return the items with the largest s to each of ``items``.

        Parameters
        ----------
        items : sequence of ids
        k : int
            Items a row; rows are short where fewer items share a history with the item.
        threads : int or None
            None takes all CPUs that the process may use.

        Raises
        ------
        UnknownIdError
            An id that the model has not seen.
        """
        self._check_fitted()
        self._check_params()
        checks.whole_number("k", k, maximum=2**31 - 1)
        codes = self.item_ids.encode(items, on_unknown="error")
        ones = np.ones(len(codes))
        scorer = self._scores_of(codes, np.arange(len(codes) + 1), ones, -np.inf)
        top = best_of(scorer, len(codes), k, len(self.item_ids), None, None, threads)
        return Recommendations.from_top(top, self.item_ids)

    def _parameters(self) -> dict[str, np.ndarray]:
        return self._pairs.arrays()

    def _restore(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        super()._restore(arrays, state)
        self._pairs = PairCounts.restored(arrays, len(self.item_ids))
