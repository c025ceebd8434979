"""Parquet files and tables in memory."""

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastrec.data import readers
from fastrec.data.convert import as_interactions
from fastrec.data.interactions import Interactions
from fastrec.errors import FormatError, InputError

COLUMNS = {
    "who": ["ann", "bob", "ann", "cid", "bob", "ann"],
    "visit": [3, 1, 2, 1, 1, 3],
    "track": [7, 5, 5, 9, 7, 9],
    "ts": [30, 10, 20, 5, 11, 31],
    "stars": [1.0, 2.5, 3.0, 4.0, 5.0, 0.5],
    "place": ["home", "bus", "home", "bus", "car", "car"],
    "hour": [1, 2, 3, 4, 5, 6],
    "odd": [[1], [], [2], [3], [4], [5]],
}
ROLES = {
    "user": "who",
    "session": "visit",
    "item": "track",
    "time": "ts",
    "value": "stars",
    "context": ["place", "hour"],
}
ARRAYS = {
    **{role: COLUMNS[name] for role, name in ROLES.items() if role != "context"},
    "context": {name: COLUMNS[name] for name in ROLES["context"]},
}


def assert_same(log, expected):
    """Compare two logs column by column."""
    for name in ("user", "session", "item", "time", "value", "history_offsets"):
        mine, theirs = getattr(log, name), getattr(expected, name)
        assert (mine is None) == (theirs is None), name
        assert mine is None or (mine.dtype, mine.tolist()) == (theirs.dtype, theirs.tolist()), name
    for name in ("user_ids", "session_ids", "item_ids", "time_unit", "context_ids"):
        assert getattr(log, name) == getattr(expected, name), name
    assert log.context.keys() == expected.context.keys()
    for name, column in log.context.items():
        assert column.tolist() == expected.context[name].tolist(), name


@pytest.fixture
def plays(tmp_path):
    """A Parquet file of several row groups, its rows in no order."""
    path = tmp_path / "plays.parquet"
    pq.write_table(pa.table(COLUMNS), path, row_group_size=2)
    return path


@pytest.fixture
def without_pyarrow(monkeypatch):
    """A Python in which pyarrow is not installed."""
    for name in list(sys.modules):
        if name.split(".")[0] == "pyarrow":
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)


def test_a_parquet_file_says_the_same_as_its_columns(plays):
    assert_same(Interactions.from_parquet(plays, **ROLES), Interactions.from_arrays(**ARRAYS))


def test_batches_of_a_file_make_one_log(plays, monkeypatch):
    monkeypatch.setattr(readers, "BATCH_ROWS", 2)
    assert_same(Interactions.from_parquet(plays, **ROLES), Interactions.from_arrays(**ARRAYS))


def test_a_folder_and_a_list_of_files_are_read_one_after_the_other(tmp_path):
    table = pa.table(COLUMNS)
    pq.write_table(table.slice(0, 4), tmp_path / "1.parquet")
    pq.write_table(table.slice(4), tmp_path / "2.parquet")
    expected = Interactions.from_arrays(**ARRAYS)
    files = [str(tmp_path / "1.parquet"), tmp_path / "2.parquet"]
    assert_same(Interactions.from_parquet(tmp_path, **ROLES), expected)
    assert_same(Interactions.from_parquet(files, **ROLES), expected)


def test_strings_of_a_parquet_file_stored_as_categories_are_ids(tmp_path):
    table = pa.table(
        {"who": pa.array(COLUMNS["who"]).dictionary_encode(), "track": COLUMNS["track"]}
    )
    pq.write_table(table, tmp_path / "x.parquet")
    log = Interactions.from_parquet(tmp_path / "x.parquet", user="who", item="track")
    assert log.user_ids.ids.tolist() == ["ann", "bob", "cid"]


def test_numbers_can_be_named_categories(plays):
    log = Interactions.from_parquet(plays, user="who", item="track", categories=["hour"])
    assert log.context_ids["hour"].ids.tolist() == [1, 2, 3, 4, 5, 6]


def test_an_unknown_column_is_an_error_that_lists_what_there_is(plays):
    with pytest.raises(
        InputError, match="no column 'trakc', given as item=; it has 'who', 'visit'"
    ):
        Interactions.from_parquet(plays, user="who", item="trakc")
    with pytest.raises(InputError, match="did you mean 'track'"):
        Interactions.from_parquet(plays, user="who", item="Trakc")


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"user": "who", "item": "who"}, "user= and item= both name the column 'who'"),
        ({"item": "track"}, "user= or session= must be given"),
        ({"user": "who", "item": "track", "context": "place"}, r"use \['place'\]"),
        ({"user": "who", "item": 5}, "item= must be the name of a column, got 5"),
        ({"user": "who", "item": "stars"}, "column 'stars' must be whole numbers or strings"),
        (
            {"user": "who", "item": "odd"},
            "column 'odd' must be whole numbers or strings, got dtype",
        ),
        ({"user": "who", "item": "track", "time": "place"}, "column 'place' must hold whole num"),
        ({"user": "who", "item": "track", "value": "place"}, "column 'place' must hold numbers"),
        ({"user": "who", "item": "track", "value": "odd"}, "column 'odd' must"),
        ({"user": "who", "item": "track", "time_unit": "s"}, "give time= too"),
    ],
    ids=str,
)
def test_roles_that_do_not_fit_are_refused(plays, roles, message):
    with pytest.raises(InputError, match=message):
        Interactions.from_parquet(plays, **roles)


