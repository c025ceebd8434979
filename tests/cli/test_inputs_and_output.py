"""Ids are read from the line as the model knows them; what is printed can be read by programs."""

import json
from pathlib import Path

import numpy as np
import pytest

from fastrec.cli.inputs import parse_ids
from fastrec.cli.output import plain, print_json, print_table, shown
from fastrec.errors import InputError


@pytest.mark.parametrize(
    ("text", "kind", "ids"),
    [
        ("12,7,99", "int", [12, 7, 99]),
        (" 12, 7 ", "int", [12, 7]),
        ("", "int", []),
        ("[1, 2]", "int", [1, 2]),
        ("a, b c", "str", ["a", "b c"]),
        ("12", "str", ["12"]),
        ('["a, b", "c"]', "str", ["a, b", "c"]),
    ],
)
def test_ids_are_read_by_their_kind(text, kind, ids):
    assert parse_ids("--history", text, kind) == ids


@pytest.mark.parametrize(
    ("text", "kind"), [("a", "int"), ("1.5", "int"), ("1,,2", "int"), ('["a', "str")]
)
def test_ids_that_cannot_be_read_are_refused(text, kind):
    with pytest.raises(InputError, match="--history"):
        parse_ids("--history", text, kind)


def test_json_has_no_numpy_and_no_nan(capsys):
    value = {
        "count": np.int64(3),
        "scores": np.array([1.5, np.nan], dtype=np.float32),
        "path": Path("a") / "b",
        "title": "Für Elise",
    }
    print_json(value)
    assert json.loads(capsys.readouterr().out) == {
        "count": 3,
        "scores": [1.5, None],
        "path": str(Path("a") / "b"),
        "title": "Für Elise",
    }


def test_plain_leaves_plain_values_alone():
    assert plain([1, "a", None, True, {"x": 2.5}]) == [1, "a", None, True, {"x": 2.5}]


def test_a_table_that_is_piped_is_not_cut(capsys):
    title = "a long title " * 30
    print_table(["title"], [[title]])
    assert title.strip() in capsys.readouterr().out


def test_square_brackets_in_a_table_are_text(capsys):
    print_table(["title"], [["[bold]intro[/bold]"]])
    assert "[bold]intro[/bold]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (True, "yes"), (1234567, "1,234,567"), (0.123456, "0.1235"), (12345.6, "12,346")],
)
def test_numbers_are_shown_as_one_reads_them(value, text):
    assert shown(value) == text
