"""Sorting rows by several columns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrec.data import order

COLUMNS = st.integers(0, 25).flatmap(
    lambda n: st.tuples(
        *(
            st.lists(st.integers(low, high), min_size=n, max_size=n).map(
                lambda values, dtype=dtype: np.array(values, dtype)
            )
            for low, high, dtype in (
                (0, 4, np.int32),
                (0, 2**31 - 1, np.int32),
                (-3, 3, np.int64),
                (-(2**63), 2**63 - 1, np.int64),
                (-2, 2, np.float64),
            )
        )
    )
)


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch):
    monkeypatch.setattr(order, "STEP", 3)


@given(COLUMNS, st.data())
def test_the_order_is_that_of_lexsort(columns, data):
    keys = data.draw(st.permutations(columns))[: data.draw(st.integers(1, 4))]
    expected = np.lexsort(keys[::-1])
    found = order.sorting_order(keys)
    assert (np.arange(len(expected)) if found is None else found).tolist() == expected.tolist()


@given(COLUMNS)
def test_sorted_rows_are_not_sorted_again(columns):
    keys = list(columns)
    rows = np.lexsort(keys[::-1])
    assert order.is_sorted([key[rows] for key in keys])
    assert order.sorting_order([key[rows] for key in keys]) is None


@given(COLUMNS)
def test_runs_begin_where_a_key_changes(columns):
    keys = [columns[0], columns[2]]
    pairs = list(zip(*(key.tolist() for key in keys), strict=True))
    starts = [row for row, pair in enumerate(pairs) if row == 0 or pair != pairs[row - 1]]
    assert order.run_offsets(keys).tolist() == ([*starts, len(pairs)] if pairs else [0])


@given(COLUMNS)
def test_codes_are_counted(columns):
    assert (
        order.count_codes(columns[0], 6).tolist() == np.bincount(columns[0], minlength=6).tolist()
    )
