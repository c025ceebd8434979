"""Lists of lists of ids, in any of their forms, laid out flat."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

import numpy as np

from fastrec.data.id_columns import unmasked
from fastrec.data.ragged import Ragged
from fastrec.errors import InputError
from fastrec.runtime import checks


def flatten(sequences: Iterable[Any], name: str) -> tuple[Any, np.ndarray]:
    """Return the ids of all sequences one after the other, and the length of each, int64.

    Parameters
    ----------
    sequences : iterable of lists, tuples or arrays of ids; or an Arrow list column,
        a matrix of ids padded with -1, or a :class:`Ragged`
    name : str
        What the sequences are, for messages.

    Returns
    -------
    ids : list, ndarray or Arrow array, shape (total,)
        Not checked yet.
    lengths : ndarray of int64, shape (number of sequences,)

    Raises
    ------
    InputError
        What is given, or one of its members, is no sequence.
    """
    if isinstance(sequences, Ragged):
        return sequences.flat, sequences.lengths
    if isinstance(sequences, np.ndarray) and sequences.ndim == 2:
        return sequences.ravel(), np.full(len(sequences), sequences.shape[1], np.int64)
    if hasattr(sequences, "__arrow_c_array__") or hasattr(sequences, "__arrow_c_stream__"):
        flat = _of_arrow(sequences, name)
        if flat is not None:
            return flat
    return _of_rows(checks.listed(name, unmasked(sequences), "a list of lists of ids"), name)


def _of_rows(rows: list[Any], name: str) -> tuple[Any, np.ndarray]:
    for row, sequence in enumerate(rows):
        if isinstance(sequence, (list, tuple)):
            continue
        if isinstance(sequence, np.ndarray) and sequence.ndim == 1:
            rows[row] = unmasked(sequence)
            continue
        if isinstance(sequence, (str, bytes)) or not hasattr(sequence, "__len__"):
            raise InputError(
                f"{name} must be a list of lists of ids, got {sequence!r} as number {row}; "
                "a single one is given as [[...]]"
            )
        rows[row] = checks.listed(f"number {row} of {name}", sequence, "a list of ids")
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    if rows and all(isinstance(row, np.ndarray) and row.dtype.kind in "iuU" for row in rows):
        return np.concatenate(rows), lengths
    plain = (row.tolist() if isinstance(row, np.ndarray) else row for row in rows)
    return list(chain.from_iterable(plain)), lengths


def _of_arrow(sequences: Any, name: str) -> tuple[Any, np.ndarray] | None:
    """Flatten an Arrow list column without Python objects; None where pyarrow is missing."""
    try:
        import pyarrow as pa
        import pyarrow.compute as pc
    except ImportError:
        return None
    if not isinstance(sequences, (pa.Array, pa.ChunkedArray)):
        make = pa.chunked_array if hasattr(sequences, "__arrow_c_stream__") else pa.array
        try:
            sequences = make(sequences)
        except pa.ArrowException:  # a column of objects that Arrow has no type for
            return None
    kind = str(sequences.type)
    if not kind.startswith(("list", "large_list", "fixed_size_list")):
        raise InputError(f"{name} must be a column of lists, got a column of {kind}")
    if sequences.null_count:
        row = int(np.flatnonzero(np.asarray(sequences.is_null()))[0])
        raise InputError(f"{name} must not be missing, got none in row {row}; use empty lists")
    lengths = np.asarray(pc.list_value_length(sequences)).astype(np.int64)
    return pc.list_flatten(sequences), lengths


def is_nested(column: Any) -> bool:
    """Say whether a column holds a list of ids a row, rather than one id."""
    if isinstance(column, Ragged) or (isinstance(column, np.ndarray) and column.ndim == 2):
        return True
    if hasattr(column, "type") and hasattr(column, "null_count"):  # an Arrow array
        return str(column.type).startswith(("list", "large_list", "fixed_size_list"))
    try:
        values = iter(column)
    except TypeError:
        return False
    if values is column or isinstance(column, (str, bytes)):  # looking would use an iterator up
        return False
    first = next((value for value in values if value is not None), None)
    return hasattr(first, "__len__") and not isinstance(first, (str, bytes))