def test_a_null_is_named_with_its_column_and_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "BATCH_ROWS", 2)
    pq.write_table(pa.table({"u": [1, 2, 3, 4], "i": [1, 2, 3, None]}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match=r"column 'i' \(counting from row 2\) must not .* row 1"):
        Interactions.from_parquet(tmp_path / "x.parquet", user="u", item="i")


def test_an_empty_file_is_an_empty_log(tmp_path):
    empty = pa.table({"u": pa.array([], pa.int64()), "i": pa.array([], pa.int64())})
    pq.write_table(empty, tmp_path / "x.parquet")
    with pytest.raises(InputError, match="the log is empty"):
        Interactions.from_parquet(tmp_path / "x.parquet", user="u", item="i")


def test_files_that_are_not_there_are_named(tmp_path):
    with pytest.raises(InputError, match=r"there is no file .*nothing\.parquet"):
        Interactions.from_parquet(tmp_path / "nothing.parquet", user="u", item="i")
    with pytest.raises(InputError, match=r"has no \.parquet files"):
        Interactions.from_parquet(tmp_path, user="u", item="i")
    with pytest.raises(InputError, match="got none"):
        Interactions.from_parquet([], user="u", item="i")


def test_a_file_that_is_no_parquet_is_a_format_error(tmp_path):
    (tmp_path / "x.parquet").write_text("user,item")
    with pytest.raises(FormatError, match="is no Parquet file"):
        Interactions.from_parquet(tmp_path / "x.parquet", user="u", item="i")


def test_a_damaged_parquet_file_is_a_format_error(tmp_path):
    path = tmp_path / "x.parquet"
    numbers = np.arange(50_000)
    pq.write_table(pa.table({"u": numbers, "i": numbers}), path, use_dictionary=False)
    whole = bytearray(path.read_bytes())
    whole[200:2_000] = b"\xff" * 1_800
    path.write_bytes(whole)
    with pytest.raises(FormatError, match="is damaged"):
        Interactions.from_parquet(path, user="u", item="i")


def test_files_of_different_columns_are_refused(tmp_path):
    pq.write_table(pa.table({"u": [1], "i": [1]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"u": [1], "x": [1]}), tmp_path / "2.parquet")
    with pytest.raises(InputError, match=r"2\.parquet has no column 'i', unlike .*1\.parquet"):
        Interactions.from_parquet(tmp_path, user="u", item="i")


@pytest.mark.usefixtures("without_pyarrow")
def test_without_pyarrow_the_line_that_installs_it_is_said():
    with pytest.raises(
        InputError, match=r'needs pyarrow, .*: pip install "fastrec-engine\[data\]"'
    ):
        Interactions.from_parquet("x.parquet", user="u", item="i")


# Tables in memory


class Stream:
    """Something that only speaks the Arrow stream interface, and only once."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        table, self.table = self.table, None
        return table.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize(
    "table",
    [
        COLUMNS,
        {name: np.array(column, object) for name, column in COLUMNS.items()},
        pa.table(COLUMNS),
        pa.table(COLUMNS).to_batches()[0],
        Stream(pa.concat_tables([pa.table(COLUMNS).slice(0, 2), pa.table(COLUMNS).slice(2)])),
    ],
    ids=lambda table: type(table).__name__,
)
def test_a_table_in_memory_says_the_same_as_its_columns(table):
    assert_same(Interactions.from_arrow(table, **ROLES), Interactions.from_arrays(**ARRAYS))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_data_frame_says_the_same_as_its_columns(library):
    frame = pytest.importorskip(library).DataFrame(COLUMNS)
    assert_same(Interactions.from_arrow(frame, **ROLES), Interactions.from_arrays(**ARRAYS))


def test_a_data_frame_is_read_without_pyarrow(request):
    frame = pytest.importorskip("pandas").DataFrame(COLUMNS)
    expected = Interactions.from_arrays(**ARRAYS)
    request.getfixturevalue("without_pyarrow")
    assert_same(Interactions.from_arrow(frame, **ROLES), expected)


def test_what_is_no_table_is_refused():
    with pytest.raises(
        InputError, match="DataFrame, an Arrow table or a dict of columns, got list"
    ):
        Interactions.from_arrow([1], user="u", item="i")


# Whatever a model may be trained on


def test_a_log_is_returned_as_it_is():
    log = Interactions.from_arrays(**ARRAYS)
    assert as_interactions(log) is log


@pytest.mark.parametrize("make", [dict, pa.table, lambda columns: Stream(pa.table(columns))])
def test_a_table_with_the_usual_names_becomes_a_log(make):
    columns = {"user": [2, 1], "item": ["a", "b"], "time": [1, 2], "other": [0, 0]}
    log = as_interactions(make(columns))
    assert log.item_ids.decode(log.item).tolist() == ["b", "a"]
    assert log.time.tolist() == [2, 1]


def test_lists_and_matrices_become_logs():
    scipy_sparse = pytest.importorskip("scipy.sparse")
    assert len(as_interactions([[1, 2], [3]])) == 3
    assert len(as_interactions(scipy_sparse.eye(3))) == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"item": [1]}, "must have the columns 'item' and 'user' or 'session', got 'item'"),
        ("plays.parquet", "read it with Interactions.from_parquet"),
        (5, "got int"),
        ([1, 2, 3], "list of lists"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(data, message):
    with pytest.raises(InputError, match=message):
        as_interactions(data)
