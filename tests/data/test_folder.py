"""Logs on disk: saved, opened, damaged, streamed from a file."""

import json
import multiprocessing
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from fastrec.data import folder, readers, streaming
from fastrec.data.interactions import Interactions
from fastrec.errors import FastrecError, FormatError, InputError
from tests.data.logs import ALL_COLUMNS, drawn_log, histories_of, rows_of
from tests.scratch import unsynced


@pytest.fixture
def log():
    """A log with everything that a log can have."""
    made = Interactions.from_arrays(
        user=["ann", "bob", "ann"],
        session=[1, 1, 2],
        item=[7, 5, 9],
        time=np.array([3, 1, 2], "M8[ms]"),
        value=[1, 2, 3],
        context={"place": ["home", "bus", "home"], "hour/of day": [1, 2, 3]},
    )
    items = {"id": [5, 7, 9], "title": ["five", "sieben", "九"], "year": [1, 2, 3]}
    return made.with_items(items, id="id").with_users({"u": ["bob", "ann"], "age": [3, 4]}, id="u")


def assert_equal(log, expected):
    """Compare two logs, side tables too."""
    assert rows_of(log) == rows_of(expected)
    assert log.history_offsets.tolist() == expected.history_offsets.tolist()
    assert log.time_unit == expected.time_unit
    for name in ("user_ids", "session_ids", "item_ids", "context_ids"):
        assert getattr(log, name) == getattr(expected, name)
    for name in ("users", "items"):
        mine, theirs = getattr(log, name), getattr(expected, name)
        assert (mine is None) == (theirs is None)
        for column in mine or {}:
            assert mine[column].tolist() == theirs[column].tolist()


def test_a_saved_log_opens_as_it_was(log, tmp_path):
    log.save(tmp_path / "log")
    assert_equal(Interactions.open(tmp_path / "log"), log)


@given(wanted=ALL_COLUMNS)
def test_any_log_opens_as_it_was(wanted, scratch):
    log = drawn_log(wanted)
    with unsynced():
        log.save(scratch / "log")
    assert_equal(Interactions.open(scratch / "log"), log)


def test_columns_of_an_opened_log_are_mapped_files(log, tmp_path):
    log.save(tmp_path / "log")
    item = Interactions.open(tmp_path / "log").item
    while item.base is not None and not isinstance(item, np.memmap):
        item = item.base
    assert isinstance(item, np.memmap)


def test_saving_again_replaces_the_log_even_by_itself(log, tmp_path):
    log.save(tmp_path / "log")
    opened = Interactions.open(tmp_path / "log")
    opened.take([0]).save(tmp_path / "log")
    opened.save(tmp_path / "other")
    assert len(Interactions.open(tmp_path / "log")) == 1
    assert_equal(Interactions.open(tmp_path / "other"), log)
    assert sorted(os.listdir(tmp_path)) == ["log", "other"]


def test_what_is_no_log_is_not_replaced(log, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    for path in (tmp_path, tmp_path / "letter.txt"):
        with pytest.raises(InputError, match="exists and is no log"):
            log.save(path)
    assert (tmp_path / "letter.txt").read_text() == "dear"


def test_a_log_that_cannot_be_written_leaves_the_old_one(log, tmp_path, monkeypatch):
    log.save(tmp_path / "log")

    def disk_full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(folder, "write_array", disk_full)
    with pytest.raises(FastrecError, match=r"could not write .* no space"):
        log.take([0]).save(tmp_path / "log")
    assert os.listdir(tmp_path) == ["log"]
    assert_equal(Interactions.open(tmp_path / "log"), log)


def test_a_name_that_cannot_be_taken_puts_the_old_log_back(log, tmp_path, monkeypatch):
    log.save(tmp_path / "log")
    rename = folder.Path.rename

    def refuse(path, target):
        if path.suffix == ".new":
            raise OSError("denied")
        return rename(path, target)

    monkeypatch.setattr(folder.Path, "rename", refuse)
    with pytest.raises(FastrecError, match=r"could not write .* denied"):
        log.take([0]).save(tmp_path / "log")
    assert_equal(Interactions.open(tmp_path / "log"), log)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda place: (place / "log.json").unlink(), r"holds no log: it has no log\.json"),
        (lambda place: (place / "log.json").write_text("{"), "is damaged"),
        (lambda place: (place / "log.json").write_text("{}"), "does not describe a log"),
        (lambda place: (place / "item.npy").unlink(), r"damaged: item\.npy"),
        (lambda place: (place / "item.npy").write_bytes(b"\x93NUMPY"), r"damaged: item\.npy"),
        (lambda place: np.save(place / "item.npy", np.zeros(2, np.int32)), "must hold 3 rows"),
        (lambda place: (place / "item_ids.ids.npy").unlink(), "of an id map is missing"),
        (lambda place: os.truncate(place / "time.npy", 140), r"damaged: time\.npy"),
    ],
)
def test_a_damaged_log_is_a_format_error(log, tmp_path, damage, message):
    log.save(tmp_path / "log")
    damage(tmp_path / "log")
    with pytest.raises(FormatError, match=message):
        Interactions.open(tmp_path / "log")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "format version 99, this fastrec reads up to 1: upgrade"),
        ({"columns": ["user", "session", "time"]}, "damaged"),
        ({"rows": None}, "lacks 'rows'"),
    ],
)
def test_a_description_that_does_not_fit_is_a_format_error(log, tmp_path, change, message):
    log.save(tmp_path / "log")
    path = tmp_path / "log" / "log.json"
    described = json.loads(path.read_text()) | change
    path.write_text(json.dumps({key: part for key, part in described.items() if part is not None}))
    with pytest.raises(FormatError, match=message):
        Interactions.open(tmp_path / "log")


