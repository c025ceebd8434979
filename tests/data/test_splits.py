"""Cutting a log in two."""

from collections import Counter
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from fastrec.data.interactions import Interactions
from fastrec.data.splits import split_by_time, split_last, split_users
from fastrec.errors import InputError
from tests.data.logs import ALL_COLUMNS, drawn_log, histories_of, rows_of


@pytest.fixture
def log():
    """Three users whose histories end at 30, 40 and 50."""
    return Interactions.from_arrays(
        user=[1, 1, 2, 2, 3, 3], item=[1, 2, 3, 4, 5, 6], time=[10, 30, 5, 40, 45, 50]
    )


def assert_parts_of(train, test, log):
    """Both parts together are the log, over the same ids."""
    assert Counter(rows_of(train)) + Counter(rows_of(test)) == Counter(rows_of(log))
    for part in (train, test):
        assert part.item_ids is log.item_ids
        assert part.user_ids is log.user_ids


@given(ALL_COLUMNS.filter(lambda wanted: "time" in wanted), st.floats(0.05, 0.95), st.booleans())
def test_what_is_later_is_in_the_second_part(wanted, fraction, whole):
    log = drawn_log(wanted)
    try:
        train, test = split_by_time(log, fraction=fraction, whole_histories=whole)
    except InputError:
        reject()  # a part is empty
    assert_parts_of(train, test, log)
    if whole:
        last = [part.time[part.history_offsets[1:] - 1] for part in (train, test)]
        assert last[0].max() < last[1].min()
        assert test.n_histories <= fraction * log.n_histories + 1e-6
    else:
        assert train.time.max() < test.time.min()
        assert len(test) <= fraction * len(log) + 1e-6


def test_whole_histories_go_by_their_last_event(log):
    train, test = split_by_time(log, fraction=0.34)
    assert histories_of(train) == [[1, 2], [3, 4]]
    assert histories_of(test) == [[5, 6]]


def test_events_go_by_their_own_time(log):
    train, test = split_by_time(log, after=39, whole_histories=False)
    assert histories_of(train) == [[1, 2], [3]]
    assert histories_of(test) == [[4], [5, 6]]


def test_the_moment_itself_belongs_to_the_first_part(log):
    train, _ = split_by_time(log, after=40)
    assert histories_of(train) == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2020, 1, 2, tzinfo=UTC),
        datetime(2020, 1, 2),
        date(2020, 1, 2),
        np.datetime64("2020-01-02"),
        "2020-01-02T00:00:00",
        1577923200000,
    ],
    ids=repr,
)
def test_a_moment_comes_in_many_forms(moment):
    time = np.array(["2020-01-01", "2020-01-02", "2020-01-03"], "M8[ms]")
    log = Interactions.from_arrays(user=[1, 2, 3], item=[1, 2, 3], time=time)
    train, test = split_by_time(log, after=moment)
    assert histories_of(train) == [[1], [2]]
    assert histories_of(test) == [[3]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either fraction= or after="),
        ({"fraction": 0.5, "after": 3}, "either fraction= or after="),
        ({"fraction": 0}, "between 0 and 1"),
        ({"fraction": 1}, "between 0 and 1"),
        ({"fraction": 2}, "fraction must be"),
        ({"fraction": "half"}, "fraction must be a number"),
        ({"after": 1.5}, "after must be a whole number or a time, got 1.5"),
        ({"after": "soon"}, "after must be a whole number or a time, got 'soon'"),
        (
            {"after": 99},
            r"the second part is empty: times run from 30 to 50 \(s\) and the cut is a",
        ),
        ({"after": 1}, "the first part is empty"),
        ({"fraction": 0.5, "whole_histories": 1}, "whole_histories must be True or False"),
    ],
    ids=str,
)
def test_a_cut_that_makes_no_sense_is_refused(log, options, message):
    with pytest.raises(InputError, match=message):
        split_by_time(log, **options)


def test_without_time_there_is_no_cut_by_time():
    with pytest.raises(InputError, match="needs a log with time="):
        split_by_time(Interactions.from_sequences([[1]]), fraction=0.5)


@given(ALL_COLUMNS, st.integers(1, 3))
def test_the_last_events_are_in_the_second_part(wanted, n):
    log = drawn_log(wanted)
    if np.diff(log.history_offsets).max() <= n:
        with pytest.raises(InputError, match="no history is longer"):
            split_last(log, n)
        return
    train, test = split_last(log, n)
    assert_parts_of(train, test, log)
    histories = histories_of(log)
    expected = [items[:-n] if len(items) > n else items for items in histories]
    assert histories_of(train) == expected
    assert histories_of(test) == [items[-n:] for items in histories if len(items) > n]


@pytest.mark.parametrize("n", [0, 1.0, True])
def test_the_number_of_last_events_is_a_whole_number(log, n):
    with pytest.raises(InputError, match="n must be a whole number of at least 1"):
        split_last(log, n)


@given(ALL_COLUMNS, st.floats(0.1, 0.9), st.integers(0, 9))
def test_users_are_in_one_part_only(wanted, fraction, seed):
    log = drawn_log(wanted)
    users = len(np.unique(log.owner))
    try:
        train, test = split_users(log, fraction=fraction, seed=seed)
    except InputError:
        reject()  # a part is empty
    assert_parts_of(train, test, log)
    assert not set(train.owner.tolist()) & set(test.owner.tolist())
    assert len(np.unique(test.owner)) == round(fraction * users)


def test_the_same_seed_draws_the_same_users():
    log = Interactions.from_sequences([[1]] * 100)
    drawn = [split_users(log, fraction=0.3, seed=seed)[1].user.tolist() for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]
