"""Matrices that rows are looked up in: of float32, or rounded to bfloat16, half as much to read."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrec.errors import InputError
from fastrec.runtime import checks, isa
from fastrec.runtime.arrays import aligned_empty, stride_of
from fastrec.runtime.threads import run_ranges

ROWS_AT_ONCE = 1 << 10  # rounded by a thread at a time


class BFloat16Rows:
    """A copy of a matrix whose numbers are rounded to bfloat16: 8 binary digits, all of the range.

    Lookups read it in place of the matrix and give float32. It is half as long as a matrix whose
    rows are padded alike. Numbers beyond 3.39e38 become infinite.

    Parameters
    ----------
    matrix : ndarray of float32, shape (rows, dim)
    threads : int or None
        See :func:`fastrec.runtime.threads.resolve_threads`.

    Attributes
    ----------
    shape : tuple of int
        (rows, dim).
    numbers : ndarray of uint16, shape (rows, dim and zeros to the next multiple of 16)
        The upper half of each float32, rounded to the nearest, to the even one of two as near.

    Raises
    ------
    InputError
        Not such a matrix.

    Examples
    --------
    >>> rows = BFloat16Rows(np.array([[1.0, 1 / 3]], np.float32))
    >>> rows.to_float32().tolist()
    [[1.0, 0.333984375]]
    """

    def __init__(self, matrix: np.ndarray, *, threads: int | None = None) -> None:
        given = as_matrix("matrix", matrix)
        self.shape = given.shape
        self.numbers = aligned_empty((len(given), stride_of(given.shape[1])), np.uint16)
        self.numbers[:, given.shape[1] :] = 0
        round_rows = isa.load("lookup").round_rows

        def task(start: int, stop: int) -> None:
            round_rows(given, self.numbers, start, stop)

        run_ranges(task, len(given), ROWS_AT_ONCE, threads)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """The bytes of ``numbers``."""
        return self.numbers.nbytes

    def to_float32(self) -> np.ndarray:
        """Return the rounded matrix, float32 of shape (rows, dim)."""
        wide = self.numbers[:, : self.shape[1]].astype(np.uint32) << 16
        return wide.view(np.float32)


def as_matrix(name: str, matrix: Any) -> np.ndarray:
    """Return a float32 matrix whose rows' columns lie side by side, or say what is wrong."""
    is_matrix = isinstance(matrix, np.ndarray) and matrix.dtype == np.float32 and matrix.ndim == 2
    if isinstance(matrix, BFloat16Rows):
        raise InputError(
            f"{name} must be a float32 array of shape (rows, dim), got BFloat16Rows; its "
            "to_float32() makes one"
        )
    if not is_matrix or checks.masked_place(matrix) is not None:
        raise InputError(
            f"{name} must be a float32 array of shape (rows, dim), got {checks.described(matrix)}; "
            "np.asarray(matrix, np.float32) makes one"
        )
    if matrix.size and (matrix.strides[1] != 4 or matrix.strides[0] < 4 * matrix.shape[1]):
        raise InputError(
            f"{name} must hold each row's columns side by side, got strides {matrix.strides}; "
            "np.ascontiguousarray(matrix) makes a copy that does"
        )
    return matrix
