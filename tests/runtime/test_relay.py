"""Threads that stand by for short calls of compiled code."""

import multiprocessing
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from fastrec.native.relay import Relay

from fastrec.nn import SGD, Lookup, bag, gather
from fastrec.runtime import isa, threads
from fastrec.runtime.threads import available_cpus, run_ranges

needs_two_cpus = pytest.mark.skipif(available_cpus() < 2, reason="nobody stands by on one CPU")
CALLS = 200


class Watched:
    """A relay that counts its calls and those that somebody stood by for."""

    def __init__(self, relay):
        self.relay = relay
        self.answers = []

    def __getattr__(self, name):
        return getattr(self.relay, name)

    def run(self, *arguments):
        self.answers.append(self.relay.run(*arguments))
        return self.answers[-1]


def bags(count):
    """Return a matrix, ids and offsets of so many bags, and their sums."""
    random = np.random.default_rng(0)
    matrix = random.standard_normal((500, 64)).astype(np.float32)
    offsets = np.arange(count + 1) * 40
    ids = random.integers(0, 500, count * 40).astype(np.int32)
    return matrix, ids, offsets, bag(matrix, ids, offsets, threads=1)


@pytest.fixture
def relay(monkeypatch):
    """Return the relay of a pool that has been there, watched."""
    run_ranges(lambda *_: None, 2, 1, 2)
    watched = Watched(threads._pool.relay)
    monkeypatch.setattr(threads._pool, "relay", watched)
    return watched


@needs_two_cpus
def test_short_calls_find_threads_that_stand_by(relay, monkeypatch):
    # On a machine at work for others too, a thread may get its CPU back after its usual time.
    monkeypatch.setattr(threads, "STAND_BY_SECONDS", 5.0)
    matrix, ids, offsets, expected = bags(200)
    for _ in range(CALLS):
        np.testing.assert_array_equal(bag(matrix, ids, offsets, threads=2), expected)
    assert any(relay.answers)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("n", [0, 1, 17, 129, 1000])
def test_answers_are_the_same_for_any_number_of_threads(count, n):
    matrix, ids, offsets, expected = bags(n)
    for _ in range(20):
        np.testing.assert_array_equal(bag(matrix, ids, offsets, threads=count), expected)
        np.testing.assert_array_equal(gather(matrix, ids, threads=count), matrix[ids])


def test_updates_on_standing_threads_touch_each_row_once():
    random = np.random.default_rng(1)
    tables = [Lookup(np.zeros((3000, 64), np.float32), SGD(rate=1.0), threads=n) for n in (1, 2, 8)]
    for _ in range(50):
        ids = random.integers(0, 3000, 5000)
        gradient = random.standard_normal((5000, 64)).astype(np.float32)
        for table in tables:
            table.update(ids, gradient)
    for table in tables[1:]:
        np.testing.assert_array_equal(table.matrix, tables[0].matrix)


def test_several_callers_share_who_stands_by():
    matrix, ids, offsets, expected = bags(200)
    wrong = []

    def call():
        answers = [bag(matrix, ids, offsets, threads=2) for _ in range(CALLS)]
        wrong.extend(answer for answer in answers if not np.array_equal(answer, expected))

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


def test_nobody_is_let_in_beyond_what_a_call_asks_for():
    relay = Relay()
    assert relay.run((0, 0), 10, 1, 1) is False  # nobody is there: nothing is called
    standing = [threading.Thread(target=relay.stand_by, args=(0, 30.0)) for _ in range(3)]
    for thread in standing:
        thread.start()
    matrix, ids, offsets, expected = bags(300)
    out = np.zeros_like(expected)
    job = isa.load("lookup").Bags(matrix, ids, offsets.astype(np.int64), None, False, out)
    done = 0
    for room in (1, 2, 3, 0) * 50:
        out[:] = 0
        done += relay.run(job.entry, 300, 7, room)
        assert not out.any() or np.array_equal(out, expected)
    assert done
    relay.ring()
    for thread in standing:
        thread.join(30)
    assert not any(thread.is_alive() for thread in standing)


def test_who_stands_by_leaves_when_nobody_calls_or_the_bell_rings():
    relay = Relay()
    start = time.perf_counter()
    relay.stand_by(relay.bells, 0.01)
    assert 0.005 < time.perf_counter() - start < 20
    relay.ring()
    relay.stand_by(0, 1e9)  # it has been rung since


def child(expected):
    matrix, ids, offsets, _ = bags(200)
    same = all(np.array_equal(bag(matrix, ids, offsets, threads=2), expected) for _ in range(50))
    sys.exit(0 if same else 1)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_a_child_has_threads_of_its_own():
    matrix, ids, offsets, expected = bags(200)
    for _ in range(10):
        bag(matrix, ids, offsets, threads=2)
        process = multiprocessing.get_context("fork").Process(target=child, args=(expected,))
        process.start()
        process.join(60)
        assert process.exitcode == 0


def test_a_process_ends_while_a_thread_stands_by():
    code = (
        "import numpy as np\n"
        "from fastrec.nn import bag\n"
        "ids = np.zeros(100000, np.int32)\n"
        "for _ in range(20):\n"
        "    bag(np.ones((3, 64), np.float32), ids, np.arange(1001) * 100, threads=2)\n"
        "print('done')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr
