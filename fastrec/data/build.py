"""Building a log: from columns, tables, sequences and matrices to sorted rows of codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from fastrec.data import columns as checked
from fastrec.data.id_kinds import range_map
from fastrec.data.ids import IdMap
from fastrec.data.interactions import Interactions
from fastrec.data.rows import CONTEXT, Roles, RowCollector, RowEncoder, column_names, sort_rows
from fastrec.data.sequences import flatten
from fastrec.errors import InputError
from fastrec.runtime import checks

if TYPE_CHECKING:
    from fastrec.data.readers import Table


def from_arrays(
    given: Mapping[str, Any],
    context: Mapping[str, Any] | None,
    categories: Iterable[str],
    time_unit: str | None,
) -> Interactions:
    """See :meth:`Interactions.from_arrays`."""
    context = {} if context is None else context
    if not isinstance(context, Mapping):
        raise InputError(f"context must be a dict of columns, got {type(context).__name__}")
    for name in context:
        checks.text("the name of a column of context", name)
    named = column_names("categories", categories)
    for name in named:
        checked.pick(name, context, "categories", "context")
    columns = {role: values for role, values in given.items() if values is not None}
    if columns.get("user") is not None and columns["user"] is columns.get("item"):
        raise InputError("user= and item= are the same column; each needs its own")
    roles = Roles(
        **{role: role for role in columns},
        context={name: CONTEXT + name for name in context},
        categories=frozenset(named),
        time_unit=time_unit,
    )
    roles.check()
    columns |= {CONTEXT + name: values for name, values in context.items()}
    collector = RowCollector(RowEncoder(roles, lambda column: column))
    collector.add(columns.__getitem__)
    return finish(collector)


def from_table(table: Table, roles: Roles, into: str | PathLike[str] | None = None) -> Interactions:
    """Return the log of a table that comes in batches, in memory or streamed to a folder."""
    needed = roles.pick_from(table.names, table.where)
    encoder = RowEncoder(roles, lambda column: f"column {column!r}")
    if into is not None:
        from fastrec.data import streaming

        return streaming.write(table, needed, encoder, into)
    collector = RowCollector(encoder)
    for batch in table.batches(needed):
        collector.add(batch)
    return finish(collector)


def finish(collector: RowCollector) -> Interactions:
    """Return the log of all the rows collected, sorted."""
    refuse_empty(collector.encoder.rows)
    rows, maps = collector.finish()
    return of_rows(rows, maps, collector.encoder.time_unit)


def refuse_empty(rows: int) -> None:
    """Raise for a log without rows."""
    if rows == 0:
        raise InputError("the log is empty: it must have at least one row")


def of_rows(
    rows: dict[str, np.ndarray],
    maps: Mapping[str, IdMap],
    time_unit: str | None,
    items: Mapping[str, np.ndarray] | None = None,
) -> Interactions:
    """Return the log of encoded rows in any order; ``rows`` is sorted on the way."""
    history_offsets = sort_rows(rows)
    return Interactions._trusted(
        item=rows["item"],
        item_ids=maps["item"],
        history_offsets=history_offsets,
        user=rows.get("user"),
        user_ids=maps.get("user"),
        session=rows.get("session"),
        session_ids=maps.get("session"),
        time=rows.get("time"),
        time_unit=time_unit,
        value=rows.get("value"),
        context=_contexts(rows),
        context_ids=_contexts(maps),
        items=items,
    )


def _contexts(keyed: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key.removeprefix(CONTEXT): part for key, part in keyed.items() if key.startswith(CONTEXT)
    }


def from_sequences(sequences: Iterable[Any], users: Any | None) -> Interactions:
    """See :meth:`Interactions.from_sequences`."""
    items, lengths = flatten(sequences, "sequences")
    item_ids, item = IdMap.from_ids(items, "items")
    refuse_empty(len(item))
    if users is None:
        user_ids, codes = range_map(len(lengths)), np.arange(len(lengths), dtype=np.int32)
    else:
        user_ids, codes = IdMap.from_ids(users, "users")
        checked.check_lengths({"users": len(codes), "sequences": len(lengths)})
    rows = {"user": np.repeat(codes, lengths), "item": item}
    return of_rows(rows, {"user": user_ids, "item": item_ids}, None)


def from_csr(matrix: Any) -> Interactions:
    """See :meth:`Interactions.from_csr`."""
    from scipy.sparse import csr_array, issparse

    if not issparse(matrix) or matrix.ndim != 2:
        raise InputError(
            f"the matrix must be a two-dimensional SciPy sparse one, got {type(matrix).__name__}"
        )
    cells = csr_array(matrix, copy=True)
    cells.sum_duplicates()
    cells.eliminate_zeros()
    refuse_empty(cells.nnz)
    users, items = cells.shape
    if max(users, items) > 2**31 - 2:
        raise InputError(f"a log holds up to 2**31 - 2 users and items, got shape {cells.shape}")
    value = checked.value_column(cells.data, "the matrix")
    rows = {
        "user": np.repeat(np.arange(users, dtype=np.int32), np.diff(cells.indptr)),
        "item": cells.indices.astype(np.int32, copy=False),
    }
    if not (value == 1).all():
        rows["value"] = value
    return of_rows(rows, {"user": range_map(users), "item": range_map(items)}, None)
