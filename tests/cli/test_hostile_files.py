"""Whatever a file holds, each command answers in one line that names it, with exit code 2."""

import gzip
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastrec.data import Interactions
from fastrec.storage import container
from tests.cli.outcome import check_human_error

TRAIN = ("--user", "session", "--item", "item", "--quiet")
LOG = b"session,item\n1,2\n1,3\n"
is_root = not hasattr(os, "geteuid") or os.geteuid() == 0


def reading_model(path, queries="none.parquet"):
    """Every command that opens a model file."""
    return {
        "info": ("info", path),
        "recommend": ("recommend", path, "--history", "1"),
        "similar": ("similar", path, "1"),
        "evaluate": ("evaluate", path, *ASKED, "--queries", queries),
        "export": ("export", path, "--out", "v.txt"),
        "analogy": ("analogy", path, "--positive", "1"),
        "plot": ("plot", "vectors", path, "--top", "2", "--out", "p.png"),
    }


ASKED = ("--history", "prefix", "--target", "target")
COMMANDS = sorted(reading_model(""))


@pytest.fixture(params=COMMANDS)
def read(request, fastrec, folder, tmp_path, monkeypatch):
    """Run one of the commands that open a model, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda path: fastrec(*reading_model(path, folder / "test.parquet")[request.param])


@pytest.fixture
def train(fastrec, tmp_path):
    """Train on a file."""
    return lambda path: fastrec(
        "train", "popularity", "--data", path, *TRAIN, "--out", tmp_path / "m"
    )


def test_a_folder_is_no_model(read, tmp_path):
    (tmp_path / "model").mkdir()
    check_human_error(read("model"), "model", "is a folder, expected a file")


def test_a_missing_file_is_no_model(read):
    check_human_error(read("model"), "there is no file model")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "is empty"), (b"a,b\n1,2\n", "is not a fastrec file"), (bytes(99), "is not a fastrec")],
    ids=["empty", "a CSV file", "zeros"],
)
def test_a_file_of_something_else_is_no_model(read, tmp_path, content, words):
    (tmp_path / "model").write_bytes(content)
    check_human_error(read("model"), "'model'", words)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
def test_a_model_that_was_cut_short_is_truncated(read, tmp_path, model_file, share):
    content = model_file.read_bytes()
    (tmp_path / "model").write_bytes(content[: int(share * len(content))])
    check_human_error(read("model"), "'model' is truncated", "copy or save it again")


def test_a_model_of_a_newer_version_asks_for_an_upgrade(read, tmp_path, model_file):
    old = container.read(model_file)
    newer = {**old.metadata, "format_version": "99", "fastrec_version": "9.1"}
    container.write(tmp_path / "model", old.arrays, newer)
    check_human_error(read("model"), "newer version", "fastrec 9.1", "pip install --upgrade")


@pytest.mark.skipif(is_root, reason="root may read it")
def test_a_model_that_may_not_be_read_is_named(read, tmp_path, model_file):
    (tmp_path / "model").write_bytes(model_file.read_bytes())
    (tmp_path / "model").chmod(0)
    check_human_error(read("model"), "model", "not readable")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04 no archive", "no npz archive"),
        (b"PAR1 no table PAR1", "no Parquet file"),
        (b"9 2\nup 0 1\n", "vectors"),
        (b"1 2\nup nan 1\n", "NaN"),
    ],
    ids=["npz", "Parquet", "too few vectors", "NaN"],
)
@pytest.mark.parametrize("command", ["similar", "analogy", "plot"])
def test_damaged_vectors_are_named(fastrec, tmp_path, monkeypatch, command, content, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vectors").write_bytes(content)
    check_human_error(fastrec(*reading_model("vectors")[command]), "vectors", words)


def test_an_empty_folder_is_no_log(fastrec, tmp_path):
    (tmp_path / "empty").mkdir()
    done = fastrec("train", "popularity", "--data", tmp_path / "empty", "--out", tmp_path / "m")
    check_human_error(done, "neither Parquet files nor a log")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("log.csv", b"", ["log.csv is empty"]),
        ("log.csv", b"session,item\n", ["the log is empty"]),
        ("log.csv", "session,item\nJosé,1\n".encode("latin-1"), ["no CSV file in UTF-8"]),
        ("log.csv", b"session,item\n1,2\n" * 9999 + b"\xe9,1\n", ["log.csv"]),
        ("log.csv", "session,item\n1,2\n".encode("utf-16"), ["no CSV file in UTF-8"]),
        ("log.csv", b"session,item\n1,2\n1\n", ["log.csv", "Expected 2 columns, got 1"]),
        ("log.csv", b"session,item\n1,\n", ["must not be missing"]),
        ("log.csv", b"session,item\n1,2.5\n", ["whole numbers or strings", "double"]),
        ("log.csv", b"item,session,item\n1,2,3\n", ["2 columns 'item'"]),
        ("log.csv.gz", b"session,item\n1,2\n", ["not packed by gzip"]),
        ("log.csv.gz", gzip.compress(b"session,item\n1,2\n")[:-12], ["log.csv.gz"]),
        ("log.csv.gz", b"", ["log.csv.gz is empty"]),
        ("log.csv", b"PAR1" + bytes(range(256)) + b"PAR1", ["log.csv is no CSV file"]),
        ("log.parquet", b"", ["log.parquet is no Parquet file"]),
        ("log.parquet", LOG, ["log.parquet is no Parquet file"]),
        ("log.parquet", b"PAR1 but not really", ["log.parquet is no Parquet file"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_holds_no_log_is_named(train, tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    check_human_error(train(tmp_path / name), *words)


@pytest.mark.parametrize("name", ["log.csv", "log.parquet"])
def test_a_folder_that_is_called_like_a_file_holds_no_log(train, tmp_path, name):
    (tmp_path / name).mkdir()
    check_human_error(train(tmp_path / name), name)


def test_a_parquet_file_that_was_cut_short_is_named(train, folder, tmp_path):
    content = (folder / "train.parquet").read_bytes()
    (tmp_path / "log.parquet").write_bytes(content[: len(content) // 2])
    check_human_error(train(tmp_path / "log.parquet"), "log.parquet is no Parquet file")


@pytest.mark.parametrize("part", ["item.npy", "log.json", "history_offsets.npy"])
@pytest.mark.parametrize("content", [None, b"", b"\x93NUMPY", b"{}"], ids=str)
def test_a_damaged_saved_log_is_named(fastrec, tmp_path, part, content):
    Interactions.from_sequences([[1, 2]]).save(tmp_path / "saved")
    if content is None:
        (tmp_path / "saved" / part).unlink()
    else:
        (tmp_path / "saved" / part).write_bytes(content)
    done = fastrec("train", "popularity", "--data", tmp_path / "saved", "--out", tmp_path / "m")
    check_human_error(done, "saved")


@pytest.mark.skipif(is_root, reason="root may read it")
@pytest.mark.parametrize("name", ["log.csv", "log.parquet"])
def test_a_log_that_may_not_be_read_is_named(train, tmp_path, name):
    (tmp_path / name).write_bytes(LOG)
    (tmp_path / name).chmod(0)
    check_human_error(train(tmp_path / name), name, "not readable")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "size is 0 bytes"), (LOG, "magic bytes not found")],
    ids=["empty", "a CSV file"],
)
def test_queries_that_are_no_parquet_are_named(fastrec, model_file, tmp_path, content, words):
    (tmp_path / "q.parquet").write_bytes(content)
    done = fastrec("evaluate", model_file, "--queries", tmp_path / "q.parquet")
    check_human_error(done, "q.parquet is no Parquet file", words)


def test_a_folder_that_is_called_like_a_file_holds_no_queries(fastrec, model_file, tmp_path):
    (tmp_path / "q.parquet").mkdir()
    done = fastrec("evaluate", model_file, "--queries", tmp_path / "q.parquet")
    check_human_error(done, "q.parquet' has no .parquet files")


def test_queries_without_rows_are_named(fastrec, model_file, tmp_path):
    empty = pa.table({"history": pa.array([], pa.list_(pa.int64())), "target": pa.array([], "i8")})
    pq.write_table(empty, tmp_path / "q.parquet")
    done = fastrec("evaluate", model_file, "--queries", tmp_path / "q.parquet")
    check_human_error(done, "q.parquet has no rows")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"a b c\n", "line 1"), (b"\xff\xff\n", "UTF-8"), (b":\n", "section"), (b"", "no questions")],
    ids=["three words", "no text", "no name", "empty"],
)
def test_a_file_of_no_questions_is_named(fastrec, model_file, tmp_path, content, words):
    (tmp_path / "questions").write_bytes(content)
    done = fastrec("analogy", model_file, "--questions", tmp_path / "questions")
    check_human_error(done, words)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX")
@pytest.mark.parametrize("ending", ["txt", "npz", "parquet"])
def test_an_export_replaces_no_pipe(fastrec, model_file, tmp_path, ending):
    pipe = tmp_path / f"v.{ending}"
    os.mkfifo(pipe)
    check_human_error(fastrec("export", model_file, "--out", pipe), "a device, a pipe or a socket")
    assert pipe.is_fifo()


@pytest.mark.skipif(is_root, reason="root may write there")
def test_a_folder_that_may_not_be_written_to_is_named(fastrec, model_file, tmp_path):
    tmp_path.chmod(0o500)
    done = fastrec("export", model_file, "--out", tmp_path / "v.txt")
    tmp_path.chmod(0o700)
    check_human_error(done, "could not write", "Permission denied")
