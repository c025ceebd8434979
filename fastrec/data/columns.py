"""Checks of one column: numbers, times and values as users hand them in, in the dtypes of a log.

Nothing is guessed and nothing is dropped: what is missing, not finite or of the
wrong type is an error that names the column and the first row.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from typing import Any

import numpy as np

from fastrec.errors import InputError
from fastrec.runtime import checks

TIME_UNITS = ("s", "ms", "us", "ns")
PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
EXACT_IN_FLOAT32 = 2**24


def pick(name: str, available: Iterable[str], role: str, where: str) -> str:
    """Return ``name`` if it is among the ``available`` columns of ``where``.

    Raises
    ------
    InputError
        It is not; the message lists what there is and suggests the closest.
    """
    columns = list(available)
    if not isinstance(name, str):
        raise InputError(f"{role} must be the name of a column, got {name!r}")
    if columns.count(name) > 1:
        raise InputError(f"{where} has {columns.count(name)} columns {name!r}; rename all but one")
    if name in columns:
        return name
    raise InputError(
        f"{where} has no column {name!r}, given as {role}; it has "
        f"{', '.join(map(repr, columns)) or 'none'}{checks.did_you_mean(name, columns)}"
    )


def plain_array(values: Any, name: str) -> np.ndarray:
    """Return a column as a one-dimensional NumPy array without missing values.

    Parameters
    ----------
    values : list, ndarray, Arrow array, Series, shape (n,)
        Numbers or times.
    name : str
        The column, for messages.

    Raises
    ------
    InputError
        Nulls, nested values or more than one dimension.
    """
    if not isinstance(values, np.ndarray):
        values = _from_arrow(values, name)
    place = checks.masked_place(values)
    if place is not None:
        refuse_missing(name, place)
    array = checks.as_array(name, values, "one flat column")
    if array.ndim != 1:
        raise InputError(f"{name} must be one-dimensional, got shape {array.shape}")
    if array.dtype == object:
        array = _of_objects(array, name)
    return array


def _from_arrow(values: Any, name: str) -> Any:
    """Turn what speaks the Arrow interface into NumPy's form; leave anything else as it is."""
    if not (hasattr(values, "__arrow_c_array__") or hasattr(values, "__arrow_c_stream__")):
        return values
    try:
        import pyarrow as pa
    except ImportError:
        return values
    if not isinstance(values, (pa.Array, pa.ChunkedArray)):
        make = pa.chunked_array if hasattr(values, "__arrow_c_stream__") else pa.array
        try:
            values = make(values)
        except pa.ArrowException:  # a column of objects that Arrow has no type for
            return values
    if values.null_count:
        row = int(np.flatnonzero(values.is_null().to_numpy(**_copy(values)))[0])
        refuse_missing(name, row)
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_date(values.type):
        values = values.cast(pa.timestamp("s"))
    if pa.types.is_decimal(values.type):
        values = values.cast(pa.float64())
    return values.to_numpy(**_copy(values))


def _copy(values: Any) -> dict[str, bool]:
    """Return the argument that lets an Arrow array, unlike a chunked one, copy."""
    return {} if hasattr(values, "chunks") else {"zero_copy_only": False}


def _of_objects(array: np.ndarray, name: str) -> np.ndarray:
    """Give an array of Python objects the dtype of its values."""
    for row, value in enumerate(array):
        if is_missing(value):
            refuse_missing(name, row)
    if len(array) and hasattr(array[0], "utcoffset") and hasattr(array[0], "timestamp"):
        return _of_datetimes(array, name)
    if len(array) and isinstance(array[0], (list, tuple, dict, set, np.ndarray)):
        raise InputError(f"{name} must be one flat column, got {array[0]!r} in row 0")
    tight = np.asarray(array.tolist())
    if tight.dtype == object or tight.ndim != 1:
        raise InputError(f"{name} must hold numbers or times, got {array[0]!r} in row 0")
    return tight


