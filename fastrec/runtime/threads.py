"""The only place that starts threads: one pool per process for calls, one team per fit.

A short call (recommend, evaluate) cuts its rows into pieces and lets the
process's pool take them one after the other; the caller works along, so a call
never waits for a pool that others keep busy. A fit owns a :class:`Team`, whose
threads are all there before the first step and are kept to the end, so that
two fits at once never wait for each other.

Kernels release the GIL; what runs here between two pieces is a handful of
Python instructions. A call of some hundred microseconds has not even the time
to wake a thread: where its task is compiled altogether, the pool's threads
stand by for the next such call and take its pieces without Python. Ctrl-C
reaches the main thread between two pieces, stops the others at their next piece
and is raised to the caller.
"""

from __future__ import annotations

import itertools
import math
import os
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from fastrec.errors import DeviceError
from fastrec.native.relay import Relay
from fastrec.runtime.checks import whole_number

# A signal that comes just before a wait does not end it; Ctrl-C is looked for this often.
WAKE_SECONDS = 0.2
# More than any machine has CPUs: a slip of the pen, which would start threads until there are none.
MOST_THREADS = 4096

# How long a thread stands by for another short call: some calls' time, and little of a CPU where
# none comes.
STAND_BY_SECONDS = 2e-4
# Handing out a piece there costs next to nothing, so each is cut into so many.
RELAY_PARTS = 4
# A compiled task of more pieces than this for each thread is no short call: Ctrl-C would have to
# wait for it.
SHORT_PIECES = 64

_pool_lock = threading.Lock()
_pool: _Pool | None = None
_pool_size = 0


def available_cpus() -> int:
    """Return how many CPUs this process may use: affinity mask and cgroup quota respected."""
    has_mask = hasattr(os, "sched_getaffinity")
    cpus = len(os.sched_getaffinity(0)) if has_mask else os.cpu_count() or 1
    quota = _process_quota()
    return max(1, min(cpus, math.ceil(quota))) if quota else cpus


