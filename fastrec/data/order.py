"""Sorting rows by several columns: stable, and not at all where they are sorted already."""

from __future__ import annotations

import numpy as np

from fastrec.errors import FormatError

STEP = 1 << 20  # rows compared at once: the scratch memory of a check stays small


def is_sorted(keys: list[np.ndarray]) -> bool:
    """Say whether rows ascend by ``keys``, the first of which counts most; one pass."""
    n = len(keys[0])
    for start in range(0, n - 1, STEP):
        stop = min(start + STEP, n - 1)
        in_order: np.ndarray | None = None
        for key in reversed(keys):
            here, following = key[start:stop], key[start + 1 : stop + 1]
            if in_order is None:
                in_order = following >= here
            else:
                in_order = (following > here) | ((following == here) & in_order)
        if in_order is not None and not in_order.all():
            return False
    return True


def sorting_order(keys: list[np.ndarray]) -> np.ndarray | None:
    """Return the row numbers in the order of ``keys``, or None where rows are sorted already.

    Parameters
    ----------
    keys : list of ndarray, shape (n,)
        The first counts most. int32 are codes from 0 on; int64 and floats may be anything
        but NaN.

    Notes
    -----
    Stable: equal rows keep their order. Cost: a counting sort O(n + codes) a column
    of codes, n log n for other columns.
    """
    if is_sorted(keys):
        return None
    order: np.ndarray | None = None
    for key in reversed(keys):
        part = key if order is None else key[order]
        if is_sorted([part]):
            continue
        is_dense = key.dtype == np.int32 and int(part.max()) < 4 * len(part) + 65_536
        step = _counting_order(part) if is_dense else _stable_order(part)
        order = step if order is None else order[step]
    return order


def _counting_order(codes: np.ndarray) -> np.ndarray:
    """Return the stable order of codes of at least 0."""
    from scipy.sparse import csr_array

    # A matrix with one cell a row, in column codes[row]: its columns list the rows in order.
    n = len(codes)
    rows = np.arange(n + 1, dtype=np.int32 if n < 2**31 - 1 else np.int64)
    cells = csr_array((np.empty(n, np.int8), codes, rows), shape=(n, int(codes.max()) + 1))
    return cells.tocsc().indices


def _stable_order(key: np.ndarray) -> np.ndarray:
    """Return the stable order of numbers of any size."""
    n = len(key)
    if key.dtype.kind in "iu":
        low = int(key.min())
        row_bits = max(1, (n - 1).bit_length())
        if (int(key.max()) - low).bit_length() + row_bits <= 63:
            # Number and row in one integer: sorting these is several times faster than argsort.
            packed = ((key.astype(np.int64) - low) << row_bits) | np.arange(n)
            packed.sort()
            packed &= (1 << row_bits) - 1
            return packed
    return np.argsort(key, kind="stable")


def run_offsets(keys: list[np.ndarray]) -> np.ndarray:
    """Return where each run of equal keys begins, and at the end n; int64 of shape (runs + 1,)."""
    n = len(keys[0])
    if n == 0:
        return np.zeros(1, np.int64)
    starts = [np.zeros(1, np.int64)]
    for start in range(0, n - 1, STEP):
        stop = min(start + STEP, n - 1)
        changes = np.zeros(stop - start, np.bool_)
        for key in keys:
            changes |= key[start + 1 : stop + 1] != key[start:stop]
        starts.append(np.flatnonzero(changes) + (start + 1))
    starts.append(np.array([n]))
    return np.concatenate(starts).astype(np.int64, copy=False)


def count_codes(codes: np.ndarray, size: int) -> np.ndarray:
    """Return how often each code from 0 to ``size - 1`` occurs, int64; memory O(size).

    Raises
    ------
    FormatError
        There are other codes: a log that is mapped from a folder has not been looked at before.
    """
    counts = np.zeros(size, np.int64)
    step = max(STEP, size)
    for start in range(0, len(codes), step):
        part = codes[start : start + step]
        if part.min() < 0 or part.max() >= size:
            raise FormatError(
                f"the log is damaged: it holds codes from {part.min()} to {part.max()} where there "
                f"are {size} ids; save it again"
            )
        counts += np.bincount(part, minlength=size)
    return counts