def is_missing(value: Any) -> bool:
    """Say whether a Python object stands for a missing value: None, NaN, NaT, pandas.NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and bool(value != value)


def _of_datetimes(array: np.ndarray, name: str) -> np.ndarray:
    """Turn datetime objects into datetime64 of microseconds, UTC where they have a time zone."""
    from datetime import datetime

    plain = []
    for row, value in enumerate(array):
        if not isinstance(value, datetime):
            raise InputError(f"{name} must hold times only, got {value!r} in row {row}")
        plain.append(value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value)
    return np.array(plain, "datetime64[us]")


def refuse_missing(name: str, row: int) -> None:
    """Raise for a missing value."""
    raise InputError(f"{name} must not be missing, got none in row {row}; drop or fill such rows")


def time_column(values: Any, unit: str | None, name: str) -> tuple[np.ndarray, str]:
    """Return times as int64 and their unit.

    Parameters
    ----------
    values : list, ndarray, Arrow array, Series, shape (n,)
        Whole numbers since any fixed moment, or datetimes, which keep their own
        unit (coarser ones become seconds, finer ones are refused).
    unit : {"s", "ms", "us", "ns"} or None
        The unit of whole numbers; None means seconds.
    name : str
        The column, for messages.

    Raises
    ------
    InputError
        Neither, missing values, or datetimes whose unit is not the one given.
    """
    array = plain_array(values, name)
    if unit is not None:
        checks.one_of("time_unit", unit, TIME_UNITS)
    if array.dtype.kind == "M":
        return _of_datetime64(array, unit, name)
    if len(array) == 0:
        return np.empty(0, np.int64), unit or "s"
    if array.dtype.kind not in "iu":
        raise InputError(
            f"{name} must hold whole numbers or datetimes, got dtype {array.dtype}; use "
            ".astype('int64') for whole numbers, numpy.array(column, 'datetime64[s]') for texts"
        )
    if array.dtype == np.uint64 and array.max() > 2**63 - 1:
        raise InputError(f"{name} must be at most 2**63 - 1, got {array.max()}")
    return array.astype(np.int64), unit or "s"


def _of_datetime64(array: np.ndarray, unit: str | None, name: str) -> tuple[np.ndarray, str]:
    missing = np.isnat(array)
    if missing.any():
        refuse_missing(name, int(missing.argmax()))
    own, step = np.datetime_data(array.dtype)
    if own not in TIME_UNITS or step != 1:
        if own not in ("Y", "M", "W", "D", "h", "m"):
            raise InputError(
                f"{name} must be in {', '.join(TIME_UNITS)}, got {array.dtype}; use "
                ".astype('datetime64[ns]')"
            )
        array, own = array.astype("datetime64[s]"), "s"
    if unit is not None and unit != own:
        raise InputError(
            f"{name} holds datetimes in {own!r}, but time_unit is {unit!r}; leave time_unit out"
        )
    return array.astype(np.int64), own


def value_column(values: Any, name: str) -> np.ndarray:
    """Return numbers as finite float32.

    Raises
    ------
    InputError
        Not numbers, missing, NaN, or infinite in float32.
    """
    array = plain_array(values, name)
    if len(array) and array.dtype.kind not in "iuf":
        raise InputError(f"{name} must hold numbers, got dtype {array.dtype}")
    with np.errstate(over="ignore"):
        narrow = array.astype(np.float32)
    finite = np.isfinite(narrow)
    if not finite.all():
        row = int(np.argmin(finite))
        raise InputError(
            f"{name} must be finite in float32, got {array[row]} in row {row}; drop or fill it"
        )
    return narrow


def context_numbers(values: Any, name: str) -> np.ndarray:
    """Return a context column of numbers as float32; whole numbers must fit without a loss."""
    array = plain_array(values, name)
    if array.dtype.kind == "b":
        return array.astype(np.float32)
    if array.dtype.kind in "iu" and len(array):
        low, high = int(array.min()), int(array.max())
        if max(-low, high) > EXACT_IN_FLOAT32:
            raise InputError(
                f"{name} holds whole numbers up to {max(-low, high)}, which float32 cannot keep "
                "apart; name it in categories=[...] if they are codes, or scale them"
            )
    return value_column(array, name)


def is_text(values: Any) -> bool:
    """Say whether a column holds strings, whatever it is made of."""
    kind = getattr(getattr(values, "dtype", None), "kind", None)
    if isinstance(values, np.ndarray) and (kind != "O" or values.ndim != 1):
        return kind in ("U", "T") and values.ndim == 1
    if hasattr(values, "type"):  # an Arrow array
        name = str(values.type)
        return "string" in name
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        return False
    return isinstance(next((value for value in values if value is not None), None), str)


def check_lengths(columns: dict[str, int]) -> int:
    """Return the common length of the named columns.

    Raises
    ------
    InputError
        They differ.
    """
    if len(set(columns.values())) > 1:
        raise InputError(
            "columns must have one value a row each, got "
            + ", ".join(f"{name}: {length}" for name, length in columns.items())
        )
    return next(iter(columns.values()))