@cache
def _process_quota() -> float | None:
    """Return the quota of this process; read once, because that costs more than a short call."""
    return _cgroup_quota(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"))


def _cgroup_quota(root: Path, membership: Path) -> float | None:
    """Return the least CPU quota of a process's cgroups and of those above them, in CPUs, or None.

    Parameters
    ----------
    root : path
        Where the cgroup file systems are mounted: version 2 itself, or the folder of version 1.
    membership : path
        Lines of ``number:controllers:path``. In a container the paths may be those of the host,
        which are not there; what is mounted at the top is then the container's own.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        lines = []
    places = [(root, "/"), (root / "cpu", "/")]
    for line in lines:
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if not controllers:
            places.append((root, path))
        elif "cpu" in controllers.split(","):
            places.append((root / "cpu", path))
    quotas = []
    for mount, path in places:
        parts = [part for part in path.split("/") if part not in ("", "..")]
        quotas += [_quota_of(mount.joinpath(*parts[:depth])) for depth in range(len(parts) + 1)]
    return min((quota for quota in quotas if quota), default=None)


def _quota_of(folder: Path) -> float | None:
    """Return the quota of one cgroup, of version 2 or 1, in CPUs; None where it has none."""
    try:
        limit, period = (folder / "cpu.max").read_text().split()[:2]
    except (OSError, ValueError):
        try:
            limit = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        except OSError:
            return None
    try:
        return int(limit) / int(period) if int(limit) > 0 else None
    except (ValueError, ZeroDivisionError):  # "max", or what no kernel writes
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
        Not a whole number from 1 to ``MOST_THREADS``.
    """
    if threads is not None:
        return whole_number("threads", threads, maximum=MOST_THREADS)
    text = os.environ.get("FASTREC_THREADS", "").strip()
    if not text:
        return available_cpus()
    return whole_number(
        "the environment variable FASTREC_THREADS",
        int(text) if text.isdecimal() else text,
        maximum=MOST_THREADS,
    )


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
        Called from several threads at once on disjoint ranges. It may have an ``entry``, the
        addresses of a C function ``(context, start, stop)`` that does the same, takes some ten
        microseconds a piece and raises nothing, and of its context: for short calls.
    stop : int
        Number of rows; nothing is called for 0.
    grain : int
        Rows of a piece, at least 1; the last one may be shorter.
    threads : int or None
        See :func:`resolve_threads`.
    """
    pieces = -(-stop // grain)
    helpers = min(resolve_threads(threads), pieces) - 1
    entry = getattr(task, "entry", None)
    if entry is not None and pieces <= SHORT_PIECES * (helpers + 1):
        pool = _pool
        if helpers < 1:
            task(0, stop)
            return
        finer = max(1, grain // RELAY_PARTS)
        if pool is not None and pool.relay.run(entry, stop, finer, helpers):
            return
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

    stands_by = entry is not None and helpers < available_cpus()
    futures = _submit(work, helpers, stands_by)
    errors: list[BaseException] = []
    try:
        work()
    except BaseException as error:
        errors.append(error)
    for future in futures:
        # A helper that has not begun is not needed any more: the caller found no piece left.
        if not future.cancel():
            errors += _errors_of(future, cancelled)
    if errors:
        raise errors[0]


class _Handed:
    """Work that a pool has been given, to be run by one of its threads or cancelled."""

    def __init__(self, work: Callable[[], None], stands_by: bool) -> None:
        self._work = work
        self.stands_by = stands_by
        self._error: BaseException | None = None
        self._turn = threading.Lock()  # whoever has it, the runner or who cancels, was first
        self._ended = threading.Lock()
        self._ended.acquire()

    def cancel(self) -> bool:
        """Return whether the work has not begun; it then never will."""
        return self._turn.acquire(blocking=False)

    def run(self) -> None:
        """Do the work and keep its error."""
        if not self.cancel():
            return
        try:
            self._work()
        except BaseException as error:
            self._error = error
        finally:
            self._ended.release()

    def exception(self) -> BaseException | None:
        """Wait for the end of the work and return its error."""
        with self._ended:
            return self._error


class _Pool:
    """Threads that take work from one queue.

    An executor's futures would do the same with more locks: a call of 400 microseconds on two
    threads takes 40 fewer this way.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._started = 0
        self._queue: queue.SimpleQueue[_Handed | None] = queue.SimpleQueue()
        self.relay = Relay()

    def submit(self, work: Callable[[], None], stands_by: bool) -> _Handed:
        """Hand work out, after which a thread may stand by; called under the lock of the pool."""
        if self._started < self._size:
            name = f"fastrec-pool-{self._started}"
            threading.Thread(target=self._serve, name=name, daemon=True).start()
            self._started += 1
        handed = _Handed(work, stands_by)
        self._queue.put(handed)
        self.relay.ring()
        return handed

    def _serve(self) -> None:
        while True:
            handed = self._queue.get()
            if handed is None:
                return
            handed.run()
            stands_by = handed.stands_by
            del handed  # an idle thread keeps nothing of its last call alive
            bells = self.relay.bells
            if stands_by and self._queue.empty():
                self.relay.stand_by(bells, STAND_BY_SECONDS)

    def shutdown(self) -> None:
        """End the threads when what was handed out is done."""
        for _ in range(self._started):
            self._queue.put(None)
        self.relay.ring()


def _errors_of(future: _Handed, cancelled: threading.Event) -> list[BaseException]:
    """Wait for a helper to end; a Ctrl-C meanwhile stops the others, and they are awaited."""
    errors: list[BaseException] = []
    while True:
        try:
            error = future.exception()  # returned, not raised
            return [*errors, error] if error else errors
        except KeyboardInterrupt as interrupt:
            cancelled.set()
            errors.append(interrupt)


def _submit(work: Callable[[], None], count: int, stands_by: bool) -> list[_Handed]:
    """Hand ``work`` to ``count`` threads of the process's pool, which grows to hold them.

    They are fewer where the system gives no more threads, and none at the end of the
    process: the caller then has more to do.
    """
    global _pool, _pool_size
    futures: list[_Handed] = []
    if count < 1:
        return futures
    with _pool_lock:
        if _pool is None or count > _pool_size:
            if _pool is not None:
                _pool.shutdown()
            _pool_size = max(count, available_cpus())
            _pool = _Pool(_pool_size)
        with suppress(RuntimeError):
            for _ in range(count):
                # One by one: those before a refusal count.
                futures.append(_pool.submit(work, stands_by))  # noqa: PERF401
    return futures


def _forget_pool() -> None:
    """Drop the pool in a forked child, where its threads do not exist."""
    global _pool, _pool_lock, _pool_size
    _pool, _pool_size, _pool_lock = None, 0, threading.Lock()
    _process_quota.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


@dataclass
class _Job:
    """One run of a team: what to call, which errors there were, how many members have ended."""

    task: Callable[[int], None]
    abort: Callable[[], None] | None = None
    errors: list[BaseException] = field(default_factory=list)
    ended: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Team:
    """The threads that a fit owns from its first step to its last.

    The calling thread is rank 0 and works along, so a team of one starts no
    thread at all. Use it as a context manager.

    Parameters
    ----------
    threads : int
        Number of ranks, at least 1.

    Raises
    ------
    DeviceError
        The system refuses to start that many threads.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._stopping = threading.Event()
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._inboxes: list[queue.SimpleQueue[_Job | None]] = []
        self._members: list[threading.Thread] = []
        for rank in range(1, threads):
            inbox: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
            member = threading.Thread(
                target=self._serve,
                args=(rank, inbox),
                name=f"fastrec-team-{rank}",
                daemon=True,
            )
            try:
                member.start()
            except RuntimeError as error:
                self.close()
                raise DeviceError(
                    f"the system starts no more than {rank} of {threads} threads ({error}); "
                    "lower threads"
                ) from None
            self._inboxes.append(inbox)
            self._members.append(member)

    def is_stopping(self) -> bool:
        """Say whether a rank has failed or was interrupted; tasks ask between two kernel calls."""
        return self._stopping.is_set()

    def run(self, task: Callable[[int], None], abort: Callable[[], None] | None = None) -> None:
        """Call ``task(rank)`` on every rank at once and return when all have ended.

        A task returns to Python at least ten times a second and then asks
        :meth:`is_stopping`. The first exception, Ctrl-C included, is raised here
        after every rank has ended; the team can be used again.

        Parameters
        ----------
        task : callable of (rank)
        abort : callable or None
            Called when a rank has failed or was interrupted, perhaps more than once: it frees
            those who wait in compiled code for a rank that will not come.
        """
        self._stopping.clear()
        job = _Job(task, abort)
        started = 0
        try:
            for inbox in self._inboxes:
                inbox.put(job)
                started += 1
            task(0)
        except BaseException as error:
            self._fail(job, error)
        while job.ended < started:
            try:
                while job.ended < started:
                    with suppress(queue.Empty):
                        self._wake.get(timeout=WAKE_SECONDS)
            except KeyboardInterrupt as interrupt:
                # The others are told to stop and awaited. The interrupt may have swallowed a
                # wake-up, which is why the end of a rank is counted and not the wake-ups.
                self._fail(job, interrupt)
        if job.errors:
            raise job.errors[0]

    def _fail(self, job: _Job, error: BaseException) -> None:
        job.errors.append(error)
        self._stopping.set()
        if job.abort is not None:
            job.abort()

    def _serve(self, rank: int, inbox: queue.SimpleQueue[_Job | None]) -> None:
        while True:
            job = inbox.get()
            if job is None:
                return
            try:
                job.task(rank)
            except BaseException as error:
                self._fail(job, error)
            with job.lock:
                job.ended += 1
            self._wake.put(None)

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
