"""Argument checks for the public edge; what is inside trusts its inputs.

Every function takes the argument's name as its user wrote it, returns the value
in the form that the kernels need, and raises :class:`~fastrec.errors.InputError`
with what was got, what was expected and how to fix it.
"""

from __future__ import annotations

import math
import operator
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, TypeVar, cast

import numpy as np

from fastrec.errors import InputError

Kind = TypeVar("Kind")


def whole_number(name: str, value: Any, minimum: int = 1, maximum: int | None = None) -> int:
    """Return ``value`` as an int within ``[minimum, maximum]``; booleans and floats are refused."""
    if type(value) is int and minimum <= value and (maximum is None or value <= maximum):
        return value  # nearly always, and short calls feel what follows
    span = f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
    if isinstance(value, (bool, np.bool_)):
        raise InputError(f"{name} must be a whole number {span}, got {value!r}")
    try:
        if isinstance(value, np.ndarray):
            raise TypeError  # one of shape () would pass, and keep the width of its dtype
        number = operator.index(value)
    except TypeError:
        raise InputError(
            f"{name} must be a whole number {span}, got {value!r} of type {type(value).__name__}"
        ) from None
    if number < minimum or (maximum is not None and number > maximum):
        raise InputError(f"{name} must be a whole number {span}, got {number}")
    return number


def real_number(
    name: str, value: Any, minimum: float = -math.inf, maximum: float = math.inf
) -> float:
    """Return ``value`` as a finite float within ``[minimum, maximum]``.

    Only ints and floats, of Python or NumPy, are numbers: models keep what they are given,
    calculate with it and write it to files, which a fraction or a decimal does not go through.
    """
    is_number = isinstance(value, (int, float, np.integer, np.floating))
    if not is_number or isinstance(value, bool):
        raise InputError(
            f"{name} must be a number, got {value!r} of type {type(value).__name__}; "
            "give an int or a float"
        )
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or not minimum <= number <= maximum:
        raise InputError(f"{name} must be a finite number{_span(minimum, maximum)}, got {value!r}")
    return number


def _span(minimum: float, maximum: float) -> str:
    if minimum == -math.inf and maximum == math.inf:
        return ""
    if maximum == math.inf:
        return f" of at least {minimum:g}"
    if minimum == -math.inf:
        return f" of at most {maximum:g}"
    return f" from {minimum:g} to {maximum:g}"


def text(name: str, value: Any) -> str:
    """Return ``value`` if it is a string."""
    if not isinstance(value, str):
        raise InputError(f"{name} must be a string, got {value!r} of type {type(value).__name__}")
    return value


def instance_of(name: str, value: Any, kind: type[Kind], what: str, advice: str) -> Kind:
    """Return ``value`` if it is a ``kind``, called ``what``; ``advice`` says how to get one."""
    if not isinstance(value, kind):
        raise InputError(f"{name} must be {what}, got {described(value)}; {advice}")
    return value


def mapping(name: str, value: Any, advice: str) -> Mapping[Any, Any]:
    """Return ``value`` if it is a dict or like one; ``advice`` says how to get one."""
    if not isinstance(value, Mapping):
        raise InputError(f"{name} must be a dict, got {described(value)}; {advice}")
    return value


