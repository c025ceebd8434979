"""The team of a fit: its ranks, errors, Ctrl-C."""

import os
import signal
import threading

import pytest

from fastrec.runtime.threads import Team

WAIT = 30  # seconds until a test that hangs gives up

posix_only = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def press_ctrl_c():
    """Send the main thread what the terminal sends it."""
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


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


def test_abort_frees_those_who_wait_for_a_rank_that_has_failed():
    freed = threading.Event()

    def work(rank):
        if rank == 0:
            raise RuntimeError("on purpose")
        assert freed.wait(30)

    with Team(3) as team, pytest.raises(RuntimeError, match="on purpose"):
        team.run(work, abort=freed.set)
    assert freed.is_set()
