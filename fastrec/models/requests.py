"""The rows of ids and weights that callers hand to ``recommend``, checked and flattened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrec.data import Ragged
from fastrec.data.id_columns import unmasked
from fastrec.errors import InputError
from fastrec.runtime import checks


def is_row(value: Any) -> bool:
    """Say whether ``value`` is a list of ids rather than one id."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return not isinstance(value, (str, bytes)) and hasattr(value, "__len__")


def rows_of_ids(name: str, rows: Any, kind: str = "ids") -> Any:
    """Check that ``rows`` is a sequence of sequences, and not one flat history."""
    if isinstance(rows, Ragged):
        return [rows[i] for i in range(len(rows))]
    what = f"a sequence of sequences of {kind}"
    if isinstance(rows, np.ndarray) and rows.ndim == 2:
        return unmasked(rows)
    if isinstance(rows, (str, bytes)) or not hasattr(rows, "__iter__"):
        raise InputError(
            f"{name} must be {what}, got {rows!r}; a single history is given as [history]"
        )
    given = checks.listed(name, unmasked(rows), what)
    for place, row in enumerate(given):
        if not is_row(row):
            raise InputError(
                f"{name} must be {what}, got the single {row!r}; a single history is given as "
                "[history]"
            )
        if isinstance(row, np.ndarray):
            given[place] = unmasked(row)
        elif not isinstance(row, (list, tuple)):
            given[place] = checks.listed(f"number {place} of {name}", row, f"a sequence of {kind}")
    return given


def concatenate(rows: Sequence[Sequence[Any]]) -> Any:
    """Return the ids of all rows one after the other, as a list or an array."""
    if isinstance(rows, np.ndarray) and rows.ndim == 2:
        return rows.ravel()
    if len(rows) and all(isinstance(row, np.ndarray) for row in rows):
        return np.concatenate(rows)
    return [item for row in rows for item in row]


def flat_weights(weights: Any, lengths: np.ndarray) -> np.ndarray:
    """Return the weights of all history items, float32, after checking them.

    Raises
    ------
    InputError
        A shape other than that of the histories, or a weight that is negative or no number.
    """
    rows = rows_of_ids("weights", weights, "numbers")
    if [len(row) for row in rows] != lengths.tolist():
        raise InputError("weights must have the shape of histories: one number for each item")
    given = checks.as_array("weights", concatenate(rows))
    if given.ndim != 1 or (given.size and given.dtype.kind not in "fiub"):
        raise InputError(
            f"weights must be numbers, one for each item, got {checks.described(given)}"
        )
    with np.errstate(over="ignore"):  # what overflows is infinite, and is refused as that
        flat = given.astype(np.float32)
    if not np.isfinite(flat).all() or (flat < 0).any():
        raise InputError(
            "weights must be finite and at least 0, got a negative, NaN or infinite one"
        )
    return flat
