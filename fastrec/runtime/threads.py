"""The only place that starts threads: one pool per process for calls, one team per fit.

A short call (recommend, evaluate) cuts its rows into pieces and lets the
process's pool take them one after the other; the caller works along, so a call
never waits for a pool that others keep busy. A fit owns a :class:`Team`, whose
threads are all there before the first step and are kept to the end, so that
two fits at once never wait for each other.

Kernels release the GIL; what runs here between two pieces is a handful of
Python instructions. Ctrl-C reaches the main thread between two pieces, stops
the others at their next piece and is raised to the caller.
"""

from __future__ import annotations

import itertools
import math
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from fastrec.errors import InputError

_pool_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None
_pool_size = 0


def available_cpus() -> int:
    """Return how many CPUs this process may use: affinity mask and cgroup quota respected."""
    has_mask = hasattr(os, "sched_getaffinity")
    cpus = len(os.sched_getaffinity(0)) if has_mask else os.cpu_count() or 1
    quota = _cgroup_quota(Path("/sys/fs/cgroup"))
    return max(1, min(cpus, math.ceil(quota))) if quota else cpus


def _cgroup_quota(root: Path) -> float | None:
    """Return the CPU quota of this process's cgroup (version 2, then 1) in CPUs, or None."""
    try:
        limit, period = (root / "cpu.max").read_text().split()[:2]
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError):
        pass
    try:
        limit_us = int((root / "cpu" / "cpu.cfs_quota_us").read_text())
        period_us = int((root / "cpu" / "cpu.cfs_period_us").read_text())
        return limit_us / period_us if limit_us > 0 and period_us > 0 else None
    except (OSError, ValueError):
        return None


def resolve_threads(threads: int | None = None) -> int:
    """Return the number of threads to use.

    Parameters
    ----------
    threads : int or None
        As the user gave it. None takes the environment variable
        ``FASTREC_THREADS``, or else :func:`available_cpus`.

    Raises
    ------
    InputError
        Not a whole number of at least 1.
    """
    source = "threads"
    value: object = threads
    if threads is None:
        value = os.environ.get("FASTREC_THREADS", "").strip()
        if not value:
            return available_cpus()
        source = "the environment variable FASTREC_THREADS"
        value = int(value) if value.isdigit() else value
    if isinstance(value, bool) or not hasattr(value, "__index__") or int(value) < 1:
        raise InputError(f"{source} must be a whole number of at least 1, got {value!r}")
    return int(value)


def run_ranges(
    task: Callable[[int, int], None], stop: int, grain: int, threads: int | None = None
) -> None:
    """Call ``task(start, stop)`` for pieces that cover ``[0, stop)``, on several threads.

    The pieces depend on ``stop`` and ``grain`` alone, never on ``threads``. The
    caller's thread takes pieces too. The first exception of any thread ends the
    run after the pieces under way and is raised here.

    Parameters
    ----------
    task : callable of (start, stop)
        Called from several threads at once on disjoint ranges.
    stop : int
        Number of rows; nothing is called for 0.
    grain : int
        Rows of a piece, at least 1; the last one may be shorter.
    threads : int or None
        See :func:`resolve_threads`.
    """
    pieces = -(-stop // grain)
    helpers = min(resolve_threads(threads), pieces) - 1
    tickets = itertools.count()
    cancelled = threading.Event()

    def work() -> None:
        try:
            while not cancelled.is_set():
                piece = next(tickets)  # atomic in CPython
                if piece >= pieces:
                    return
                task(piece * grain, min(stop, (piece + 1) * grain))
        except BaseException:
            cancelled.set()
            raise

    futures = _submit(work, helpers)
    try:
        work()
    finally:
        # A helper that has not begun is not needed any more: the caller found no piece left.
        running = [future for future in futures if not future.cancel()]
        errors = [error for error in (future.exception() for future in running) if error]
    if errors:
        raise errors[0]


def _submit(work: Callable[[], None], count: int) -> list[Future[None]]:
    """Hand ``work`` to ``count`` threads of the process's pool, which grows to hold them."""
    global _pool, _pool_size
    if count < 1:
        return []
    with _pool_lock:
        if _pool is None or count > _pool_size:
            if _pool is not None:
                _pool.shutdown(wait=False)
            _pool_size = max(count, available_cpus())
            _pool = ThreadPoolExecutor(_pool_size, thread_name_prefix="fastrec-pool")
        return [_pool.submit(work) for _ in range(count)]


def _forget_pool() -> None:
    """Drop the pool in a forked child, where its threads do not exist."""
    global _pool, _pool_lock, _pool_size
    _pool, _pool_size, _pool_lock = None, 0, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


class Team:
    """The threads that a fit owns from its first step to its last.

    The calling thread is rank 0 and works along, so a team of one starts no
    thread at all. Use it as a context manager.

    Parameters
    ----------
    threads : int
        Number of ranks, at least 1.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._stopping = threading.Event()
        self._outcomes: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._inboxes: list[queue.SimpleQueue[Callable[[int], None] | None]] = []
        self._members: list[threading.Thread] = []
        for rank in range(1, threads):
            inbox: queue.SimpleQueue[Callable[[int], None] | None] = queue.SimpleQueue()
            member = threading.Thread(
                target=self._serve,
                args=(rank, inbox),
                name=f"fastrec-team-{rank}",
                daemon=True,
            )
            self._inboxes.append(inbox)
            self._members.append(member)
            member.start()

    def is_stopping(self) -> bool:
        """Say whether a rank has failed or was interrupted; tasks ask between two kernel calls."""
        return self._stopping.is_set()

    def run(self, task: Callable[[int], None]) -> None:
        """Call ``task(rank)`` on every rank at once and return when all have ended.

        A task returns to Python at least ten times a second and then asks
        :meth:`is_stopping`. The first exception, Ctrl-C included, is raised here
        after every rank has ended; the team can be used again.
        """
        self._stopping.clear()
        for inbox in self._inboxes:
            inbox.put(task)
        errors: list[BaseException] = []
        try:
            task(0)
        except BaseException as error:
            self._stopping.set()
            errors.append(error)
        for _ in self._members:
            outcome = self._await_outcome(errors)
            if outcome is not None:
                errors.append(outcome)
        if errors:
            raise errors[0]

    def _await_outcome(self, errors: list[BaseException]) -> BaseException | None:
        """Wait for one rank to end; a Ctrl-C meanwhile stops the others, and they are awaited."""
        while True:
            try:
                return self._outcomes.get()
            except KeyboardInterrupt as interrupt:
                self._stopping.set()
                errors.insert(0, interrupt)

    def _serve(self, rank: int, inbox: queue.SimpleQueue[Callable[[int], None] | None]) -> None:
        while True:
            task = inbox.get()
            if task is None:
                return
            try:
                task(rank)
            except BaseException as error:
                self._stopping.set()
                self._outcomes.put(error)
            else:
                self._outcomes.put(None)

    def close(self) -> None:
        """End the threads; they have no task under way when ``run`` has returned."""
        for inbox in self._inboxes:
            inbox.put(None)
        for member in self._members:
            member.join()
        self._inboxes, self._members = [], []

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
