"""Vectors as a table: NumPy's npz archive and Parquet, a row an id.

An npz archive holds two arrays, ``ids`` (int64, or fixed-width strings) and
``vectors`` (float32); nothing in it needs to be unpickled. A Parquet file holds
two columns, ``id`` and ``vector``, a list of fixed length.
"""

from __future__ import annotations

import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from fastrec.data.columns import pick
from fastrec.data.readers import parquet_table, require_pyarrow, whole_column
from fastrec.errors import FormatError, InputError
from fastrec.runtime.arrays import padded_copy
from fastrec.runtime.checks import file_path
from fastrec.runtime.files import Path, open_to_read, replacing
from fastrec.storage.word2vec import first_not_finite

if TYPE_CHECKING:
    from fastrec.data.ids import IdMap

ROWS_AT_ONCE = 1 << 16


def write_npz(path: Path, ids: IdMap, matrix: np.ndarray) -> None:
    """Write the arrays ``ids`` and ``vectors``; see ``Vectors.save_npz``."""
    _check_finite(ids, matrix)
    names = ids.ids
    if ids.kind == "str":
        # Fixed-width strings: NumPy would pickle an array of objects.
        widest = max(map(len, names), default=1)
        bad = next((name for name in names if name.endswith("\0")), None)
        if bad is not None:
            raise InputError(
                f"NumPy's strings cannot hold the id {bad!r}, because they drop a NUL at the end; "
                "rename it, or save as Parquet"
            )
        names = names.astype(f"U{max(1, widest)}")
    with replacing(path) as file:
        np.savez(file, ids=names, vectors=matrix)


def read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return ids, shape (n,), and a float32 matrix; see ``Vectors.load_npz``."""
    name = file_path(path)
    with open_to_read(path) as file:
        try:
            with np.load(file, allow_pickle=False) as stored:
                ids, matrix = stored["ids"], stored["vectors"]
        except KeyError:
            raise FormatError(
                f"{name!r} must hold the arrays 'ids' and 'vectors', as Vectors.save_npz writes "
                "them"
            ) from None
        except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error, TypeError) as error:
            raise FormatError(f"{name!r} is no npz archive of plain arrays: {error}") from None
    if ids.ndim != 1 or ids.dtype.kind not in "iuU":
        raise FormatError(
            f"'ids' of {name!r} must be one column of whole numbers or strings, got {ids.dtype} "
            f"of shape {ids.shape}"
        )
    return ids, _checked(name, matrix, len(ids))


def write_parquet(path: Path, ids: IdMap, matrix: np.ndarray) -> None:
    """Write the columns ``id`` and ``vector``; see ``Vectors.to_parquet``."""
    pa = require_pyarrow("writing Parquet")
    parquet = require_pyarrow("writing Parquet", "pyarrow.parquet")
    _check_finite(ids, matrix)
    dim = matrix.shape[1]
    schema = pa.schema(
        {
            "id": pa.int64() if ids.kind == "int" else pa.string(),
            "vector": pa.list_(pa.float32(), dim),
        }
    )
    # Numbers of vectors hardly repeat: a dictionary of them would only take time.
    with (
        replacing(path) as file,
        parquet.ParquetWriter(file, schema, use_dictionary=False) as writer,
    ):
        for start in range(0, len(matrix), ROWS_AT_ONCE):
            stop = min(start + ROWS_AT_ONCE, len(matrix))
            numbers = pa.array(np.ascontiguousarray(matrix[start:stop]).reshape(-1))
            columns = [
                pa.array(ids.decode(np.arange(start, stop, dtype=np.int32)), schema.types[0]),
                pa.FixedSizeListArray.from_arrays(numbers, dim),
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema))


def read_parquet(path: Path, id: str, vector: str) -> tuple[Any, np.ndarray]:
    """Return a column of ids and a float32 matrix; see ``Vectors.from_parquet``."""
    table = parquet_table(path)
    pick(id, table.names, "id=", table.where)
    pick(vector, table.names, "vector=", table.where)
    batches = list(table.batches([id, vector]))
    if not batches:
        raise InputError(f"{table.where} has no rows")
    pieces = [_matrix_of(batch(vector), table.where, vector) for batch in batches]
    lengths = {piece.shape[1] for piece in pieces}
    if len(lengths) > 1:
        raise FormatError(
            f"the vectors of {table.where} must be of one length, got {min(lengths)} and "
            f"{max(lengths)} numbers"
        )
    ids = whole_column(batches, id)
    if ids.null_count:
        raise InputError(f"column {id!r} of {table.where} must not be missing; drop such rows")
    return ids, _checked(table.where, np.concatenate(pieces), len(ids))


def _matrix_of(column: Any, where: str, name: str) -> np.ndarray:
    """Return a piece of a column of lists as a matrix."""
    pc = require_pyarrow("reading Parquet", "pyarrow.compute")
    kind = str(column.type)
    if not kind.startswith(("list", "large_list", "fixed_size_list")):
        raise InputError(
            f"column {name!r} of {where} must hold lists of numbers, it holds {kind}; name the "
            "column of vectors with vector=..."
        )
    lengths = np.asarray(pc.list_value_length(column).fill_null(-1))
    numbers = pc.list_flatten(column)
    if len(lengths) and (lengths.min() != lengths.max() or lengths[0] < 1 or numbers.null_count):
        raise FormatError(
            f"column {name!r} of {where} must hold lists of one length without nulls, got lengths "
            f"{lengths.min()} to {lengths.max()} (-1 is null) and {numbers.null_count} null numbers"
        )
    return np.asarray(numbers).reshape(len(lengths), -1)


def _checked(where: str, matrix: np.ndarray, rows: int) -> np.ndarray:
    """Return finite float32 numbers at the kernels' row stride, or say what is wrong."""
    if matrix.ndim != 2 or matrix.dtype.kind != "f" or len(matrix) != rows:
        raise FormatError(
            f"the vectors of {where!r} must be floats of shape ({rows}, dim), got {matrix.dtype} "
            f"of shape {matrix.shape}"
        )
    with np.errstate(over="ignore"):  # what overflows is infinite, and is found as that
        padded = padded_copy(matrix)[:, : matrix.shape[1]]
    bad = first_not_finite(padded)
    if bad is not None:
        raise FormatError(
            f"row {bad} of {where!r} holds NaN or infinity in float32; expected finite numbers"
        )
    return padded


def _check_finite(ids: IdMap, matrix: np.ndarray) -> None:
    bad = first_not_finite(matrix)
    if bad is not None:
        [id] = ids.decode([bad]).tolist()
        raise InputError(f"the vector of {id!r} holds NaN or infinity; expected finite numbers")
