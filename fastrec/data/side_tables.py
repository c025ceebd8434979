"""Side tables: what is known of users and items, one row an id, in the order of the codes."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrec.data import columns as checked
from fastrec.data.id_columns import as_id_column, unmasked
from fastrec.data.ids import IdMap
from fastrec.data.readers import any_table, whole_column
from fastrec.errors import InputError
from fastrec.runtime import checks


def aligned(
    table: Any, id: str, ids: IdMap | None, what: str, missing: str
) -> dict[str, np.ndarray]:
    """Return the columns of ``table`` but the ids, row ``i`` for code ``i``.

    Parameters
    ----------
    table, id, missing
        See :meth:`Interactions.with_users`.
    ids : IdMap or None
        The ids of the log.
    what : {"user", "item"}
        Whose ids these are.
    """
    checks.one_of("missing", missing, ("error", "fill"))
    if ids is None:
        raise InputError(f"the log knows no {what}s, so it can have no table of them")
    opened = any_table(table)
    checked.pick(id, opened.names, "id=", opened.where)
    batches = list(opened.batches(opened.names))
    own = as_id_column(whole_column(batches, id), f"column {id!r}")
    codes = ids.encode_column(own, f"column {id!r}", on_unknown="ignore")
    rows = _row_of_code(codes, len(ids), f"column {id!r}", what, missing)
    columns = {}
    for name in opened.names:
        if name != id:
            column = _plain(whole_column(batches, name), f"column {name!r}")
            checked.check_lengths({id: len(codes), name: len(column)})
            columns[name] = _picked(column, rows)
    return columns


def _row_of_code(codes: np.ndarray, n: int, name: str, what: str, missing: str) -> np.ndarray:
    """Return the row of the table for each code, -1 where it has none."""
    known = np.flatnonzero(codes >= 0)
    if len(known) == 0:
        raise InputError(
            f"not one id of {name} is a {what} of the log; are users and items swapped?"
        )
    counts = np.bincount(codes[known], minlength=n)
    if counts.max() > 1:
        row = int(known[counts[codes[known]] > 1][1])
        raise InputError(f"{name} must hold each id once, got one again in row {row}")
    if missing == "error" and (counts == 0).any():
        raise InputError(
            f"{int((counts == 0).sum())} of {n} {what}s of the log are not in {name}; "
            'add them, or give missing="fill"'
        )
    rows = np.full(n, -1, np.int64)
    rows[codes[known]] = known
    return rows


def _picked(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the values of ``rows``; row -1 gives "" among strings and NaN among numbers."""
    absent = rows < 0
    picked = array[rows]
    if absent.any():
        if array.dtype == object:
            picked[absent] = ""
        elif array.dtype.kind == "M":
            picked[absent] = np.datetime64("NaT")
        else:
            picked = picked.astype(np.float64 if array.dtype.itemsize > 4 else np.float32)
            picked[absent] = np.nan
    return picked


def _plain(values: Any, name: str) -> np.ndarray:
    """Return a column as numbers, times, or an array of str objects; missing strings are ""."""
    values = unmasked(values)
    if not checked.is_text(values):
        array = checked.plain_array(values, name)
        if array.dtype.kind not in "iufbM":
            raise InputError(f"{name} must hold numbers, times or strings, got {array.dtype}")
        return array
    listed = values.to_pylist() if hasattr(values, "to_pylist") else list(values)
    texts = np.empty(len(listed), object)
    texts[:] = ["" if checked.is_missing(value) else str(value) for value in listed]
    return texts
