"""The record of a run."""

import json

import pytest

from fastrec.training.history import History

ROWS = [
    {"epoch": 1, "loss": 0.5, "seconds": 1.0, "partial": False},
    {"epoch": 2, "loss": 0.25, "seconds": 1.0, "partial": True, "recall@20": 0.125},
]


@pytest.fixture
def history():
    return History(ROWS)


def test_a_history_is_a_sequence_of_rows(history):
    assert len(history) == 2
    assert history[-1] == ROWS[1]
    assert history[:1] == ROWS[:1]
    assert list(history) == ROWS


def test_a_column_has_an_entry_a_row(history):
    assert history.column("loss") == [0.5, 0.25]
    assert history.column("recall@20") == [None, 0.125]


def test_rows_are_copies(history):
    history.to_rows()[0]["loss"] = 9
    row = {"epoch": 3}
    history.append(row)
    row["epoch"] = 9
    assert history.column("epoch") == [1, 2, 3]
    assert history.column("loss") == [0.5, 0.25, None]


def test_rows_travel_through_json(history):
    assert History(json.loads(json.dumps(history.to_rows()))).to_rows() == ROWS


def test_an_empty_history_is_false():
    assert not History()


def test_a_history_prints_a_line_an_epoch(history):
    assert repr(history).splitlines() == [
        "History(2 epochs)",
        "epoch 1, loss 0.5, seconds 1",
        "epoch 2, loss 0.25, seconds 1, recall@20 0.125 (interrupted)",
    ]