def described(value: Any) -> str:
    """Return what a value is, for messages: of an array dtype and shape, else the type."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    return type(value).__name__


def listed(name: str, value: Any, what: str) -> list[Any]:
    """Return what ``value`` holds as a list; ``what`` says in messages what it must be.

    A string is no list of its letters.
    """
    if masked_place(value) is not None:
        raise InputError(f"{name} must not be missing, got a masked entry; drop or fill it")
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError
        if hasattr(value, "to_pylist"):  # an Arrow array, whose scalars are no Python numbers
            return list(value.to_pylist())
        return list(value)
    except Exception as error:  # the iteration of a stranger may raise anything
        shown = f"{value!r} of type " if np.isscalar(value) else ""
        raise InputError(f"{name} must be {what}, got {shown}{described(value)}") from error


def file_path(path: Any, name: str = "path") -> str:
    """Return ``path`` as a string, or say that it is no path."""
    try:
        place = os.fspath(path)
    except TypeError:
        raise InputError(
            f"{name} must be a string or a pathlib.Path, got {path!r} of type {type(path).__name__}"
        ) from None
    try:
        is_path = isinstance(place, str) and place != "" and "\0" not in place
        os.fsencode(place)
    except UnicodeEncodeError:  # a lone surrogate that stands for no byte
        is_path = False
    if not is_path:
        raise InputError(f"{name} must be a string that is a path and not empty, got {place!r}")
    return cast(str, place)


def row_numbers(name: str, value: Any, n: int, unit: str) -> np.ndarray:
    """Return rows chosen by number or by a mask as int64, in the order in which they are given.

    ``n`` is the number of rows there are, ``unit`` what each of them is.
    """
    rows = as_array(name, value, "a mask or whole numbers")
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "biu"):
        raise InputError(
            f"{name} must be a mask or whole numbers, one-dimensional, got {described(rows)}"
        )
    if rows.dtype.kind == "b":
        if len(rows) != n:
            raise InputError(f"the mask must have one value a {unit}, {n}, got {len(rows)}")
        return np.flatnonzero(rows)
    if rows.size and not 0 <= rows.min() <= rows.max() < n:
        raise InputError(f"{name} must be from 0 to {n - 1}, got {rows.min()} to {rows.max()}")
    return rows.astype(np.int64)


def masked_place(value: Any) -> int | None:
    """Return the first entry, counted flat, that a NumPy masked array hides; None without any.

    A list of what such an array holds has the constant ``numpy.ma.masked`` there.
    """
    # Who has made a masked array has loaded their module.
    if type(value) is np.ndarray or "numpy.ma" not in sys.modules:
        return None
    if isinstance(value, (list, tuple)):
        is_hidden = map(operator.is_, value, repeat(np.ma.masked))
        return next((place for place, hidden in enumerate(is_hidden) if hidden), None)
    if not isinstance(value, np.ma.MaskedArray):
        return None
    if value.dtype.names:  # records have a mask for each field; no column is made of them
        return None
    hidden = np.flatnonzero(np.ma.getmaskarray(value))
    return int(hidden[0]) if len(hidden) else None


def as_array(name: str, value: Any, what: str = "an array of numbers") -> np.ndarray:
    """Return ``value`` as a plain array, of whatever dtype NumPy gives it.

    ``what`` says in messages what it must be.

    Raises
    ------
    InputError
        Rows of different lengths, what NumPy takes for no array at all, or a masked entry:
        it is missing, and NumPy would show what lies beneath.
    """
    place = masked_place(value)
    if place is not None:
        raise InputError(
            f"{name} must not be missing, got a masked entry (number {place}); drop or fill it"
        )
    try:
        return np.asarray(value)
    except Exception as error:  # __array__ of a stranger may raise anything
        raise InputError(
            f"{name} must be {what}, got {type(value).__name__} that NumPy makes no array of; "
            "are there rows of different lengths?"
        ) from error


def closest(name: str, options: Iterable[str]) -> str | None:
    """Return the option that ``name``, in whatever case, is most likely meant to be, if any."""
    import difflib  # needed by nobody who makes no mistake

    lowered = {option.lower(): option for option in options if isinstance(option, str)}
    found = difflib.get_close_matches(name.lower(), lowered, n=1)
    return lowered[found[0]] if found else None


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: ``; did you mean 'dim'?``, or nothing."""
    found = closest(name, options)
    return f"; did you mean {found!r}?" if found else ""


def one_of(name: str, value: Any, options: Sequence[str]) -> str:
    """Return ``value`` if it is one of the strings ``options``."""
    if not isinstance(value, str) or value not in options:
        raise InputError(f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}")
    return value


def flag(name: str, value: Any) -> bool:
    """Return ``value`` if it is a boolean; 0/1 codes are refused."""
    if not isinstance(value, (bool, np.bool_)):
        raise InputError(f"{name} must be True or False, got {value!r}")
    return bool(value)
