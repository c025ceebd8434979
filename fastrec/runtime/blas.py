"""Hold BLAS to one thread while our own threads are at work.

Most libraries have one limit for the whole process, which is set when the first caller
enters and lifted when the last one leaves. OpenMP counts for each thread by itself, so where
a BLAS stands on it, every caller limits its own thread: who hands work to other threads enters
before that, and these enter where they multiply. To look for libraries costs a quarter of a
millisecond, and only the first caller does.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import threadpoolctl

_lock = threading.Lock()
_holders = 0
_limits: threadpoolctl.threadpool_limits | None = None
_openmp: threadpoolctl.ThreadpoolController | None = None  # where a BLAS stands on it


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Keep BLAS at one thread for the time of the ``with`` block; callers may overlap and nest.

    Only libraries that are loaded already are limited: import what you call before the block.
    """
    global _holders, _limits, _openmp
    with _lock:
        if _holders == 0:
            _let_any_thread_set_limits()
            shared, _openmp = _libraries()
            _limits = shared.limit(limits=1)
        _holders += 1
    try:
        with nullcontext() if _openmp is None else _openmp.limit(limits=1):
            yield
    finally:
        with _lock:
            _holders -= 1
            if _holders == 0 and _limits is not None:
                _let_any_thread_set_limits()
                _limits.restore_original_limits()
                _limits = None
                _let_any_thread_set_limits()


def _libraries() -> tuple[
    threadpoolctl.ThreadpoolController, threadpoolctl.ThreadpoolController | None
]:
    """Return each BLAS with a limit of its own, and OpenMP if another BLAS takes that one's."""
    loaded = threadpoolctl.ThreadpoolController()
    on_openmp = [
        library["filepath"]
        for library in loaded.info()
        if library["internal_api"] == "openblas" and library["threading_layer"] == "openmp"
    ]
    shared = [
        library["filepath"]
        for library in loaded.info()
        if library["user_api"] == "blas" and library["filepath"] not in on_openmp
    ]
    openmp = loaded.select(user_api="openmp") if on_openmp else None
    return loaded.select(filepath=shared), openmp


def _let_any_thread_set_limits() -> None:
    """Undo that threadpoolctl 3.8 and later ignores all threads but the first that set a limit.

    Our first and our last caller may be different threads, and so may the next library's.
    """
    controller = getattr(threadpoolctl, "OpenBLASController", None)
    clear = getattr(controller, "clear_controlling_thread", None)
    if clear is not None:
        clear(force=True)


def _renew_lock() -> None:
    """Give a forked child a lock of its own: a thread that it does not have may hold the old one.

    Limits that were in force stay so, since nobody is left to lift them.
    """
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
