"""The pool for calls: ranges, errors, nesting, fork, Ctrl-C."""

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

from fastrec.errors import DeviceError, InputError
from fastrec.runtime import threads
from fastrec.runtime.threads import available_cpus, run_ranges

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


@given(st.integers(0, 60), st.integers(1, 20), st.integers(1, 5))
def test_pieces_cover_the_range_whatever_the_threads(stop, grain, count):
    expected = [(begin, min(begin + grain, stop)) for begin in range(0, stop, grain)]
    assert pieces_of(stop, grain, count) == expected


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("grain", [1, 7, 1000, 5000])
def test_every_row_is_visited_once(count, grain):
    visits = np.zeros(1000, dtype=np.int64)

    def task(begin, end):
        visits[begin:end] += 1

    run_ranges(task, len(visits), grain, count)
    assert (visits == 1).all()


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


def test_the_caller_works_alone_where_there_are_no_more_threads(monkeypatch):
    class Refusing:
        def submit(self, *_):
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threads, "_pool", Refusing())
    monkeypatch.setattr(threads, "_pool_size", 8)
    assert len(pieces_of(10, 1, 3)) == 10


def test_ranges_run_while_the_process_ends():
    code = (
        "import atexit, sys\n"
        "from fastrec.runtime.threads import run_ranges\n"
        "def write(begin, end): sys.stdout.write(f'{begin} ')\n"
        "def last(): run_ranges(write, 3, 1, threads=2)\n"
        "atexit.register(last)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=WAIT
    )
    assert sorted(done.stdout.split()) == ["0", "1", "2"]
    assert done.stderr == ""


# Ctrl-C


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


def test_a_team_that_the_system_refuses_ends_the_threads_it_has(monkeypatch):
    started, start = [], threading.Thread.start

    def refuse_the_third(thread):
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        start(thread)
        started.append(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse_the_third)
    with pytest.raises(DeviceError, match="no more than 3 of 8 threads"):
        threads.Team(8)
    assert not any(thread.is_alive() for thread in started)
