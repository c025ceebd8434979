"""BLAS is held to one thread exactly as long as somebody asks for it."""

import multiprocessing
import subprocess
import sys
import threading
from importlib.util import find_spec

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from fastrec.runtime import blas
from fastrec.runtime.blas import single_threaded_blas

WAIT = 30


def blas_threads(layers=("pthreads", "openmp")):
    """What this thread would have; a BLAS on OpenMP counts for each thread by itself."""
    np.ones((2, 2)) @ np.ones((2, 2))
    return [
        pool["num_threads"]
        for pool in threadpool_info()
        if pool["internal_api"] == "openblas" and pool["threading_layer"] in layers
    ]


@pytest.fixture(autouse=True)
def before():
    threads = blas_threads()
    if max(threads, default=1) == 1:
        pytest.skip("BLAS has one thread here anyway")
    yield threads
    assert blas_threads() == threads


def test_blas_has_one_thread_inside_and_its_own_outside():
    with single_threaded_blas():
        assert set(blas_threads()) == {1}


def test_limits_nest():
    with single_threaded_blas():
        with single_threaded_blas():
            pass
        assert set(blas_threads()) == {1}


def test_an_error_lifts_the_limit(before):
    with pytest.raises(ZeroDivisionError), single_threaded_blas():
        1 // 0  # noqa: B018
    assert blas_threads() == before


def test_the_last_of_several_callers_lifts_the_limit(before):
    inside, may_leave = threading.Event(), threading.Event()
    seen = []

    def hold():
        with single_threaded_blas():
            inside.set()
            may_leave.wait(WAIT)
            seen.extend(blas_threads())

    other = threading.Thread(target=hold)
    with single_threaded_blas():
        other.start()
        assert inside.wait(WAIT)
    assert set(blas_threads(["pthreads"])) == {1}  # the other is still inside
    may_leave.set()
    other.join(WAIT)
    assert set(seen) == {1}
    assert blas_threads() == before


def test_threads_limit_one_after_the_other(before):
    seen = []

    def limit():
        with single_threaded_blas():
            seen.append(blas_threads())

    for _ in range(2):
        other = threading.Thread(target=limit)
        other.start()
        other.join(WAIT)
    limit()
    assert seen == [[1] * len(before)] * 3


def limit_in_a_child():
    with single_threaded_blas():
        pass


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system"
)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_that_was_forked_during_a_change_of_limits_does_not_hang():
    child = multiprocessing.get_context("fork").Process(target=limit_in_a_child)
    with blas._lock:
        child.start()
    child.join(WAIT)
    assert child.exitcode == 0


@pytest.mark.skipif(find_spec("faiss") is None, reason="faiss-cpu, whose BLAS is on OpenMP")
def test_all_of_this_holds_beside_a_blas_on_openmp():
    """In a process of its own, since a library stays once it is loaded."""
    again = (
        "import sys, faiss, pytest\n"
        "from threadpoolctl import threadpool_info\n"
        "assert 'openmp' in {pool.get('threading_layer') for pool in threadpool_info()}\n"
        f"sys.exit(pytest.main([{__file__!r}, '-k', 'not beside']))"
    )
    done = subprocess.run([sys.executable, "-c", again], capture_output=True, text=True, timeout=99)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
