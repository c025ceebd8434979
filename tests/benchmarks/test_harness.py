"""The tables measure in alternation and say which side is faster the same way for any unit."""

import json

import pytest

from benchmarks import speed
from benchmarks.harness import MissingDataError, Row, alternate, data_folder, medians


def test_sides_take_turns_in_changing_order():
    calls = []
    alternate({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repeats=2)
    assert calls == ["a", "b", "a", "b", "b", "a"]


def test_a_side_may_measure_itself():
    values = iter([5.0, 1.0, 9.0])
    assert medians({"a": lambda: next(values)}, repeats=3, warm_up=False) == {"a": 5.0}


def test_a_side_that_measures_nothing_is_timed():
    assert medians({"a": lambda: None}, repeats=3)["a"] >= 0


@pytest.mark.parametrize(
    ("unit", "ours", "peer", "ratio"),
    [("words/s", 20.0, 10.0, 2.0), ("ms", 5.0, 10.0, 2.0), ("s", 1.0, None, None)],
)
def test_a_ratio_above_one_says_that_ours_is_faster(unit, ours, peer, ratio):
    assert Row("x", unit, ours, peer, "peer", 1).ratio == ratio


def test_a_row_is_one_json_object_with_its_extras():
    row = Row("x", "s", 1.0, 2.0, "peer", 1, {"loss_ours": 0.5})
    assert list(json.loads(json.dumps(row.as_dict()))) == [
        *("name", "unit", "ours", "peer", "peer_name", "ratio", "floor", "threads", "loss_ours")
    ]


def test_missing_data_says_which_variable_to_set(monkeypatch):
    monkeypatch.delenv("FASTREC_DATA", raising=False)
    with pytest.raises(MissingDataError, match="FASTREC_DATA"):
        data_folder("wiki17m")


def test_a_printed_row_has_its_columns_under_the_headings():
    row = Row("x", "words/s", 2_000_000.0, 400_000.0, "peer", 2)
    heading, printed = speed.line(speed.COLUMNS), speed.describe(row)
    for column, text in {"unit": "words/s", "ours": "2,000,000", "ratio": "5.00"}.items():
        assert printed[heading.index(column) :].startswith(text)


def test_a_floor_is_printed_under_its_heading_where_a_row_has_one():
    heading = speed.line(speed.COLUMNS)
    with_floor = speed.describe(Row("x", "s", 1.0, 2.0, "peer", 1, {"more": 5}, floor=0.25))
    without = speed.describe(Row("x", "s", 1.0, 2.0, "peer", 1, {"more": 5}))
    place = heading.index("floor")
    assert with_floor[place:].split() == ["0.25", "more", "5"]
    assert without[place:].split() == ["more", "5"]
