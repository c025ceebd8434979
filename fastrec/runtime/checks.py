"""Argument checks for the public edge; what is inside trusts its inputs.

Every function takes the argument's name as its user wrote it, returns the value
in the form that the kernels need, and raises :class:`~fastrec.errors.InputError`
with what was got, what was expected and how to fix it.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fastrec.errors import InputError


def whole_number(name: str, value: Any, minimum: int = 1, maximum: int | None = None) -> int:
    """Return ``value`` as an int within ``[minimum, maximum]``; booleans and floats are refused."""
    span = f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
    if isinstance(value, (bool, np.bool_)):
        raise InputError(f"{name} must be a whole number {span}, got {value!r}")
    try:
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
    """Return ``value`` as a finite float within ``[minimum, maximum]``; text is no number."""
    try:
        if isinstance(value, (str, bytes, bool, np.bool_, np.ndarray)):
            raise TypeError  # float() would take them
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(
            f"{name} must be a number, got {value!r} of type {type(value).__name__}"
        ) from None
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


def masked_place(value: Any) -> int | None:
    """Return the first entry, counted flat, that a NumPy masked array hides; None without any."""
    # Who has made a masked array has loaded their module.
    if "numpy.ma" not in sys.modules or not isinstance(value, np.ma.MaskedArray):
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
