"""What each item of a history weighs: by its age, and by the value that comes with it."""

from __future__ import annotations

import numpy as np

from fastrec.data import Queries
from fastrec.errors import InputError
from fastrec.runtime import checks


def ages(queries: Queries) -> np.ndarray:
    """Return how many items of its history come after each, int64 beside ``histories.flat``."""
    histories = queries.histories
    places = np.arange(histories.offsets[0], histories.offsets[-1])
    age: np.ndarray = histories.offsets[1:][histories.row_numbers] - 1 - places
    return age


def values(queries: Queries) -> np.ndarray | None:
    """Return the value of each history item, beside ``histories.flat``, or None without values.

    Raises
    ------
    InputError
        One is negative, and so no weight.
    """
    if queries.history_value is None:
        return None
    offsets = queries.histories.offsets
    value = queries.history_value[offsets[0] : offsets[-1]]
    if (value < 0).any():
        raise InputError(
            f"values of history items are weights and must be at least 0, got {float(value.min())}"
        )
    return value


def totals(queries: Queries, weights: np.ndarray) -> np.ndarray:
    """Return the sum of the weights of each history, float64."""
    histories = queries.histories
    return np.bincount(histories.row_numbers, weights=weights, minlength=len(histories))


def decayed_weights(
    queries: Queries, items: int | None, decay: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weight of each history item, ``value * decay ** age``, and each history's sum.

    Parameters
    ----------
    queries : Queries
    items : int or None
        Only so many of the latest items weigh anything; None takes all.
    decay : float
        Weight of an item relative to the one after it, in (0, 1].

    Returns
    -------
    weights : float64 ndarray, beside ``histories.flat``
    totals : float64 ndarray, shape (len(queries),)

    Raises
    ------
    InputError
        A value is negative.
    """
    age, value = ages(queries), values(queries)
    weights = np.power(decay, age, dtype=np.float64)
    if items is not None:
        weights[age >= items] = 0.0
    if value is not None:
        weights *= value
    return weights, totals(queries, weights)


def check_history_params(items: int | None, decay: float) -> None:
    """Raise for ``history_items`` or ``history_decay`` out of range."""
    if items is not None:
        checks.whole_number("history_items", items)
    if checks.real_number("history_decay", decay, 0, 1) == 0:
        raise InputError("history_decay must be above 0; history_items=1 asks for the last item")
