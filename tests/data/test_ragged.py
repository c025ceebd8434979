"""Rows of different lengths."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrec.data.ragged import Ragged, ranges
from fastrec.errors import InputError

LISTS = st.lists(st.lists(st.integers(-1, 100), max_size=6), max_size=8)


@given(LISTS)
def test_lists_come_back_as_they_went_in(lists):
    assert Ragged.from_lists(lists).to_lists() == lists


@given(LISTS, st.integers(0, 9), st.integers(0, 9))
def test_a_slice_holds_the_rows_of_the_list_slice(lists, start, stop):
    assert Ragged.from_lists(lists).slice(start, stop).to_lists() == lists[start:stop]


@given(LISTS.filter(len), st.data())
def test_take_returns_rows_in_the_order_asked_for(lists, data):
    rows = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=5))
    taken = Ragged.from_lists(lists).take(np.array(rows, np.int64))
    assert taken.to_lists() == [lists[row] for row in rows]


@given(LISTS, st.integers(0, 3))
def test_where_drops_values_and_keeps_rows(lists, start):
    ragged = Ragged.from_lists(lists).slice(start, len(lists))
    kept = ragged.where(ragged.flat > 50)
    assert kept.to_lists() == [[value for value in row if value > 50] for row in lists[start:]]


@given(LISTS, st.integers(0, 3))
def test_joined_rows_follow_each_other(lists, start):
    ragged = Ragged.from_lists(lists).slice(start, len(lists))
    others = [[7] * (row % 3) for row in range(len(ragged))]
    joined = ragged.joined(Ragged.from_lists(others))
    expected = [row + other for row, other in zip(lists[start:], others, strict=True)]
    assert joined.to_lists() == expected


def test_rows_are_joined_with_as_many():
    with pytest.raises(InputError, match="got 2 and 1"):
        Ragged.from_lists([[1], [2]]).joined(Ragged.from_lists([[1]]))


def test_a_slice_shares_its_parents_values():
    ragged = Ragged.from_lists([[1, 2], [3], [4, 5]])
    assert np.shares_memory(ragged.slice(1, 3).flat, ragged.values)
    assert ragged.slice(1, 3).row_numbers.tolist() == [0, 1, 1]


def test_negative_rows_count_from_the_end():
    assert Ragged.from_lists([[1], [2, 3]])[-1].tolist() == [2, 3]


@pytest.mark.parametrize("row", [2, -3])
def test_a_row_that_is_not_there_is_an_index_error(row):
    with pytest.raises(IndexError):
        Ragged.from_lists([[1], [2]])[row]


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        (np.array([0, 2], np.int32), "int64"),
        (np.array([0, 3]), "at most the 2 values"),
        (np.array([0, 2, 1]), "ascend"),
        (np.array([], np.int64), "one number more"),
    ],
)
def test_offsets_that_do_not_fit_are_refused(offsets, message):
    with pytest.raises(InputError, match=message):
        Ragged(np.array([1, 2]), offsets)


def test_ranges_follow_one_another():
    assert ranges(np.array([5, 0, 7]), np.array([2, 0, 3])).tolist() == [5, 6, 7, 8, 9]
