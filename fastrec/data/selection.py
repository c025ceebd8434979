"""Parts of a log and other views of it: histories, filters, sessions, the user-item matrix."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from fastrec.data.columns import PER_SECOND
from fastrec.data.id_kinds import range_map
from fastrec.data.ids import IdMap
from fastrec.data.interactions import Interactions
from fastrec.data.order import count_codes, run_offsets
from fastrec.data.ragged import ranges
from fastrec.errors import InputError
from fastrec.runtime import checks

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def select_rows(log: Interactions, rows: np.ndarray) -> Interactions:
    """Return the log of some rows, a mask or ascending row numbers, over the same id maps."""

    def picked(column: np.ndarray | None) -> np.ndarray | None:
        return None if column is None else column[rows]

    item, user, session = log.item[rows], picked(log.user), picked(log.session)
    if len(item) == 0:
        raise InputError("the log is empty: no row is left")
    return log._changed(
        item=item,
        user=user,
        session=session,
        time=picked(log.time),
        value=picked(log.value),
        context={name: column[rows] for name, column in log.context.items()},
        history_offsets=run_offsets([key for key in (user, session) if key is not None]),
    )


def take_histories(log: Interactions, histories: Any) -> Interactions:
    """See :meth:`Interactions.take`."""
    numbers = np.sort(checks.row_numbers("histories", histories, log.n_histories, "history"))
    if (numbers[1:] == numbers[:-1]).any():
        raise InputError("histories must name each history once, got one twice")
    starts = log.history_offsets[:-1][numbers]
    lengths = log.history_offsets[1:][numbers] - starts
    return select_rows(log, ranges(starts, lengths))


def row_histories(log: Interactions) -> np.ndarray:
    """Return the number of the history of each row, int32 of shape (n,)."""
    numbers = np.arange(log.n_histories, dtype=np.int32)
    return np.repeat(numbers, np.diff(log.history_offsets))


def filter_rows(
    log: Interactions, min_item_count: int, min_user_count: int, min_history_length: int
) -> Interactions:
    """See :meth:`Interactions.filter`."""
    checks.whole_number("min_item_count", min_item_count, 0)
    checks.whole_number("min_user_count", min_user_count, 0)
    checks.whole_number("min_history_length", min_history_length, 0)
    if log.user is None and min_user_count > 1:
        raise InputError(
            "min_user_count needs users, and this log knows sessions only: use min_history_length"
        )
    limits = [(log.item, log.n_items, min_item_count)]
    if log.user is not None:
        limits.append((log.user, log.n_users, min_user_count))
    limits.append((row_histories(log), log.n_histories, min_history_length))
    keep = _rows_within(limits, len(log))
    if not keep.any():
        raise InputError(
            f"the log is empty: none of {len(log)} rows is left with min_item_count="
            f"{min_item_count}, min_user_count={min_user_count}, min_history_length="
            f"{min_history_length}; lower them"
        )
    return compact(select_rows(log, keep))


def _rows_within(limits: list[tuple[np.ndarray, int, int]], n: int) -> np.ndarray:
    """Return the mask of the rows left when every code has its minimum of rows among them."""
    keep = np.ones(n, np.bool_)
    while True:
        left = int(keep.sum())
        for codes, size, minimum in limits:
            if minimum > 1:
                counts = count_codes(codes[keep], size)
                keep &= (counts >= minimum)[codes]
        if int(keep.sum()) == left:
            return keep


def compact(log: Interactions) -> Interactions:
    """Return the log with id maps that hold only the ids that occur in its rows."""
    item, item_ids, items = _compacted(log.item, log.item_ids, log.items)
    user, user_ids, users = _compacted(log.user, log.user_ids, log.users)
    session, session_ids, _ = _compacted(log.session, log.session_ids, None)
    return log._changed(
        item=item,
        item_ids=item_ids,
        items=items,
        user=user,
        user_ids=user_ids,
        users=users,
        session=session,
        session_ids=session_ids,
    )


def _compacted(
    codes: np.ndarray | None, ids: IdMap | None, table: Mapping[str, np.ndarray] | None
) -> tuple[Any, Any, Any]:
    """Return codes, map and side table of only the ids that occur; their order stays."""
    if codes is None or ids is None:
        return codes, ids, table
    occurs = np.zeros(len(ids), np.bool_)
    occurs[codes] = True
    if occurs.all():
        return codes, ids, table
    kept = np.flatnonzero(occurs)
    renumbered = np.cumsum(occurs, dtype=np.int32) - 1
    shorter = None if table is None else {name: column[kept] for name, column in table.items()}
    return renumbered[codes], ids.take(kept), shorter


def sessionize(log: Interactions, gap: float | timedelta) -> Interactions:
    """See :meth:`Interactions.sessionize`."""
    if log.session is not None:
        raise InputError("the log has sessions already")
    if log.user is None or log.time is None or log.time_unit is None:
        raise InputError("sessions are cut where a user pauses: the log must have time=")
    if isinstance(gap, np.timedelta64):
        gap = gap.astype("timedelta64[us]").item()
    seconds = gap.total_seconds() if isinstance(gap, timedelta) else gap
    limit = checks.real_number("gap", seconds, 0) * PER_SECOND[log.time_unit]
    begins = np.ones(len(log), np.bool_)
    begins[1:] = (np.diff(log.time) > limit) | (np.diff(log.user) != 0)
    session = np.cumsum(begins, dtype=np.int64).astype(np.int32) - np.int32(1)
    offsets = np.append(np.flatnonzero(begins), len(log)).astype(np.int64)
    return log._changed(
        session=session, session_ids=range_map(len(offsets) - 1), history_offsets=offsets
    )


def to_csr(log: Interactions) -> csr_array:
    """See :meth:`Interactions.to_csr`."""
    from scipy.sparse import csr_array

    codes, ids = log.owner, log.owner_ids
    counts = count_codes(codes, len(ids))
    offsets = np.zeros(len(ids) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    width = np.int32 if len(log) < 2**31 else np.int64
    value = np.ones(len(log), np.float32) if log.value is None else log.value.copy()
    cells = csr_array(
        (value, log.item.astype(width), offsets.astype(width)), shape=(len(ids), log.n_items)
    )
    cells.sum_duplicates()
    return cells
