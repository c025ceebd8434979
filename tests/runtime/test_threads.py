"""The pool for calls and the team of a fit: ranges, errors, nesting, fork, Ctrl-C."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrec.errors import InputError
from fastrec.runtime import threads
from fastrec.runtime.threads import Team, available_cpus, resolve_threads, run_ranges

WAIT = 30  # seconds until a test that hangs gives up

needs_fork = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system"
)
posix_only = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
# Newer Pythons warn of what is tested here: a fork while other threads are there.
forks = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def pieces_of(stop, grain, count):
    """Return the pieces that were called, in order."""
    pieces = []
    run_ranges(lambda begin, end: pieces.append((begin, end)), stop, grain, count)
    return sorted(pieces)


# How many threads


def test_available_cpus_are_within_those_of_the_machine():
    assert 1 <= available_cpus() <= os.cpu_count()


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def quota_of(root, membership=""):
    """Return the quota of a process whose membership file has this text."""
    write(root / "membership", membership)
    return threads._cgroup_quota(root, root / "membership")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("150000 100000\n", 1.5),
        ("max 100000\n", None),
        ("nonsense\n", None),
        ("-1 100000", None),
        ("1 0", None),
        ("", None),
    ],
)
def test_quota_of_cgroup_version_2(tmp_path, text, expected):
    write(tmp_path / "cpu.max", text)
    assert quota_of(tmp_path) == expected


@pytest.mark.parametrize(("quota", "expected"), [("50000", 0.5), ("-1", None), ("", None)])
def test_quota_of_cgroup_version_1(tmp_path, quota, expected):
    write(tmp_path / "cpu" / "cpu.cfs_quota_us", quota)
    write(tmp_path / "cpu" / "cpu.cfs_period_us", "100000")
    assert quota_of(tmp_path) == expected


def test_half_a_quota_of_version_1_is_none(tmp_path):
    write(tmp_path / "cpu" / "cpu.cfs_quota_us", "50000")
    assert quota_of(tmp_path) is None


def test_no_cgroups_are_no_quota(tmp_path):
    assert threads._cgroup_quota(tmp_path / "none", tmp_path / "none either") is None


@pytest.mark.parametrize(
    "membership", ["0::/slice/service\n", "12:pids:/a\n4:cpu,cpuacct:/b\n0::/slice/service\n"]
)
def test_the_quota_is_that_of_the_own_cgroup(tmp_path, membership):
    write(tmp_path / "slice" / "service" / "cpu.max", "50000 100000")
    write(tmp_path / "slice" / "other" / "cpu.max", "10000 100000")
    assert quota_of(tmp_path, membership) == 0.5


def test_the_quota_of_a_cgroup_above_counts_too(tmp_path):
    write(tmp_path / "slice" / "cpu.max", "200000 100000")
    write(tmp_path / "slice" / "service" / "cpu.max", "300000 100000")
    assert quota_of(tmp_path, "0::/slice/service\n") == 2.0


def test_the_own_cgroup_of_version_1_is_that_of_the_cpu_controller(tmp_path):
    for name, quota in (("right", "150000"), ("wrong", "50000")):
        write(tmp_path / "cpu" / name / "cpu.cfs_quota_us", quota)
        write(tmp_path / "cpu" / name / "cpu.cfs_period_us", "100000")
    assert quota_of(tmp_path, "3:memory:/wrong\n4:cpu,cpuacct:/right\n") == 1.5


@pytest.mark.parametrize("path", ["/../..", "/not/here", ""])
def test_a_path_outside_the_container_leaves_what_is_mounted(tmp_path, path):
    write(tmp_path / "mount" / "cpu.max", "100000 100000")
    write(tmp_path / "cpu.max", "10000 100000")  # outside
    assert quota_of(tmp_path / "mount", f"0::{path}\n") == 1.0


@pytest.mark.parametrize(("quota", "expected"), [(0.5, 1), (1.5, 2), (1e9, None), (None, None)])
def test_a_quota_is_rounded_up_and_never_adds_cpus(monkeypatch, quota, expected):
    monkeypatch.setattr(threads, "_process_quota", lambda: None)
    without = available_cpus()
    monkeypatch.setattr(threads, "_process_quota", lambda: quota)
    assert available_cpus() == min(without, expected or without)


@pytest.mark.parametrize("count", [1, 3, np.int64(5)])
def test_threads_are_taken_as_given(count):
    assert resolve_threads(count) == count


def test_threads_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("FASTREC_THREADS", "7")
    assert resolve_threads() == 7
    assert resolve_threads(2) == 2


def test_an_empty_environment_takes_the_cpus(monkeypatch):
    monkeypatch.setenv("FASTREC_THREADS", " ")
    assert resolve_threads() == available_cpus()


@pytest.mark.parametrize("count", [0, -1, 1.0, "2", True])
def test_threads_are_a_whole_number(count):
    with pytest.raises(InputError, match="threads must be a whole number of at least 1"):
        resolve_threads(count)


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "²", "\u0660"])
def test_threads_of_the_environment_are_a_whole_number(monkeypatch, text):
    monkeypatch.setenv("FASTREC_THREADS", text)
    with pytest.raises(InputError, match="environment variable FASTREC_THREADS"):
        resolve_threads()


# Ranges


@given(st.integers(0, 60), st.integers(1, 20), st.integers(1, 5))
def test_pieces_cover_the_range_whatever_the_threads(stop, grain, count):
    expected = [(begin, min(begin + grain, stop)) for begin in range(0, stop, grain)]
    assert pieces_of(stop, grain, count) == expected


def test_several_threads_work_at_once():
    meeting = threading.Barrier(3, timeout=WAIT)
    run_ranges(lambda *_: meeting.wait(), 3, 1, threads=3)


def test_the_caller_works_along():
    names = set()
    meeting = threading.Barrier(2, timeout=WAIT)

    def task(*_):
        names.add(threading.current_thread())
        meeting.wait()

    run_ranges(task, 2, 1, threads=2)
    assert threading.current_thread() in names


def test_one_thread_starts_none():
    names = set()
    run_ranges(lambda *_: names.add(threading.current_thread()), 10, 1, threads=1)
    assert names == {threading.current_thread()}


def test_the_pool_grows_to_what_is_asked():
    count = available_cpus() + 3
    meeting = threading.Barrier(count, timeout=WAIT)
    run_ranges(lambda *_: meeting.wait(), count, 1, threads=count)


def test_an_error_of_a_helper_reaches_the_caller():
    meeting = threading.Barrier(2, timeout=WAIT)

    def task(*_):
        meeting.wait()
        if threading.current_thread() is not threading.main_thread():
            raise InputError("from the helper")

    with pytest.raises(InputError, match="from the helper"):
        run_ranges(task, 2, 1, threads=2)


def test_an_error_of_the_caller_awaits_the_helpers():
    meeting = threading.Barrier(2, timeout=WAIT)
    may_end = threading.Event()
    ended = []

    def task(*_):
        meeting.wait()
        if threading.current_thread() is threading.main_thread():
            may_end.set()
            raise InputError("from the caller")
        may_end.wait(WAIT)
        ended.append(True)

    with pytest.raises(InputError, match="from the caller"):
        run_ranges(task, 2, 1, threads=2)
    assert ended == [True]


@pytest.mark.parametrize("count", [1, 3])
def test_no_piece_is_begun_after_an_error(count):
    begun = []

    def task(begin, _):
        begun.append(begin)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_ranges(task, 1000, 1, count)
    assert len(begun) <= count


def test_the_pool_works_on_after_an_error():
    with pytest.raises(ZeroDivisionError):
        run_ranges(lambda *_: 1 // 0, 8, 1, threads=3)
    assert len(pieces_of(8, 1, 3)) == 8


def test_ranges_nest_to_any_depth():
    calls = []

    def task(depth):
        if depth == 0:
            calls.append(1)
            return
        run_ranges(lambda *_: task(depth - 1), 4, 1, threads=3)

    task(4)
    assert len(calls) == 4**4


def test_several_callers_share_the_pool():
    totals = [0] * 4

    def call(number):
        run_ranges(lambda begin, end: None, 50, 1, threads=3)
        totals[number] = len(pieces_of(50, 1, 3))

    callers = [threading.Thread(target=call, args=(number,)) for number in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(WAIT)
    assert totals == [50] * 4


# Processes


def count_pieces(answers):
    answers.put(len(pieces_of(40, 1, 3)))


@pytest.mark.parametrize(
    "method", [pytest.param("fork", marks=[needs_fork, forks]), pytest.param("spawn")]
)
def test_ranges_run_in_a_child_process(method):
    pieces_of(8, 1, 3)  # the parent's pool is there
    context = multiprocessing.get_context(method)
    answers = context.SimpleQueue()
    child = context.Process(target=count_pieces, args=(answers,))
    child.start()
    child.join(WAIT)
    assert child.exitcode == 0
    assert answers.get() == 40


@needs_fork
@forks
def test_a_fork_within_a_call_gives_the_child_a_pool_of_its_own():
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()

    def task(begin, _):
        if begin == 0:
            child = context.Process(target=count_pieces, args=(answers,))
            child.start()
            child.join(WAIT)

    run_ranges(task, 4, 1, threads=3)
    assert answers.get() == 40


# Ctrl-C


def press_ctrl_c():
    """Send the main thread what the terminal sends it."""
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


class InterruptedOnce:
    """A future during whose wait the user presses Ctrl-C."""

    def __init__(self):
        self.waits = 0

    def exception(self):
        self.waits += 1
        if self.waits == 1:
            raise KeyboardInterrupt
        return None


def test_ctrl_c_while_waiting_stops_the_helpers_and_awaits_them():
    cancelled, future = threading.Event(), InterruptedOnce()
    errors = threads._errors_of(future, cancelled)
    assert [type(error) for error in errors] == [KeyboardInterrupt]
    assert cancelled.is_set()
    assert future.waits == 2


@posix_only
def test_ctrl_c_in_a_piece_ends_the_run_and_the_helpers():
    meeting = threading.Barrier(2, timeout=WAIT)
    begun = []

    def task(begin, _):
        begun.append(begin)
        meeting.wait()
        if threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_ranges(task, 2, 1, threads=2)
    assert len(begun) == 2


@posix_only
def test_a_process_that_works_on_ranges_obeys_ctrl_c():
    code = """
