"""The arguments of a search, checked once: matrices in place, and lists of rows."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from fastrec.data.ragged import Ragged
from fastrec.errors import InputError
from fastrec.runtime.checks import as_array
from fastrec.runtime.threads import run_ranges

INFINITY_BITS = 0x7F800000
LISTS_AT_ONCE = 4096
# A list for all queries that is longer than this is taken out of the answers once, instead of being
# written behind the own list of every query.
LONG_LIST = 512
BYTES_AT_ONCE = 1 << 24


def float_rows(name: str, value: Any, columns: int | None = None) -> np.ndarray:
    """Return ``value`` as a float32 matrix whose rows are contiguous, in place where it is one.

    A view such as ``padded[:, :dim]`` and a memory map stay where they are. Numbers are not
    looked at; see :func:`largest_magnitude`.
    """
    array = as_array(name, value, "a matrix of numbers")
    if array.ndim != 2:
        raise InputError(
            f"{name} must be a matrix of shape (rows, columns), got {array.ndim} dimension(s); "
            "a single row is given as [row]"
        )
    if array.dtype.kind not in "fiu":
        raise InputError(f"{name} must hold real numbers, got dtype {array.dtype}")
    if columns is not None and array.shape[1] != columns:
        raise InputError(f"{name} must have {columns} columns, got shape {array.shape}")
    if array.dtype == np.float32 and array.dtype.isnative and _has_plain_rows(array):
        return array
    with np.errstate(over="ignore"):  # what overflows is infinite, and is found as that
        return np.ascontiguousarray(array, dtype=np.float32)


def _has_plain_rows(array: np.ndarray) -> bool:
    row, column = array.strides
    return (
        array.flags.aligned
        and (array.shape[1] <= 1 or column == 4)
        and (array.shape[0] <= 1 or (row % 4 == 0 and row >= 4 * array.shape[1]))
    )


def largest_magnitude(name: str, matrix: np.ndarray, kernel: ModuleType, threads: int) -> float:
    """Return the largest magnitude of a finite float32 matrix; the cost is reading it once.

    Raises
    ------
    InputError
        There is a NaN or an infinity; the message names its row.
    """
    found: list[tuple[int, int]] = []
    lock = threading.Lock()

    def look(start: int, stop: int) -> None:
        bits = kernel.largest_bits(matrix, start, stop)
        with lock:
            found.append((bits, start))

    grain = max(1, BYTES_AT_ONCE // (4 * max(1, matrix.shape[1])))
    run_ranges(look, len(matrix), grain, threads)
    broken = [start for bits, start in found if bits >= INFINITY_BITS]
    if broken:
        start = min(broken)
        is_finite = np.isfinite(matrix[start : start + grain]).all(axis=1)
        raise InputError(
            f"{name} must be finite in float32, got NaN or infinity in row "
            f"{start + int(np.argmin(is_finite))}"
        )
    largest = max((bits for bits, _ in found), default=0)
    return float(np.uint32(largest).view(np.float32))


@dataclass(frozen=True)
class RowLists:
    """Ascending lists of rows: one for each query, or a single one for all.

    List q is ``rows[begins[q]:ends[q]]``; there is one entry where the list is for all.
    """

    rows: np.ndarray
    begins: np.ndarray
    ends: np.ndarray
    is_shared: bool

    def slice(self, start: int, stop: int) -> RowLists:
        """Return the lists of queries ``[start, stop)``, as views."""
        if self.is_shared:
            return self
        return RowLists(self.rows, self.begins[start:stop], self.ends[start:stop], False)

    @property
    def kernel_arguments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The three arrays, as the kernels take them."""
        return self.rows, self.begins, self.ends


def row_lists(
    name: str, value: Any, n_rows: int, n_queries: int, kernel: ModuleType, threads: int
) -> RowLists | None:
    """Return ``exclude`` or ``allow`` as sorted lists; None stays None.

    Parameters
    ----------
    name : str
        The argument as the user knows it.
    value : None, array_like of int (one list for all queries) or Ragged (one list a query)
        Row numbers; -1 is padding. Copied, never changed.
    n_rows, n_queries : int
        Rows there are, queries there are.
    kernel : module
        The compiled ``topk``.
    threads : int
        Threads for sorting.
    """
    if value is None:
        return None
    if isinstance(value, Ragged):
        return _list_per_query(name, value, n_rows, n_queries, kernel, threads)
    rows = item_rows(name, value, n_rows)
    rows = np.unique(rows[rows >= 0])
    ends = np.array([len(rows)], dtype=np.int64)
    return RowLists(rows, np.zeros(1, dtype=np.int64), ends, True)


