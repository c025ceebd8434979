"""The top-k of scores that were computed elsewhere."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from fastrec.errors import InputError
from fastrec.runtime import isa
from fastrec.runtime.checks import as_array, whole_number
from fastrec.runtime.threads import resolve_threads, run_ranges
from fastrec.search.arguments import float_rows, row_lists
from fastrec.search.result import TopK

SCORES_AT_ONCE = 1 << 20


def select(
    scores: Any, k: int, *, exclude: Any = None, allow: Any = None, threads: int | None = None
) -> TopK:
    """Return the ``k`` best columns of each row of ``scores``.

    Parameters
    ----------
    scores : ndarray of float32, shape (n_queries, n_items)
        Used in place where its rows are contiguous. Float16 and whole numbers of up to 16
        bits, which float32 holds exactly, are converted. Anything wider is refused:
        rounding it would tie scores that differ. ``-inf`` is never an answer.
    k : int
        Answers a query, at least 1. May be larger than ``n_items``: the result is ``k`` wide
        all the same, the work is that of ``n_items`` answers.
    exclude, allow : None, 1-D array_like of int, or Ragged
        As in :meth:`fastrec.search.TopKIndex.search`.
    threads : int or None
        Threads to use, the caller's included; the answer does not depend on them.

    Returns
    -------
    TopK
        Columns, scores and counts, best first; equal scores are ordered by the smaller column.

    Raises
    ------
    InputError
        Wrong shape or dtype, a NaN among the scores that could be answers, or a ``k`` so
        large that the result has no room, or has more than 2**25 places behind the last column.

    Notes
    -----
    The cost is one pass over the scores, and no copy of them. Thread-safe.
    """
    k = whole_number("k", k, maximum=2**31 - 1)
    used_threads = resolve_threads(threads)
    kernel = isa.load("topk", at=isa.level())
    matrix = _narrow_rows(scores)
    n_queries, n_items = matrix.shape
    excluded = row_lists("exclude", exclude, n_items, n_queries, kernel, used_threads)
    allowed = row_lists("allow", allow, n_items, n_queries, kernel, used_threads)
    found = TopK.empty(n_queries, k, n_items)
    if n_queries == 0 or n_items == 0:
        return found
    none = (None, None, None)
    wanted = min(k, n_items)
    broken: list[int] = []
    lock = threading.Lock()

    def answer(start: int, stop: int) -> None:
        row = kernel.select(
            matrix,
            *(allowed.kernel_arguments if allowed else none),
            *(excluded.kernel_arguments if excluded else none),
            wanted,
            np.empty((1, min(n_items, 2 * wanted + 16)), dtype=np.uint64),
            found.items,
            found.scores,
            found.counts,
            start,
            stop,
        )
        if row >= 0:
            with lock:
                broken.append(row)

    run_ranges(answer, n_queries, max(1, SCORES_AT_ONCE // n_items), used_threads)
    if broken:
        raise InputError(
            f"scores must not be NaN, got one in row {min(broken)}; -inf marks what is no answer"
        )
    return found


def _narrow_rows(scores: Any) -> np.ndarray:
    """Return scores as float32 rows, if that loses nothing of them."""
    array = as_array("scores", scores, "a matrix of numbers")
    if array.dtype.kind in "fiu" and not np.can_cast(array.dtype, np.float32):
        raise InputError(
            f"scores must be float32, got {array.dtype}, which has to be rounded: give "
            "scores.astype(numpy.float32) where scores that are then equal may count as equal"
        )
    return float_rows("scores", array)