import threading
from fastrec.runtime.threads import run_ranges

running = set()
both = threading.Barrier(2)
nothing = threading.Event()

def task(begin, end):
    running.add(begin)
    try:
        if begin < 2:
            both.wait()
        if begin == 0:
            print("working", flush=True)
        nothing.wait(0.02)
    finally:
        running.discard(begin)

try:
    run_ranges(task, 10**9, 1, threads=2)
except KeyboardInterrupt:
    print("interrupted", len(running))
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=WAIT)
    assert output == "interrupted 0\n"
    assert process.returncode == 0


# Teams


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_team_runs_every_rank_once(count):
    ranks = []
    with Team(count) as team:
        team.run(ranks.append)
    assert sorted(ranks) == list(range(count))


def test_the_ranks_of_a_team_run_at_once():
    meeting = threading.Barrier(3, timeout=WAIT)
    with Team(3) as team:
        team.run(lambda _: meeting.wait())


def test_a_team_keeps_its_threads_from_run_to_run():
    seen = {}
    with Team(3) as team:
        for _ in range(20):
            team.run(lambda rank: seen.setdefault(rank, set()).add(threading.get_ident()))
    assert [len(idents) for idents in seen.values()] == [1, 1, 1]
    assert seen[0] == {threading.get_ident()}


