"""Recommenders whose score is a product of a history's vector and an item's vector."""

from __future__ import annotations

import numpy as np

from fastrec.data import Queries, Ragged
from fastrec.errors import InputError
from fastrec.models.base import Recommender
from fastrec.search import TopK, TopKIndex
from fastrec.search.arguments import item_rows

# A list for all queries that is longer than this is taken out of the answers once, instead of being
# written behind the history of every query.
LONG_EXCLUDE = 512


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
        _check_codes(queries, len(self.item_ids))
        exclude = _codes_of("exclude", exclude, queries, len(self.item_ids))
        allow = _codes_of("allow", allow, queries, len(self.item_ids))
        if exclude is not None and not isinstance(exclude, Ragged) and len(exclude) > LONG_EXCLUDE:
            allow = _without(allow, exclude, len(self.item_ids))
            exclude = None
        if queries.exclude_seen:
            exclude = _with_histories(queries.histories, exclude)
        top = self._search_index().search(
            self._query_vectors(queries, threads),
            k,
            exclude=exclude,
            allow=allow,
            threads=threads,
        )
        silent = ~self._can_answer(queries)
        if silent.any():
            top.items[silent], top.scores[silent], top.counts[silent] = -1, np.nan, 0
        return top

    def _forget_answers(self) -> None:
        self._index = None


def _check_codes(queries: Queries, n_items: int) -> None:
    """Raise where the queries are none, or hold codes that are no rows of the model."""
    if not isinstance(queries, Queries):
        raise InputError(
            f"rank takes Queries in the model's codes, got {type(queries).__name__}; "
            "recommend takes histories of ids"
        )
    codes = queries.histories.flat
    if len(codes) and (codes.min() < 0 or codes.max() >= n_items):
        raise InputError(
            f"histories hold codes from {codes.min()} to {codes.max()}, the model has items 0 to "
            f"{n_items - 1}; translate the queries with queries.translate(model.item_ids)"
        )


def _codes_of(
    name: str, given: np.ndarray | Ragged | None, queries: Queries, n_items: int
) -> np.ndarray | Ragged | None:
    """Return ``exclude`` or ``allow`` as codes of the model; one list for all without padding."""
    if given is None:
        return None
    if not isinstance(given, Ragged):
        codes = item_rows(name, given, n_items)
        return codes[codes >= 0]
    if len(given) != len(queries):
        raise InputError(
            f"{name} must have one list for each of the {len(queries)} queries, got {len(given)}; "
            "one list for all queries is given as a 1-D array"
        )
    item_rows(name, given.flat, n_items)
    return given


def _without(
    allow: np.ndarray | Ragged | None, exclude: np.ndarray, n_items: int
) -> np.ndarray | Ragged:
    """Return what may be an answer once the items of one list for all queries are taken out."""
    stays = np.ones(n_items, dtype=bool)
    stays[exclude] = False
    if allow is None:
        return np.flatnonzero(stays).astype(np.int32)
    if isinstance(allow, Ragged):
        return allow.where(stays[allow.flat])
    return allow[stays[allow]]


def _with_histories(histories: Ragged, exclude: np.ndarray | Ragged | None) -> Ragged:
    """Return one exclusion list per query: its history, and what else is excluded."""
    if exclude is None:
        return histories
    if not isinstance(exclude, Ragged):
        count = len(histories)
        shared = np.asarray(exclude, np.int32)
        exclude = Ragged.from_lengths(np.tile(shared, count), np.full(count, len(shared)))
    return histories.joined(exclude)
