"""A ranking in which some items have a bonus: those of a history, and those that occur with them.

What is added to the score of an item is at least 0. So the best of all items and the best of
those that have a bonus are enough to find the best ones of both, exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastrec.data import Queries, Ragged
from fastrec.models.history_weights import ages
from fastrec.models.pair_counts import HISTORY_DECAY, SHRINKAGE, PairCounts
from fastrec.models.restrictions import part_of
from fastrec.runtime.threads import run_ranges
from fastrec.search import TopK, TopKIndex

if TYPE_CHECKING:
    from scipy.sparse import csr_array

QUERIES_AT_ONCE = 64
LATEST = 32  # items of a history whose neighbours count: what is older weighs less than 1e-9


@dataclass(frozen=True)
class Bonuses:
    """What items of a history, and their neighbours, have added to their scores.

    Attributes
    ----------
    repeat : float
        For each item of the history.
    neighbour : float
        For the item that occurs most with the latest ones, by the score of
        :class:`fastrec.ItemKNN`; others get as much less as their scores are lower.
    pairs : PairCounts or None
        What occurs with what; needed where ``neighbour`` is above 0.
    """

    repeat: float
    neighbour: float
    pairs: PairCounts | None

    def of(self, queries: Queries, n_items: int) -> Callable[[int, int], csr_array]:
        """Return what gives the bonuses of queries ``[start, stop)``: a sparse (queries, items).

        Rows are ascending, without repeats. It may be called from several threads.
        """
        from scipy.sparse import csr_array

        histories = queries.histories
        neighbours = self._neighbours(queries)

        def bonuses(start: int, stop: int) -> csr_array:
            shape = stop - start, n_items
            found = csr_array(shape, dtype=np.float32)
            if neighbours is not None:
                found = neighbours(start, stop)
            if self.repeat > 0:
                rows = histories.slice(start, stop)
                heard = csr_array(
                    (np.ones(rows.total, np.float32), rows.flat, rows.offsets - rows.offsets[0]),
                    shape=shape,
                )
                heard.sum_duplicates()
                heard.data[:] = self.repeat
                found = found + heard
            found.sort_indices()
            return found

        return bonuses

    def _neighbours(self, queries: Queries) -> Callable[[int, int], csr_array] | None:
        if self.neighbour == 0 or self.pairs is None:
            return None
        age = ages(queries)
        latest = queries.histories.where(age < LATEST)
        weights = np.power(HISTORY_DECAY, age[age < LATEST], dtype=np.float64)
        scores_of = self.pairs.scorer(
            latest.flat, latest.offsets - latest.offsets[0], weights, SHRINKAGE
        )

        def neighbours(start: int, stop: int) -> csr_array:
            scores = scores_of(start, stop)
            best = scores.max(axis=1).toarray().reshape(-1)
            factors = np.divide(self.neighbour, best, out=np.zeros_like(best), where=best > 0)
            scores.data *= np.repeat(factors, np.diff(scores.indptr))
            return scores

        return neighbours


def rank(
    index: TopKIndex,
    queries: Queries,
    vectors: np.ndarray,
    k: int,
    exclude: np.ndarray | Ragged | None,
    allow: np.ndarray | Ragged | None,
    bonuses: Bonuses,
    threads: int | None,
) -> TopK:
    """Return the ``k`` items of each query whose score and bonus are the highest together.

    Parameters
    ----------
    index : TopKIndex
    queries : Queries
        Whose histories the bonuses come from.
    vectors, k, exclude, allow, threads
        As :meth:`TopKIndex.search` takes them.
    bonuses : Bonuses
    """
    top = index.search(vectors, k, exclude=exclude, allow=allow, threads=threads)
    lifted = TopK.empty(len(queries), k, len(index))
    bonuses_of = bonuses.of(queries, len(index))

    def answer(start: int, stop: int) -> None:
        found = bonuses_of(start, stop)
        rows = Ragged(found.indices.astype(np.int32, copy=False), found.indptr.astype(np.int64))
        added = found.data
        allowed = part_of(allow, start, stop)
        if allowed is not None:
            may = _allowed(rows, allowed, len(index))
            rows, added = rows.where(may), added[may]
        part = index.search(
            vectors[start:stop],
            k,
            exclude=part_of(exclude, start, stop),
            allow=rows,
            added=added,
            threads=1,
        )
        lifted.items[start:stop] = part.items
        lifted.scores[start:stop] = part.scores

    run_ranges(answer, len(queries), QUERIES_AT_ONCE, threads)
    return _best_of(top, lifted)


def _allowed(rows: Ragged, allow: np.ndarray | Ragged, n_items: int) -> np.ndarray:
    """Return which items of some lists are allowed, bool beside ``rows.flat``."""
    if isinstance(allow, Ragged):
        asked = rows.row_numbers * n_items + rows.flat
        return np.isin(asked, allow.row_numbers * n_items + allow.flat)
    return np.isin(rows.flat, allow)


def _best_of(top: TopK, lifted: TopK) -> TopK:
    """Return the best of both; an item of both has the score of ``lifted``, the higher one."""
    items = np.hstack((lifted.items, top.items))
    scores = np.hstack((lifted.scores, top.scores))
    # By item, those with a bonus first: an item that follows itself is there already.
    items, scores = _ordered(items, scores, items)
    is_again = items[:, 1:] == items[:, :-1]
    items[:, 1:][is_again], scores[:, 1:][is_again] = -1, np.nan
    items, scores = _ordered(items, scores, -scores)  # NaN comes last
    k = top.items.shape[1]
    items, scores = np.ascontiguousarray(items[:, :k]), np.ascontiguousarray(scores[:, :k])
    return TopK(items, scores, (items >= 0).sum(axis=1, dtype=np.int32))


def _ordered(
    items: np.ndarray, scores: np.ndarray, by: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return both with each row in the order of ``by``; equal ones stay as they are."""
    order = np.argsort(by, axis=1, kind="stable")
    return np.take_along_axis(items, order, axis=1), np.take_along_axis(scores, order, axis=1)
