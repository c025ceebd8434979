"""Parts of a log: filters, sessions, histories by number."""

from collections import Counter
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from fastrec.data.interactions import Interactions
from fastrec.errors import InputError
from tests.data.logs import ALL_COLUMNS, drawn_log, histories_of, rows_of


@given(ALL_COLUMNS, st.data())
def test_taken_histories_keep_their_rows(wanted, data):
    log = drawn_log(wanted)
    numbers = st.lists(st.integers(0, log.n_histories - 1), unique=True, min_size=1)
    chosen = data.draw(numbers)
    taken = log.take(chosen)
    mask = np.isin(np.arange(log.n_histories), chosen)
    assert histories_of(taken) == [histories_of(log)[number] for number in sorted(chosen)]
    assert rows_of(log.take(mask)) == rows_of(taken)
    assert taken.item_ids is log.item_ids
    assert set(rows_of(taken)) <= set(rows_of(log))


@pytest.mark.parametrize(
    ("histories", "message"),
    [
        ([], "no row is left"),
        ([0, 0], "got one twice"),
        ([2], "from 0 to 1, got 2"),
        ([-1], "from 0 to 1, got -1"),
        ([True], "one value a history, 2, got 1"),
        ([0.5], "mask or whole numbers"),
        ([[0]], "one-dimensional"),
    ],
)
def test_histories_that_are_not_there_cannot_be_taken(histories, message):
    with pytest.raises(InputError, match=message):
        Interactions.from_sequences([[1], [2]]).take(histories)


@given(ALL_COLUMNS, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
def test_a_filter_leaves_what_is_within_all_limits_at_once(wanted, items, users, length):
    log = drawn_log(wanted)
    users = users if log.user is not None else 1
    try:
        left = log.filter(min_item_count=items, min_user_count=users, min_history_length=length)
    except InputError:
        reject()  # a part is empty
    assert left.item_counts().min() >= items
    assert np.diff(left.history_offsets).min() >= length
    if left.user is not None:
        assert np.bincount(left.user).min() >= max(users, 1)
    assert not Counter(rows_of(left)) - Counter(rows_of(log))
    again = left.filter(min_item_count=items, min_user_count=users, min_history_length=length)
    assert rows_of(again) == rows_of(left)


def test_a_filter_repeats_until_nothing_changes():
    # Item 9 is too rare; without it, user 3 has too little; without that one, item 8 is too rare.
    log = Interactions.from_sequences([[1, 2], [1, 2], [8, 1], [8, 9]])
    left = log.filter(min_item_count=2, min_user_count=2)
    assert histories_of(left) == [[1, 2], [1, 2]]


def test_ids_that_lose_their_rows_leave_the_maps_and_tables():
    log = Interactions.from_arrays(
        user=["a", "b", "b"], session=[1, 2, 2], item=[5, 7, 7]
    ).with_items({"id": [5, 7], "title": ["five", "seven"]}, id="id")
    left = log.filter(min_item_count=2)
    assert left.item_ids.ids.tolist() == [7]
    assert left.user_ids.ids.tolist() == ["b"]
    assert left.session_ids.ids.tolist() == [2]
    assert left.items["title"].tolist() == ["seven"]


def test_a_filter_that_leaves_nothing_says_so():
    with pytest.raises(InputError, match="none of 2 rows is left with min_item_count=5"):
        Interactions.from_sequences([[1, 2]]).filter(min_item_count=5)


def test_users_of_a_log_of_sessions_cannot_be_counted():
    log = Interactions.from_arrays(session=[1, 1], item=[1, 2])
    with pytest.raises(InputError, match="use min_history_length"):
        log.filter(min_user_count=2)


@pytest.mark.parametrize("limit", [-1, 1.5, True])
def test_a_limit_must_be_a_whole_number(limit):
    with pytest.raises(InputError, match="min_item_count must be a whole number"):
        Interactions.from_sequences([[1, 2]]).filter(min_item_count=limit)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("gap", [10, 10.0, timedelta(seconds=10), np.timedelta64(10_000, "ms")])
def test_a_longer_pause_begins_a_session(unit, gap):
    tick = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    time = np.array([0, 10, 21, 0, 5]) * tick + np.array([0, 0, 0, 1, 0])
    log = Interactions.from_arrays(
        user=[1, 1, 1, 2, 2], item=[1, 2, 3, 4, 5], time=time, time_unit=unit
    ).sessionize(gap)
    assert histories_of(log) == [[1, 2], [3], [4, 5]]
    assert log.session.tolist() == [0, 0, 1, 2, 2]
    assert log.session_ids.ids.tolist() == [0, 1, 2]
    assert log.user.tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user": [1], "session": [1], "time": [1]}, "has sessions already"),
        ({"user": [1]}, "must have time="),
    ],
)
def test_what_cannot_be_cut_into_sessions_is_refused(columns, message):
    with pytest.raises(InputError, match=message):
        Interactions.from_arrays(item=[1], **columns).sessionize()


@pytest.mark.parametrize("gap", [-1, "an hour", float("nan")])
def test_a_gap_is_a_number_of_seconds(gap):
    with pytest.raises(InputError, match="gap must be"):
        Interactions.from_arrays(user=[1], item=[1], time=[1]).sessionize(gap)
