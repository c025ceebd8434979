"""Recommenders whose score is a product of a history's vector and an item's vector."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrec.data import Queries, Ragged
from fastrec.models.base import Recommender
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

    def _query_vectors(self, queries: Queries) -> np.ndarray:
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
        if queries.exclude_seen:
            exclude = _with_histories(queries.histories, exclude)
        top = self._search_index().search(
            self._query_vectors(queries), k, exclude=exclude, allow=allow, threads=threads
        )
        silent = ~self._can_answer(queries)
        if silent.any():
            top.items[silent], top.scores[silent], top.counts[silent] = -1, np.nan, 0
        return top

    def _copy_state(self) -> Any:
        """Return a copy of the parameters, for early stopping."""
        return {name: array.copy() for name, array in self._parameters().items()}

    def _restore_state(self, state: Any) -> None:
        """Put back parameters that ``_copy_state`` has returned."""
        for name, array in self._parameters().items():
            array[...] = state[name]
        self._index = None

    def _parameters(self) -> dict[str, np.ndarray]:
        """Return the arrays that training changes, by name."""
        raise NotImplementedError


def _with_histories(histories: Ragged, exclude: np.ndarray | Ragged | None) -> Ragged:
    """Return one exclusion list per query: its history, and what else is excluded."""
    if exclude is None:
        return histories
    if not isinstance(exclude, Ragged):
        count = len(histories)
        values = np.tile(np.asarray(exclude, np.int32), count)
        exclude = Ragged(values, np.arange(count + 1, dtype=np.int64) * len(exclude))
    lengths = histories.lengths + exclude.lengths
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    joined = np.empty(offsets[-1], dtype=np.int32)
    joined[_places(offsets[:-1], histories)] = histories.values
    joined[_places(offsets[:-1] + histories.lengths, exclude)] = exclude.values
    return Ragged(joined, offsets)


def _places(starts: np.ndarray, lists: Ragged) -> np.ndarray:
    """Return where the values of ``lists`` go when list i begins at ``starts[i]``."""
    shift = starts - lists.offsets[:-1]
    return np.arange(len(lists.values)) + np.repeat(shift, lists.lengths)