def _histories_at(path):
    return histories_of(Interactions.open(path))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_open_the_same_log(log, tmp_path, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system cannot {method}")
    log.save(tmp_path / "log")
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(_histories_at, [tmp_path / "log"]) == histories_of(log)


# Streaming


@pytest.fixture
def small_steps(monkeypatch):
    """Batches and parts of a few rows, so that little data takes every path."""
    monkeypatch.setattr(readers, "BATCH_ROWS", 7)
    monkeypatch.setattr(streaming, "STEP_ROWS", 5)
    monkeypatch.setattr(streaming, "PART_ROWS", 6)
    monkeypatch.setattr(streaming, "MOST_PARTS", 9)


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize(
    "wanted",
    [
        {"user": "u", "time": "t", "value": "v", "context": ["c", "f"]},
        {"user": "u", "session": "s", "order": "v"},
        {"session": "s", "time": "t"},
        {"user": "text", "categories": ["u"]},
    ],
    ids=str,
)
def test_a_streamed_file_makes_the_same_log_as_one_read(tmp_path, wanted):
    rng = np.random.default_rng(5)
    n = 200
    columns = {
        "u": rng.integers(0, 30, n) ** 2,
        "s": rng.integers(0, 50, n),
        "text": rng.integers(0, 30, n).astype(str),
        "i": rng.integers(0, 20, n).astype(str),
        "t": rng.integers(0, 9, n),
        "v": rng.random(n),
        "c": rng.choice(["x", "y"], n),
        "f": rng.random(n),
    }
    pq.write_table(pa.table(columns), tmp_path / "x.parquet", row_group_size=50)
    read = Interactions.from_parquet(tmp_path / "x.parquet", item="i", **wanted)
    into = tmp_path / "log"
    streamed = Interactions.from_parquet(tmp_path / "x.parquet", item="i", **wanted, into=into)
    assert_equal(streamed, read)
    assert not list(into.glob("*.tmp"))
    assert sorted(os.listdir(tmp_path)) == ["log", "x.parquet"]


@pytest.mark.usefixtures("small_steps")
def test_one_user_larger_than_a_part_is_streamed_too(tmp_path):
    items = np.arange(100) % 7
    pq.write_table(pa.table({"u": np.zeros(100, int), "i": items}), tmp_path / "x.parquet")
    log = Interactions.from_parquet(
        tmp_path / "x.parquet", user="u", item="i", into=tmp_path / "log"
    )
    assert histories_of(log) == [items.tolist()]


@pytest.mark.usefixtures("small_steps")
def test_an_error_while_streaming_leaves_nothing(tmp_path):
    items = [*range(30), None]
    pq.write_table(pa.table({"u": [1] * 31, "i": items}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match=r"column 'i' .* must not be missing"):
        Interactions.from_parquet(tmp_path / "x.parquet", user="u", item="i", into=tmp_path / "log")
    assert os.listdir(tmp_path) == ["x.parquet"]


def test_a_csv_file_streams_as_well(tmp_path):
    (tmp_path / "x.csv").write_text("u,i\n2,b\n1,a\n2,c\n")
    log = Interactions.from_csv(tmp_path / "x.csv", user="u", item="i", into=tmp_path / "log")
    assert histories_of(log) == [["a"], ["b", "c"]]
