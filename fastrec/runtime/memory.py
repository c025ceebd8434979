"""Memory that was freed goes back to the system."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any


def give_back() -> None:
    """Return what the C library has freed, but keeps for itself, to the system.

    glibc keeps freed pages below any that is in use: after millions of small strings that
    can be tens of megabytes, which would stand beside a model's matrices from then on. Takes
    milliseconds, and does nothing where the C library is another.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
