"""Numba kernels for the CPU, one file per algorithm: serial over ranges, without the GIL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function`` as a kernel, compiled at its first call and kept on disk afterwards.

    Where no folder can be written to, it is compiled once a process.
    """
    from numba import njit

    try:
        kernel: Callable[..., Any] = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # Numba finds no place for its files
        kernel = njit(nogil=True)(function)
    return kernel