def _list_per_query(
    name: str, ragged: Ragged, n_rows: int, n_queries: int, kernel: ModuleType, threads: int
) -> RowLists:
    offsets = np.ascontiguousarray(ragged.offsets, dtype=np.int64)
    if len(offsets) != n_queries + 1:
        raise InputError(
            f"{name} must have one list for each of the {n_queries} queries, got "
            f"{len(offsets) - 1} lists; one list for all queries is given as a 1-D array"
        )
    values = np.asarray(ragged.values)[offsets[0] : offsets[-1]]
    rows = np.array(item_rows(name, values, n_rows))
    begins = offsets - offsets[0]
    ends = np.empty(n_queries, dtype=np.int64)
    run_ranges(
        lambda start, stop: kernel.sort_lists(rows, begins, ends, start, stop),
        n_queries if len(rows) else 0,
        LISTS_AT_ONCE,
        threads,
    )
    if not len(rows):
        ends[:] = 0
    return RowLists(rows, begins[:-1], ends, False)


def added_numbers(added: Any, allow: Any, n_rows: int) -> np.ndarray:
    """Return float32 numbers beside the rows of one ascending list a query.

    Raises
    ------
    InputError
        Lists that are not one a query, ascending and without repeats, another number of
        numbers than of rows, or NaN and infinity.
    """
    if not isinstance(allow, Ragged):
        raise InputError("added goes with allow as a Ragged of one list for each query")
    numbers, flat = as_array("added", added), item_rows("allow", allow.flat, n_rows)
    if numbers.shape != flat.shape:
        raise InputError(
            f"added must have one number for each of the {len(flat)} rows of allow, got shape "
            f"{numbers.shape}"
        )
    column = float_rows("added", numbers.reshape(-1, 1))[:, 0]
    if not np.isfinite(column).all():
        raise InputError("added must be finite in float32, got NaN or infinity")
    rises = flat[1:] > flat[:-1]
    begins = allow.offsets[1:-1] - allow.offsets[0]
    rises[begins[(begins > 0) & (begins < len(flat))] - 1] = True
    if not rises.all() or (len(flat) and flat.min() < 0):
        raise InputError(
            "with added the rows of each list of allow must be ascending and different, without "
            "padding"
        )
    return np.ascontiguousarray(column)


def without_long_list(
    exclude: np.ndarray | Ragged | None, allow: np.ndarray | Ragged | None, n_rows: int
) -> tuple[np.ndarray | Ragged | None, np.ndarray | Ragged | None]:
    """Return ``exclude`` and ``allow`` that mean the same, with no long list for all to exclude.

    Parameters
    ----------
    exclude, allow : int32 ndarray of row numbers, Ragged of one list a query, or None
        Without padding. A list for all of more than ``LONG_LIST`` rows becomes the rows that it
        leaves.
    n_rows : int
        Rows there are.
    """
    if exclude is None or isinstance(exclude, Ragged) or len(exclude) <= LONG_LIST:
        return exclude, allow
    stays = np.ones(n_rows, dtype=bool)
    stays[exclude] = False
    if allow is None:
        return None, np.flatnonzero(stays).astype(np.int32)
    if isinstance(allow, Ragged):
        return None, allow.where(stays[allow.flat])
    return None, allow[stays[allow]]


def item_rows(name: str, value: Any, n_rows: int) -> np.ndarray:
    """Return row numbers as int32, all from -1 (padding) to ``n_rows - 1``."""
    array = as_array(name, value, "a 1-D array of rows for all queries, or a Ragged")
    if array.ndim != 1:
        raise InputError(
            f"{name} must be a 1-D array of rows for all queries, or a Ragged with one list for "
            f"each query, got {type(value).__name__}"
        )
    if array.size == 0:
        return np.empty(0, dtype=np.int32)
    if array.dtype.kind not in "iu":
        raise InputError(f"{name} must hold whole numbers, got dtype {array.dtype}")
    low, high = int(array.min()), int(array.max())
    if low < -1 or high >= n_rows:
        raise InputError(
            f"{name} must hold rows from 0 to {n_rows - 1} (-1 is padding), got "
            f"{low if low < -1 else high}"
        )
    return np.ascontiguousarray(array, dtype=np.int32)