def test_a_team_ends_its_threads():
    with Team(4) as team:
        members = list(team._members)
        assert all(member.is_alive() for member in members)
    assert not any(member.is_alive() for member in members)


def test_two_teams_never_wait_for_each_other():
    meeting = threading.Barrier(4, timeout=WAIT)

    def fit():
        with Team(2) as team:
            team.run(lambda _: meeting.wait())

    other = threading.Thread(target=fit)
    other.start()
    fit()
    other.join(WAIT)
    assert not other.is_alive()


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_error_of_any_rank_is_raised_after_all_have_ended(failing):
    ended = []

    def task(rank):
        if rank == failing:
            raise ZeroDivisionError
        while not team.is_stopping():
            pass
        ended.append(rank)

    with Team(3) as team, pytest.raises(ZeroDivisionError):
        team.run(task)
    assert sorted(ended) == sorted({0, 1, 2} - {failing})


def test_a_team_works_on_after_an_error():
    ranks = []
    with Team(3) as team:
        with pytest.raises(ZeroDivisionError):
            team.run(lambda _: 1 // 0)
        assert team.is_stopping()
        team.run(ranks.append)
        assert not team.is_stopping()
    assert sorted(ranks) == [0, 1, 2]


@posix_only
def test_ctrl_c_in_the_first_rank_stops_the_others():
    def task(rank):
        if rank == 0:
            signal.raise_signal(signal.SIGINT)
        while not team.is_stopping():
            pass

    with Team(3) as team, pytest.raises(KeyboardInterrupt):
        team.run(task)


@posix_only
def test_ctrl_c_while_the_first_rank_waits_stops_the_others():
    ended = []

    def task(rank):
        if rank == 1:
            press_ctrl_c()
        while rank and not team.is_stopping():
            pass
        if rank:
            ended.append(rank)

    with Team(3) as team:
        with pytest.raises(KeyboardInterrupt):
            team.run(task)
        assert sorted(ended) == [1, 2]
        team.run(ended.append)
    assert sorted(ended) == [0, 1, 1, 2, 2]


@posix_only
def test_a_wake_up_that_ctrl_c_swallows_is_not_missed():
    """An interrupt can come after the queue has handed out a wake-up: the run must still end."""

    class SwallowsTheFirst:
        def __init__(self, wake):
            self.wake, self.is_first = wake, True

        def put(self, item):
            self.wake.put(item)

        def get(self, timeout):
            self.wake.get(timeout=timeout)
            if self.is_first:
                self.is_first = False
                raise KeyboardInterrupt

    with Team(2) as team:
        team._wake = SwallowsTheFirst(team._wake)
        with pytest.raises(KeyboardInterrupt):
            team.run(lambda _: None)
        team.run(lambda _: None)
