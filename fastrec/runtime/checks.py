"""Argument checks for the public edge; what is inside trusts its inputs.

Every function takes the argument's name as its user wrote it, returns the value
in the form that the kernels need, and raises :class:`~fastrec.errors.InputError`
with what was got, what was expected and how to fix it.
"""

from __future__ import annotations

import math
import operator
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
