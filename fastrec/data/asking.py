"""How queries are made: from a log, from two logs, or from columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastrec.data.columns import check_lengths
from fastrec.data.id_builder import IdBuilder
from fastrec.data.id_columns import IdColumn, IntColumn, StrColumn, as_id_column, present_rows
from fastrec.data.ids import IdMap, require_map
from fastrec.data.interactions import Interactions, require_log
from fastrec.data.order import sorting_order
from fastrec.data.queries import Queries
from fastrec.data.ragged import Ragged, offsets_of, ranges
from fastrec.data.sequences import flatten, is_nested
from fastrec.data.swaps import refuse_swapped, refuse_unknown
from fastrec.errors import InputError
from fastrec.runtime import checks


def every_prefix(log: Interactions, max_history: int | None, exclude_seen: bool) -> Queries:
    """See :meth:`Queries.every_prefix`."""
    require_log("log", log)
    is_first = np.zeros(len(log), np.bool_)
    is_first[log.history_offsets[:-1]] = True
    return _asked_at(log, np.flatnonzero(~is_first), max_history, exclude_seen)


def last_item(log: Interactions, max_history: int | None, exclude_seen: bool) -> Queries:
    """See :meth:`Queries.last_item`."""
    require_log("log", log)
    offsets = log.history_offsets
    return _asked_at(log, offsets[1:][np.diff(offsets) > 1] - 1, max_history, exclude_seen)


def _asked_at(
    log: Interactions, rows: np.ndarray, max_history: int | None, exclude_seen: bool
) -> Queries:
    """Return queries whose targets are single rows of the log, and whose histories end before."""
    checks.flag("exclude_seen", exclude_seen)
    if len(rows) == 0:
        raise InputError("nothing can be asked: no history has two events or more")
    begins = log.history_offsets[np.searchsorted(log.history_offsets, rows, "right") - 1]
    lengths = rows - begins
    if max_history is not None:
        most = min(checks.whole_number("max_history", max_history), len(log))
        lengths = np.minimum(lengths, most)
    known = ranges(rows - lengths, lengths)
    offsets = offsets_of(lengths)
    return Queries._trusted(
        item_ids=log.item_ids,
        histories=Ragged(log.item[known], offsets),
        targets=Ragged.from_lengths(log.item[rows], np.ones(len(rows), np.int64)),
        exclude_seen=exclude_seen,
        user=None if log.user is None else log.user[rows],
        user_ids=log.user_ids,
        history_time=None if log.time is None else log.time[known],
        history_value=None if log.value is None else log.value[known],
        time=None if log.time is None else log.time[rows],
        time_unit=log.time_unit,
        context={name: column[rows] for name, column in log.context.items()},
        context_ids=log.context_ids,
    )


def held_out(train: Interactions, test: Interactions, exclude_seen: bool) -> Queries:
    """See :meth:`Queries.held_out`."""
    checks.flag("exclude_seen", exclude_seen)
    require_log("train", train)
    require_log("test", test)
    refuse_swapped(test.item_ids, test.user_ids, train.item_ids, train.user_ids)
    if (train.user is None) != (test.user is None):
        raise InputError("train and test must both know users, or both know sessions only")
    owner, owner_ids, asker = train.owner, train.owner_ids, test.owner
    owners = test.owner_ids.codes_in(owner_ids)  # of each asker; -1 where train does not know it
    items = test.item_ids.codes_in(train.item_ids)[test.item]

    order = None  # train rows of a user lie together; sessions of one may lie out of time
    if train.user is not None and train.session is not None and train.time is not None:
        order = sorting_order([owner, train.time])
    first = np.searchsorted(owner, np.arange(len(owner_ids) + 1, dtype=owner.dtype))

    keep = _first_of_pairs(asker, test.item)
    if exclude_seen:
        seen = np.unique(owner.astype(np.int64) * train.n_items + train.item)
        pairs = owners[asker].astype(np.int64) * train.n_items + items
        is_known = (owners[asker] >= 0) & (items >= 0)
        keep &= ~(is_known & np.isin(pairs, seen))
    rows = np.flatnonzero(keep)
    if len(rows) == 0:
        raise InputError(
            "nothing can be asked: every item of test is in its user's history already; "
            "give exclude_seen=False where items are taken again"
        )
    starts = np.flatnonzero(np.diff(asker[rows], prepend=-1))
    askers = owners[asker[rows[starts]]]
    lengths = np.where(askers >= 0, first[askers + 1] - first[askers], 0)
    known = ranges(first[askers], lengths)
    known = known if order is None else order[known]
    return Queries._trusted(
        item_ids=train.item_ids,
        histories=Ragged(train.item[known], offsets_of(lengths)),
        targets=Ragged(items[rows], np.append(starts, len(rows)).astype(np.int64)),
        exclude_seen=exclude_seen,
        user=askers if train.user is not None else None,
        user_ids=train.user_ids,
        history_time=None if train.time is None else train.time[known],
        history_value=None if train.value is None else train.value[known],
        time=test.time[rows[starts]]
        if test.time_unit == train.time_unit and test.time is not None
        else None,
        time_unit=train.time_unit,
    )


def _first_of_pairs(asker: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Return the mask of the first row of each pair of asker and item."""
    pairs = asker.astype(np.int64) * (int(item.max()) + 1) + item
    mask = np.zeros(len(pairs), np.bool_)
    mask[np.unique(pairs, return_index=True)[1]] = True
    return mask


