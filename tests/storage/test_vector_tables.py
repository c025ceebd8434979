"""Vectors as npz and Parquet: what comes back, who else reads it, and what damage is called."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrec.data import IdMap
from fastrec.errors import FormatError, InputError
from fastrec.runtime.arrays import padded_copy
from fastrec.search import Vectors

FORMATS = ("npz", "parquet")
WORDS = ["naïve", "日本", "a b", ""]
MATRIX = np.array([[1, -2.5, 0.1], [0, 3e-9, -4e20], [7, 8, 9], [0, 0, 0]], dtype=np.float32)


def vectors_of(ids, matrix=MATRIX):
    ids, codes = IdMap.from_ids(ids)
    return Vectors(ids.take(codes) if ids.kind == "int" else ids, padded_copy(matrix)[:, :3])


def save(vectors, path, form):
    (vectors.save_npz if form == "npz" else vectors.to_parquet)(path)
    return path


def load(path, form):
    return (Vectors.load_npz if form == "npz" else Vectors.from_parquet)(path)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "vectors"


# What comes back


@pytest.mark.parametrize("ids", [WORDS, [9, 2, 2**62, 0]], ids=["words", "numbers"])
@pytest.mark.parametrize("form", FORMATS)
def test_vectors_come_back_in_their_order(path, form, ids):
    vectors = vectors_of(ids)
    loaded = load(save(vectors, path, form), form)
    assert loaded.ids == vectors.ids
    assert list(loaded) == ids
    np.testing.assert_array_equal(loaded.matrix, vectors.matrix)


@given(
    names=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5),
        min_size=1,
        max_size=4,
        unique=True,
    ),
    form=st.sampled_from(FORMATS),
)
def test_words_of_any_script_come_back(tmp_path_factory, names, form):
    path = tmp_path_factory.mktemp("tables") / "v"
    vectors = vectors_of(names, MATRIX[: len(names)])
    assert list(load(save(vectors, path, form), form)) == names


def test_no_vectors_come_back_from_npz(path):
    empty = Vectors(IdMap.from_ids([])[0], np.empty((0, 3), np.float32))
    loaded = load(save(empty, path, "npz"), "npz")
    assert (len(loaded), loaded.dim) == (0, 3)


@pytest.mark.parametrize("rows_at_once", [1, 3])
def test_parquet_is_written_in_pieces(path, monkeypatch, rows_at_once):
    monkeypatch.setattr("fastrec.storage.vector_tables.ROWS_AT_ONCE", rows_at_once)
    vectors = vectors_of(WORDS)
    loaded = load(save(vectors, path, "parquet"), "parquet")
    assert loaded.ids == vectors.ids
    np.testing.assert_array_equal(loaded.matrix, vectors.matrix)


# Who else reads it


@pytest.mark.parametrize("ids", [WORDS, [9, 2, 5, 0]], ids=["words", "numbers"])
def test_numpy_reads_the_archive_without_unpickling(path, ids):
    with np.load(save(vectors_of(ids), path, "npz"), allow_pickle=False) as stored:
        assert stored["ids"].tolist() == ids
        np.testing.assert_array_equal(stored["vectors"], MATRIX)


@pytest.mark.parametrize("read", [pd.read_parquet, pl.read_parquet])
def test_pandas_and_polars_read_the_table(path, read):
    table = read(save(vectors_of(WORDS), path, "parquet"))
    assert list(table["id"]) == WORDS
    np.testing.assert_array_equal(np.stack([np.asarray(row) for row in table["vector"]]), MATRIX)


def test_duckdb_reads_the_table(path):
    duckdb = pytest.importorskip("duckdb")
    save(vectors_of(WORDS), path, "parquet")
    rows = duckdb.sql(f"select id, vector from read_parquet('{path}')").fetchall()
    assert [id for id, _ in rows] == WORDS
    np.testing.assert_array_equal(np.array([row for _, row in rows], np.float32), MATRIX)


def test_the_vectors_of_the_table_are_lists_of_fixed_length(path):
    schema = pq.read_schema(save(vectors_of([9, 2, 5, 0]), path, "parquet"))
    assert schema.field("id").type == pa.int64()
    assert schema.field("vector").type == pa.list_(pa.float32(), 3)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_archives_of_other_floats_become_float32(path, dtype):
    with path.open("wb") as file:
        np.savez(file, ids=np.array(["a", "b"]), vectors=np.array([[1, 2], [3, 4]], dtype))
    np.testing.assert_array_equal(Vectors.load_npz(path).matrix, [[1, 2], [3, 4]])


@pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.large_list(pa.float32())])
def test_tables_of_other_lists_and_names_are_read(path, kind):
    rows = pa.array([[1, 2], [3, 4]], kind)
    pq.write_table(pa.table({"word": ["x", "y"], "embedding": rows}), path)
    loaded = Vectors.from_parquet(path, id="word", vector="embedding")
    np.testing.assert_array_equal(loaded[["y", "x"]], [[3, 4], [1, 2]])


def test_a_folder_of_tables_is_read_as_one(tmp_path):
    vectors_of(["a", "b", "c", "d"]).to_parquet(tmp_path / "0.parquet")
    vectors_of(["e", "f", "g", "h"]).to_parquet(tmp_path / "1.parquet")
    assert list(Vectors.from_parquet(tmp_path)) == list("abcdefgh")


# A crash leaves the old file


@pytest.mark.parametrize("form", FORMATS)
def test_a_failed_save_leaves_the_old_file(path, form, monkeypatch):
    path.write_bytes(b"old")
    vectors = vectors_of(WORDS)

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(KeyboardInterrupt):
        save(vectors, path, form)
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == [path.name]


# What cannot be written


@pytest.mark.parametrize("form", FORMATS)
def test_numbers_that_are_not_finite_are_refused(path, form):
    matrix = MATRIX.copy()
    matrix[1, 2] = np.nan
    with pytest.raises(InputError, match="'日本' holds NaN"):
        save(vectors_of(WORDS, matrix), path, form)
    assert not path.exists()


def test_an_id_that_numpy_would_cut_is_refused(path):
    with pytest.raises(InputError, match=r"cannot hold the id 'x\\x00'"):
        vectors_of(["x\0", "x", "y", "z"]).save_npz(path)


@pytest.mark.parametrize("method", ["to_parquet", "from_parquet"])
def test_without_pyarrow_it_says_how_to_install_it(tmp_path, method):
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "import numpy as np, fastrec as fr\n"
        "vectors = fr.Vectors(fr.IdMap.from_ids([1])[0], np.ones((1, 2), np.float32))\n"
        f"try: vectors.{method}({str(tmp_path / 'v')!r})\n"
        "except fr.InputError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert 'pip install "fastrec-engine[data]"' in done.stdout


# What cannot be read


def write_npz(path, **arrays):
    with path.open("wb") as file:
        np.savez(file, **arrays)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"ids": [1, 2]}, "must hold the arrays 'ids' and 'vectors'"),
        ({"ids": [1.5], "vectors": [[1.0]]}, "got float64 of shape"),
        ({"ids": [[1]], "vectors": [[1.0]]}, r"got int64 of shape \(1, 1\)"),
        ({"ids": [1, 2], "vectors": [[1.0]]}, r"floats of shape \(2, dim\).* of shape \(1, 1\)"),
        ({"ids": [1], "vectors": [1.0]}, r"of shape \(1,\)"),
        ({"ids": [1], "vectors": [[1]]}, "got int64"),
        ({"ids": [1, 2], "vectors": [[1.0], [np.nan]]}, "row 1 .* holds NaN"),
        ({"ids": [1, 2], "vectors": [[1.0], [1e300]]}, "row 1 .* infinity"),
        ({"ids": ["a", "b", "a"], "vectors": [[1.0]] * 3}, "row 2 .* repeats the id 'a' of row 0"),
        ({"ids": [7, 3, 3], "vectors": [[1.0]] * 3}, "row 2 .* repeats the id 3 of row 1"),
        ({"ids": np.array(["a", None]), "vectors": [[1.0]] * 2}, "no npz archive of plain arrays"),
    ],
)
def test_archives_of_another_form_are_refused(path, arrays, message):
    write_npz(path, **{name: np.array(array) for name, array in arrays.items()})
    with pytest.raises(FormatError, match=message):
        Vectors.load_npz(path)


def test_negative_ids_are_refused(path):
    write_npz(path, ids=np.array([1, -5]), vectors=np.ones((2, 2)))
    with pytest.raises(InputError, match="at least 0"):
        Vectors.load_npz(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"text", b"\x80\x04K\x01."])
def test_what_is_no_archive_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(FormatError, match="no npz archive"):
        Vectors.load_npz(path)


def test_a_single_array_is_no_archive(path):
    with path.open("wb") as file:
        np.save(file, MATRIX)
    with pytest.raises(FormatError, match="no npz archive"):
        Vectors.load_npz(path)


@pytest.mark.parametrize("cut", [1, 10, 100, 200, 500])
def test_truncated_archives_are_refused(path, cut):
    content = save(vectors_of(WORDS), path, "npz").read_bytes()
    path.write_bytes(content[:-cut])
    with pytest.raises(FormatError):
        Vectors.load_npz(path)


def test_an_archive_with_a_flipped_byte_is_refused(path):
    content = bytearray(save(vectors_of(WORDS), path, "npz").read_bytes())
    content[content.index(MATRIX.tobytes()) + 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(FormatError, match="no npz archive"):
        Vectors.load_npz(path)


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ({"id": [1]}, InputError, "no column 'vector'"),
        ({"vector": [[1.0]]}, InputError, "no column 'id'"),
        ({"id": [1], "vector": [1.0]}, InputError, "must hold lists of numbers, it holds double"),
        ({"id": [1, 2], "vector": [[1.0], [1.0, 2.0]]}, FormatError, "lengths 1 to 2"),
        ({"id": [1, 2], "vector": [[1.0], None]}, FormatError, "lengths -1 to 1"),
        ({"id": [1, 2], "vector": [[1.0], [None]]}, FormatError, "1 null numbers"),
        ({"id": [1, 2], "vector": [[1.0], [np.inf]]}, FormatError, "row 1 .* infinity"),
        ({"id": [1], "vector": [["x"]]}, FormatError, "must be floats"),
        ({"id": [1, None], "vector": [[1.0], [1.0]]}, InputError, "must not be missing"),
        ({"id": ["a", "a"], "vector": [[1.0], [1.0]]}, FormatError, "row 1 .* repeats the id 'a'"),
    ],
)
def test_tables_of_another_form_are_refused(path, columns, error, message):
    pq.write_table(pa.table(columns), path)
    with pytest.raises(error, match=message):
        Vectors.from_parquet(path)


def test_a_table_without_rows_is_refused(path):
    pq.write_table(
        pa.table({"id": pa.array([], pa.int64()), "vector": pa.array([], pa.list_(pa.float32()))}),
        path,
    )
    with pytest.raises(InputError, match="no rows"):
        Vectors.from_parquet(path)


def test_tables_of_different_lengths_are_refused(tmp_path):
    for name, vector in (("0", [1.0]), ("1", [1.0, 2.0])):
        pq.write_table(pa.table({"id": [name], "vector": [vector]}), tmp_path / f"{name}.parquet")
    with pytest.raises(FormatError, match="of one length, got 1 and 2"):
        Vectors.from_parquet(tmp_path)


@pytest.mark.parametrize("form", FORMATS)
def test_a_missing_file_is_named(path, form):
    with pytest.raises(InputError, match="there is no file"):
        load(path, form)
