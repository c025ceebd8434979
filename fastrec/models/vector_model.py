"""Recommenders whose score is a product of a history's vector and an item's vector."""

from __future__ import annotations

import numpy as np

from fastrec.data import Queries, Ragged
from fastrec.models.base import Recommender
from fastrec.models.bonuses import Bonuses, rank
from fastrec.models.restrictions import limits
from fastrec.search import TopK, TopKIndex


class VectorRecommender(Recommender):
    """Ranks through an exact top-k index over item vectors.

    A subclass says what is searched (:meth:`_build_index`) and what each query
    asks for (:meth:`_query_vectors`).
    """

    _index: TopKIndex | None = None

    def _build_index(self) -> TopKIndex:
        """Return the index over the vectors that items are scored with."""
        raise NotImplementedError

    def _query_vectors(self, queries: Queries, threads: int | None = None) -> np.ndarray:
        """Return float32 vectors of the queries, shape (len(queries), dim)."""
        raise NotImplementedError

    def _can_answer(self, queries: Queries) -> np.ndarray:
        """Return which queries have anything to go by, bool of shape (len(queries),)."""
        return queries.histories.lengths > 0

    def _search_index(self) -> TopKIndex:
        index = self._index
        if index is None:
            # Two threads may build it at once; both get an index and one of them is kept.
            index = self._index = self._build_index()
        return index

    def rank(
        self,
        queries: Queries,
        k: int,
        *,
        exclude: np.ndarray | Ragged | None = None,
        allow: np.ndarray | Ragged | None = None,
        threads: int | None = None,
    ) -> TopK:
        """Return the ``k`` best items of every query; see :meth:`Recommender.rank`."""
        self._check_fitted()
        exclude, allow = limits(queries, exclude, allow, len(self.item_ids))
        bonuses = self._bonuses(queries.exclude_seen)
        vectors, index = self._query_vectors(queries, threads), self._search_index()
        if bonuses is None:
            top = index.search(vectors, k, exclude=exclude, allow=allow, threads=threads)
        else:
            top = rank(index, queries, vectors, k, exclude, allow, bonuses, threads)
        top.clear(~self._can_answer(queries))
        return top

    def _bonuses(self, exclude_seen: bool) -> Bonuses | None:
        """Return what is added to scores where histories may be answers or not; None: nothing."""
        return None

    def _forget_answers(self) -> None:
        self._index = None