def from_columns(
    histories: Any,
    targets: Any | None,
    users: Any | None,
    item_ids: IdMap | None,
    user_ids: IdMap | None,
    exclude_seen: bool,
    names: Mapping[str, str] | None = None,
) -> Queries:
    """See :meth:`Queries.from_columns`; ``names`` are what messages call the three columns."""
    called = {"history": "histories", "target": "targets", "user": "users"} | dict(names or {})
    checks.flag("exclude_seen", exclude_seen)
    if item_ids is not None:
        require_map("item_ids", item_ids)
    if user_ids is not None:
        require_map("user_ids", user_ids)
    flat, lengths = flatten(histories, called["history"])
    answers, counts = None, None
    if targets is not None:
        if is_nested(targets):
            answers, counts = flatten(targets, called["target"])
        else:
            answers = as_id_column(targets, called["target"])
            counts = np.ones(len(answers), np.int64)
        check_lengths({called["history"]: len(lengths), called["target"]: len(counts)})
    known = item_ids if item_ids is not None else _map_of([flat, answers], called["history"])
    history = _encoded(flat, lengths, known, called["history"], keep_unknown=False)
    target = None
    if answers is not None and counts is not None:
        target = _encoded(answers, counts, known, called["target"], keep_unknown=True)
        if (target.lengths == 0).any():
            row = int(np.argmin(target.lengths))
            raise InputError(f"each query needs a target, {called['target']} has none in row {row}")
        is_any_known = len(target) == 0 or history.total > 0 or bool((target.values >= 0).any())
        refuse_unknown(is_any_known, len(flat) + target.total, len(known))
    user = None
    if users is not None:
        askers = as_id_column(users, called["user"])
        check_lengths({called["history"]: len(lengths), called["user"]: len(askers)})
        if user_ids is None:
            builder = IdBuilder(called["user"])
            builder.add_column(askers)
            user_ids = builder.finish()[0]
        user = user_ids.encode_column(askers, called["user"], on_unknown="ignore")
    return Queries._trusted(
        item_ids=known,
        histories=history,
        targets=target,
        exclude_seen=exclude_seen,
        user=user,
        user_ids=user_ids if user is not None else None,
    )


def _map_of(columns: list[Any], name: str) -> IdMap:
    """Return the map of all the ids of some columns; padding is no id."""
    builder = IdBuilder(name)
    for ids in columns:
        if ids is not None:
            builder.add_column(present_rows(_column_of(ids, name))[0])
    return builder.finish()[0]


def _encoded(ids: Any, lengths: np.ndarray, known: IdMap, name: str, keep_unknown: bool) -> Ragged:
    """Return rows of codes without padding, and without unknown ids unless these are kept as -1."""
    column = _column_of(ids, name)
    codes = known.encode_column(column, name, on_unknown="ignore")
    rows = Ragged.from_lengths(codes, lengths)
    return rows.where(present_rows(column)[1] if keep_unknown else codes >= 0)


def _column_of(ids: Any, name: str) -> IdColumn:
    """Return ids as a column, if they are none yet."""
    return ids if isinstance(ids, (IntColumn, StrColumn)) else as_id_column(ids, name)


def from_parquet(
    path: Any,
    names: Mapping[str, str | None],
    item_ids: IdMap | None,
    user_ids: IdMap | None,
    exclude_seen: bool,
) -> Queries:
    """See :meth:`Queries.from_parquet`."""
    from fastrec.data.columns import pick
    from fastrec.data.readers import parquet_table, whole_column

    table = parquet_table(path)
    wanted: dict[str, Any] = {
        role: name for role, name in names.items() if name is not None or role == "history"
    }
    for role, name in wanted.items():
        pick(name, table.names, f"{role}=", table.where)
    batches = list(table.batches(list(dict.fromkeys(wanted.values()))))
    if not batches:
        raise InputError(f"{table.where} has no rows")
    columns = {role: whole_column(batches, name) for role, name in wanted.items()}
    return from_columns(
        columns["history"],
        columns.get("target"),
        columns.get("user"),
        item_ids,
        user_ids,
        exclude_seen,
        {role: f"column {name!r}" for role, name in wanted.items()},
    )
