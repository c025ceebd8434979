"""Queries in the codes of other maps: ids are looked up once, queries as they are needed."""

from __future__ import annotations

import numpy as np

from fastrec.data.ids import IdMap, require_map
from fastrec.data.queries import Queries
from fastrec.data.ragged import Ragged
from fastrec.data.swaps import refuse_swapped, refuse_unknown

AT_ONCE = 1 << 16


class Translation:
    """Queries as a reader with other maps sees them.

    Making one costs O(ids); memory is two int32 tables of that length, whatever the number
    of queries. Slices are translated when they are asked for.

    Parameters
    ----------
    queries : Queries
        In their own codes.
    item_ids : IdMap
        The items of the reader.
    user_ids : IdMap or None
        The users of the reader; None leaves users as they are.

    Raises
    ------
    InputError
        There are targets but not one known item, ids of the other kind, or users and
        items look swapped.
    """

    def __init__(self, queries: Queries, item_ids: IdMap, user_ids: IdMap | None = None) -> None:
        require_map("item_ids", item_ids)
        if user_ids is not None:
            require_map("user_ids", user_ids)
        self._queries, self._item_ids, self._user_ids = queries, item_ids, user_ids
        self._items: np.ndarray | None = None
        if queries.item_ids != item_ids:
            if queries.targets is not None:
                refuse_swapped(queries.item_ids, queries.user_ids, item_ids, user_ids)
            self._items = queries.item_ids.codes_in(item_ids)
        self._users: np.ndarray | None = None
        if user_ids is not None and queries.user_ids is not None and queries.user_ids != user_ids:
            self._users = queries.user_ids.codes_in(user_ids)
        if queries.targets is not None and len(queries):
            asked = queries.histories.total + queries.targets.total
            is_any_known = self._knows(queries.histories) or self._knows(queries.targets)
            refuse_unknown(is_any_known, asked, len(item_ids))

    def _knows(self, items: Ragged) -> bool:
        """Say whether the reader knows any of ``items``; looks no further than the first."""
        for start in range(0, items.total, AT_ONCE):
            codes = items.flat[start : start + AT_ONCE]
            if ((codes if self._items is None else self._items[codes]) >= 0).any():
                return True
        return False

    def __len__(self) -> int:
        """Return the number of queries."""
        return len(self._queries)

    def slice(self, start: int, stop: int) -> Queries:
        """Return the queries from ``start`` to ``stop``, translated.

        Items unknown to the reader leave the histories, and become -1 among the targets;
        unknown users become -1. Nothing is copied where the maps are equal.
        """
        return self._translated(self._queries.slice(start, stop))

    def whole(self) -> Queries:
        """Return all queries, translated."""
        return self._translated(self._queries)

    def _translated(self, part: Queries) -> Queries:
        moved = part._changed(item_ids=self._item_ids)
        if self._items is not None:
            moved = self._with_items(moved, self._items)
        if self._user_ids is None or part.user is None or part.user_ids is None:
            return moved
        user = part.user if self._users is None else self._users[part.user]
        return moved._changed(user=user, user_ids=self._user_ids)

    @staticmethod
    def _with_items(part: Queries, codes: np.ndarray) -> Queries:
        history = part.histories
        inside = slice(int(history.offsets[0]), int(history.offsets[-1]))
        moved = Ragged(codes[history.flat], history.offsets - history.offsets[0])
        keep = moved.values >= 0
        targets = part.targets
        if targets is not None:
            targets = Ragged(codes[targets.flat], targets.offsets - targets.offsets[0])
        times, values = part.history_time, part.history_value
        return part._changed(
            histories=moved.where(keep),
            targets=targets,
            history_time=None if times is None else times[inside][keep],
            history_value=None if values is None else values[inside][keep],
        )
