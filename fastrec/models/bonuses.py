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
LATEST = 32  # items of a history whose neighbours count; older ones would weigh less than 1e-9


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
        What occurs with what; None where ``neighbour`` is 0.
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
                # Copied, because repeats are taken out of it in place.
                items, ends = rows.flat.copy(), rows.offsets - rows.offsets[0]
                heard = csr_array((np.ones(len(items), np.float32), items, ends), shape=shape)
                heard.sum_duplicates()
                heard.data[:] = self.repeat
                found = found + heard
            found.sort_indices()
            return found

        return bonuses

    def _neighbours(self, queries: Queries) -> Callable[[int, int], csr_array] | None:
        if self.pairs is None:
            return None
        age = ages(queries)
        is_late = age < LATEST
        latest = queries.histories.where(is_late)
        weights = np.power(HISTORY_DECAY, age[is_late], dtype=np.float64)
        scores_of = self.pairs.scorer(latest.flat, latest.offsets, weights, SHRINKAGE)

        def neighbours(start: int, stop: int) -> csr_array:
            scores = scores_of(start, stop)
            best = scores.max(axis=1).toarray().reshape(-1)
            best[best <= 0] = 1
            scores.data /= np.repeat(best, np.diff(scores.indptr))
            scores.data *= np.float32(self.neighbour)
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
    may_be = None  # of one list for all queries, which rows it allows
    if allow is not None and not isinstance(allow, Ragged):
        may_be = np.zeros(len(index), bool)
        may_be[allow] = True

    def answer(start: int, stop: int) -> None:
        found = bonuses_of(start, stop)
        rows = Ragged(found.indices.astype(np.int32, copy=False), found.indptr.astype(np.int64))
        added = found.data
        if isinstance(allow, Ragged):
            keep = _is_allowed(rows, allow.slice(start, stop), len(index))
            rows, added = rows.where(keep), added[keep]
        elif may_be is not None:
            keep = may_be[rows.flat]
            rows, added = rows.where(keep), added[keep]
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


def _is_allowed(rows: Ragged, allow: Ragged, n_items: int) -> np.ndarray:
    """Return which items of some lists are in those of ``allow``, bool beside ``rows.flat``."""
    asked = rows.row_numbers * n_items + rows.flat
    return np.isin(asked, allow.row_numbers * n_items + allow.flat)


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
