"""Matrices as the kernels want them: rows on 64-byte boundaries, padded with zeros."""

from __future__ import annotations

import math

import numpy as np

ALIGNMENT = 64
FLOATS_PER_LINE = ALIGNMENT // 4


def stride_of(dim: int) -> int:
    """Return the row stride, in floats, of a matrix of ``dim`` columns."""
    return -(-dim // FLOATS_PER_LINE) * FLOATS_PER_LINE


def aligned_empty(shape: tuple[int, ...], dtype: type = np.float32) -> np.ndarray:
    """Return an uninitialized C-contiguous array that starts on a 64-byte boundary."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + ALIGNMENT, dtype=np.uint8)
    # Of all ways to ask for an address the quickest: short calls feel the others.
    offset = -memory.__array_interface__["data"][0] % ALIGNMENT
    return np.ndarray(shape, dtype, memory, offset)


def aligned_zeros(shape: tuple[int, ...]) -> np.ndarray:
    """Return zeros, float32 and C-contiguous, that start on a 64-byte boundary."""
    array = aligned_empty(shape)
    array.fill(0)
    return array


def padded_zeros(rows: int, dim: int) -> np.ndarray:
    """Return a zeroed float32 matrix, shape (rows, stride_of(dim)); show it as ``[:, :dim]``."""
    return aligned_zeros((rows, stride_of(dim)))


def padded_copy(matrix: np.ndarray) -> np.ndarray:
    """Return a float32 copy of ``matrix`` (rows, dim) at the kernels' row stride."""
    padded = aligned_empty((matrix.shape[0], stride_of(matrix.shape[1])))
    padded[:, : matrix.shape[1]] = matrix
    padded[:, matrix.shape[1] :] = 0
    return padded
