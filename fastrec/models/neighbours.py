"""Recommenders that score every item by counts of what occurred together, without any vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastrec.data import IdMap, Interactions, Queries, Ragged
from fastrec.data.ragged import offsets_of
from fastrec.errors import InputError
from fastrec.models.base import Recommender
from fastrec.models.catalogue import Catalogue
from fastrec.models.restrictions import limits, part_of
from fastrec.runtime.threads import run_ranges
from fastrec.search import TopK, select
from fastrec.training.loop import Meter, Run, run_epochs

# Scores that a thread writes out at once: 2 MiB, which a core's own cache holds.
SCORES_AT_ONCE = 1 << 19
LARGEST_VALUE = 1e9  # squares and sums of values stay far inside float32

Scorer = Callable[[int, int, np.ndarray], None]


@dataclass(frozen=True)
class DistinctItems:
    """The different items of each history.

    Attributes
    ----------
    offsets : int64 ndarray, shape (histories + 1,)
    items : int32 ndarray, shape (n,)
        In the order of their last occurrences.
    places : int32 ndarray, shape (n,)
        The place of that occurrence in the history, from 0.
    values : float32 ndarray, shape (n,)
        The largest value of the item in the history; 1 in a log without values.
    """

    offsets: np.ndarray
    items: np.ndarray
    places: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, histories: Ragged, n_items: int, value: np.ndarray | None = None) -> DistinctItems:
        """Take the histories of item rows; cost O(n log n) for n events.

        Parameters
        ----------
        histories : Ragged of int32
        n_items : int
        value : float32 ndarray beside ``histories.flat``, or None
        """
        owner = histories.row_numbers
        keys = owner * n_items + histories.flat
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        begins = np.flatnonzero(np.diff(keys, prepend=-1))
        last = order[np.append(begins[1:], len(keys)) - 1] if len(keys) else order
        by_place = np.argsort(last)
        last = last[by_place]
        if value is None:
            values = np.ones(len(last), np.float32)
        else:
            values = np.maximum.reduceat(value[order], begins)[by_place].astype(np.float32)
        offsets = offsets_of(np.bincount(owner[last], minlength=len(histories)))
        starts = histories.offsets[:-1] - histories.offsets[0]
        places = (last - starts[owner[last]]).astype(np.int32)
        return cls(offsets, histories.flat[last].astype(np.int32), places, values)


class NeighbourRecommender(Recommender):
    """Counts a log in one pass and ranks by the scores of all items, some queries at a time.

    A subclass counts (:meth:`_count`) and scores (:meth:`_scorer`). Items that nothing speaks
    for have a score of 0 and come last, the more frequent ones first.
    """

    uses_history_weights = True

    def _begin(self, log: Interactions) -> None:
        check_values(log)
        self._take(Catalogue.of(log))
        self._clear()

    def _extend(self, log: Interactions) -> None:
        check_values(log)
        self._take(Catalogue(self.item_ids, self.item_counts).extended(log))
        self._widen()

    def _take(self, catalogue: Catalogue) -> None:
        self.item_ids, self.item_counts = catalogue.item_ids, catalogue.item_counts

    def _clear(self) -> None:
        """Set up counts of nothing, for the items there are now."""
        raise NotImplementedError

    def _widen(self) -> None:
        """Make room in the counts, in copies, for items that are new."""
        raise NotImplementedError

    def _count(self, log: Interactions, histories: DistinctItems) -> None:
        """Add the histories of a log to the counts, in copies."""
        raise NotImplementedError

    def _train(self, run: Run, log: Interactions) -> None:
        def count(_epoch: int, meter: Meter) -> None:
            rows = Catalogue(self.item_ids, self.item_counts).rows_of(log)
            histories = Ragged(rows[log.item], log.history_offsets)
            distinct = DistinctItems.of(histories, len(self.item_ids), log.value)
            self._count(log, distinct)
            self._forget_answers()
            alone = np.diff(distinct.offsets) == 1
            events = float(np.diff(log.history_offsets)[alone].sum())
            meter.update(len(log), events, float(len(log)), "the values")

        run_epochs(run, count)

    def _history_weights(self, queries: Queries) -> tuple[np.ndarray, np.ndarray]:
        """Return the weight of each history item, and the sum of each history, float64."""
        raise NotImplementedError

    def _scorer(self, queries: Queries, weights: np.ndarray) -> Scorer:
        """Return what writes the scores of queries ``[start, stop)`` into a float32 matrix.

        It is called from several threads at once; a row's bits depend on its query alone.
        """
        raise NotImplementedError

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
        n_items = len(self.item_ids)
        exclude, allow = limits(queries, exclude, allow, n_items)
        weights, totals = self._history_weights(queries)
        scorer = self._scorer(queries, weights)
        top = best_of(scorer, len(queries), k, n_items, exclude, allow, threads)
        top.clear(totals <= 0)
        return top

    def set_params(self, **params: Any) -> NeighbourRecommender:
        """Set constructor arguments; they act on a fitted model at once.

        They are checked here then, and stay as they were if one is refused.
        """
        before = self.get_params()
        super().set_params(**params)
        if self._is_fitted():
            try:
                self._check_params()
            except InputError:
                super().set_params(**before)
                raise
        self._forget_answers()
        return self

    def _restore(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        super()._restore(arrays, state)
        self.item_counts = arrays["item_counts"]
        self.item_ids = IdMap.from_arrays("item_ids", arrays)
        if len(self.item_counts) != len(self.item_ids):
            raise ValueError(f"{len(self.item_counts)} counts of {len(self.item_ids)} items")

    def _arrays(self) -> dict[str, np.ndarray]:
        return {
            **self._parameters(),
            "item_counts": self.item_counts,
            **self.item_ids.to_arrays("item_ids"),
        }


def best_of(
    scorer: Scorer,
    n_queries: int,
    k: int,
    n_items: int,
    exclude: np.ndarray | Ragged | None,
    allow: np.ndarray | Ragged | None,
    threads: int | None,
) -> TopK:
    """Return the ``k`` best items of each query by the scores that ``scorer`` writes.

    A few queries are scored and ranked at a time, so that the scores stay in a core's cache.
    """
    top = TopK.empty(n_queries, k, n_items)
    block = max(1, SCORES_AT_ONCE // max(n_items, 1))
    free: list[np.ndarray] = []  # a thread takes one and puts it back

    def answer(start: int, stop: int) -> None:
        scores = free.pop() if free else np.empty((block, n_items), np.float32)
        scorer(start, stop, scores)
        part = select(
            scores[: stop - start],
            k,
            exclude=part_of(exclude, start, stop),
            allow=part_of(allow, start, stop),
            threads=1,
        )
        top.items[start:stop] = part.items
        top.scores[start:stop] = part.scores
        top.counts[start:stop] = part.counts
        free.append(scores)

    run_ranges(answer, n_queries, block, threads)
    return top


def check_values(log: Interactions) -> None:
    """Raise InputError where values are so large that their products could not be summed."""
    if log.value is not None and len(log) and not log.value.max() <= LARGEST_VALUE:
        raise InputError(
            f"value weighs what occurs together and must be at most {LARGEST_VALUE:g}, got "
            f"{float(log.value.max())}; divide the values"
        )
