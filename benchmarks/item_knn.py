"""The baseline of carts: items that were bought together, by the cosine of their columns.

Sarwar, Karypis, Konstan, Riedl, "Item-based Collaborative Filtering Recommendation Algorithms"
(2001), on yes or no: with B the matrix of histories x items that says what is in which, ``n_i``
the histories that have item i and ``n_ij`` those that have both,

    s_ij = n_ij / sqrt((n_i + shrinkage) (n_j + shrinkage)),    s_ii = 0,

which at ``shrinkage`` 0 is the cosine of columns i and j of B. A history's score of an item is the
sum of s over the items of the history, the t-th latest of them weighted by decay ** (t - 1).
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from fastrec.data import IdMap, Interactions, Queries, Ragged
from fastrec.search import Recommendations, TopK, select

SCORES_AT_ONCE = 1 << 24  # float32, so 64 MiB


class ItemKNN:
    """Scores items by their cosine with those of the history; what ``fr.evaluate`` asks of a model.

    Parameters
    ----------
    shrinkage : float
        Takes weight from items that few histories have; 0 is the plain cosine.
    history_decay : float
        Weight of an item of a history relative to the one after it, in [0, 1]: at 1 all count the
        same, as in the paper; at 0 the latest one counts alone, as is usual for sessions.

    Notes
    -----
    Fitting costs the sum of the squared lengths of the histories; ranking writes out the score of
    every item, some queries at a time. Deterministic.
    """

    user_ids = None

    def __init__(self, *, shrinkage: float = 0.0, history_decay: float = 1.0) -> None:
        self.shrinkage = shrinkage
        self.history_decay = history_decay

    def fit(self, log: Interactions, *, progress: bool = False) -> Self:
        """Count what occurs together in the histories of a log; there is no progress to show."""
        from scipy.sparse import csr_array, diags_array

        self.item_ids: IdMap = log.item_ids
        self.item_counts = log.item_counts()
        histories = log.sequences()
        carts = csr_array(
            (np.ones(histories.total, np.float32), (histories.row_numbers, histories.flat)),
            shape=(len(histories), log.n_items),
        )
        carts.data[:] = 1  # an item that a history has twice was summed
        together = (carts.T @ carts).tocsr()
        sizes = together.diagonal().astype(np.float64) + self.shrinkage
        scale = diags_array(np.divide(1, np.sqrt(sizes), out=np.zeros_like(sizes), where=sizes > 0))
        together.setdiag(0)
        together.eliminate_zeros()
        self.similarity = (scale @ together @ scale).astype(np.float32).tocsr()
        return self

    def rank(self, queries: Queries, k: int, *, threads: int | None = None) -> TopK:
        """Return the ``k`` best items of every query; items without a score are no answers."""
        from scipy.sparse import csr_array

        histories = queries.histories
        places = np.arange(histories.offsets[0], histories.offsets[-1])
        age = histories.offsets[1:][histories.row_numbers] - 1 - places
        weights = np.power(self.history_decay, age, dtype=np.float32)
        bags = csr_array(
            (weights, (histories.row_numbers, histories.flat)),
            shape=(len(histories), len(self.item_ids)),
        )
        bags.eliminate_zeros()
        return self._select(bags, k, histories if queries.exclude_seen else None, threads)

    def similar_items(self, items: Any, k: int = 10) -> Recommendations:
        """Return the items of the largest similarity with each of ``items``, ids in and out."""
        from scipy.sparse import csr_array

        codes = self.item_ids.encode(items)
        each = np.arange(len(codes) + 1)
        bags = csr_array(
            (np.ones(len(codes), np.float32), codes, each), shape=(len(codes), len(self.item_ids))
        )
        return Recommendations.from_top(self._select(bags, k, None, None), self.item_ids)

    def _select(self, bags: Any, k: int, seen: Ragged | None, threads: int | None) -> TopK:
        """Return the best columns of ``bags @ similarity``, some rows at a time."""
        found = TopK.empty(bags.shape[0], k, bags.shape[1])
        step = max(1, SCORES_AT_ONCE // bags.shape[1])
        for start in range(0, bags.shape[0], step):
            stop = min(start + step, bags.shape[0])
            scores = (bags[start:stop] @ self.similarity).toarray()
            scores[scores == 0] = -np.inf
            exclude = None if seen is None else seen.slice(start, stop)
            part = select(scores, k, exclude=exclude, threads=threads)
            found.items[start:stop] = part.items
            found.scores[start:stop] = part.scores
            found.counts[start:stop] = part.counts
        return found
