"""The items that a model knows, and which row each item of a log has in the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastrec.data import IdMap, Interactions
from fastrec.errors import InputError


@dataclass(frozen=True)
class Catalogue:
    """Items by row, most frequent first, with their counts in training.

    Attributes
    ----------
    item_ids : IdMap
        Row ``r`` of the model's matrices belongs to ``item_ids.ids[r]``.
    item_counts : int64 ndarray, shape (items,)
        Occurrences in training.
    """

    item_ids: IdMap
    item_counts: np.ndarray

    @classmethod
    def of_log(cls, log: Interactions, min_count: int = 1) -> Catalogue:
        """Take the items that occur at least ``min_count`` times in a log.

        Frequent items come first, so that ties in scores go to them and their rows
        lie side by side in memory; equal counts keep the order of the log's ids.

        Raises
        ------
        InputError
            No item is frequent enough.
        """
        counts = log.item_counts()
        order = np.argsort(-counts, kind="stable")
        order = order[counts[order] >= max(min_count, 1)]
        if len(order) == 0:
            raise InputError(
                f"no item occurs min_count={min_count} times in the log "
                f"(the most frequent one {counts.max(initial=0)} times); lower min_count"
            )
        return cls(log.item_ids.take(order), counts[order])

    def extended(self, log: Interactions, min_count: int = 1) -> Catalogue:
        """Return this catalogue with a log's counts and its new items added behind the old ones."""
        fresh = log.item_counts()
        known = log.item_ids.codes_in(self.item_ids)[:-1] >= 0
        new = np.flatnonzero(~known & (fresh >= max(min_count, 1)))
        item_ids = self.item_ids.extend(log.item_ids.decode(new)) if len(new) else self.item_ids
        counts = np.zeros(len(item_ids), dtype=np.int64)
        counts[: len(self.item_counts)] = self.item_counts
        rows = log.item_ids.codes_in(item_ids)[:-1]
        counts[rows[rows >= 0]] += fresh[rows >= 0]
        return Catalogue(item_ids, counts)

    def rows_of(self, log: Interactions) -> np.ndarray:
        """Return the row of each of a log's items, int32 by code, -1 for none.

        Shape ``(log.n_items + 1,)``: the last entry, which the code -1 finds, is -1.
        """
        return log.item_ids.codes_in(self.item_ids)
