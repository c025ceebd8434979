"""Tables that come in batches of Arrow or NumPy columns: Parquet files and tables in memory."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastrec.errors import FormatError, InputError
from fastrec.runtime import checks

BATCH_ROWS = 1 << 18
INSTALL = 'pip install "fastrec-engine[data]"'

Batch = Callable[[str], Any]


@dataclass(frozen=True)
class Table:
    """Named columns that come in batches.

    Attributes
    ----------
    names : list of str
        The columns there are.
    where : str
        What the table is, for messages.
    batches : callable
        Takes the columns that are wanted and yields batches; a batch gives a column by its name.
    """

    names: list[str]
    where: str
    batches: Callable[[list[str]], Iterator[Batch]]


def require_pyarrow(purpose: str, module: str = "pyarrow") -> Any:
    """Return a module of pyarrow.

    Raises
    ------
    InputError
        It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InputError(f"{purpose} needs pyarrow, which is not installed: {INSTALL}") from None


def files_of(path: Any, ending: str) -> list[Path]:
    """Return the files that ``path``, a file, a folder or a list of files, stands for.

    Raises
    ------
    InputError
        There are none.
    """
    paths = [path]
    if not isinstance(path, (str, os.PathLike)):
        paths = checks.listed("path", path, "a path or a list of paths")
    files: list[Path] = []
    for place in (Path(checks.file_path(name)) for name in paths):
        if os.path.isdir(place):  # unlike Path's own, False where a folder may not be looked into
            inside = sorted(place.glob(f"*{ending}"))
            if not inside:
                raise InputError(f"the folder {str(place)!r} has no {ending} files")
            files += inside
        elif os.path.exists(place):
            files.append(place)
        else:
            may_look = os.access(place.parent, os.X_OK) or not os.path.exists(place.parent)
            why = "" if may_look else ", or none that may be seen: its folder is closed"
            raise InputError(f"there is no file {str(place)!r}{why}; check the path")
    if not files:
        raise InputError("path must name a file, a folder, or a list of files; got none")
    return files


def parquet_table(path: Any) -> Table:
    """Return the table of one or several Parquet files with the same columns."""
    require_pyarrow("reading Parquet")
    files = files_of(path, ".parquet")
    where = str(files[0])
    with open_parquet(files[0]) as first:
        names = first.schema_arrow.names

    def batches(columns: list[str]) -> Iterator[Batch]:
        for file in files:
            with open_parquet(file) as parquet:
                missing = set(columns) - set(parquet.schema_arrow.names)
                if missing:
                    raise InputError(f"{file} has no column {min(missing)!r}, unlike {where}")
                try:
                    for batch in parquet.iter_batches(BATCH_ROWS, columns=columns):
                        yield batch.column
                except OSError as error:
                    raise FormatError(f"{file} is damaged: {error}") from None

    return Table(names, where, batches)


def open_parquet(file: Path) -> Any:
    """Return the ``ParquetFile`` of a file, to be closed by the caller.

    Raises
    ------
    FormatError
        It is no Parquet file.
    InputError
        It is not there, is a folder, or may not be read.
    """
    pa = require_pyarrow("reading Parquet")
    pq = require_pyarrow("reading Parquet", "pyarrow.parquet")
    try:
        # Without pre-buffering a row group is read page by page, however large it is.
        return pq.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20)
    except pa.ArrowInvalid as error:
        raise FormatError(f"{file} is no Parquet file: {error}") from None
    except OSError as error:
        raise InputError(f"cannot read {file}: {error}; name a Parquet file") from None


def table_of(table: Any) -> Table:
    """Return a table in memory: the Arrow stream interface, a DataFrame, a dict of columns.

    Raises
    ------
    InputError
        It is none of these.
    """
    if isinstance(table, Table):
        return table
    if isinstance(table, Mapping):
        return Table(list(table), "the table", lambda _: iter([table.__getitem__]))
    if hasattr(table, "__arrow_c_stream__") and not hasattr(table, "to_numpy"):
        return _arrow_table(table)
    if hasattr(table, "columns") and hasattr(table, "__getitem__"):
        # A DataFrame: its columns one by one, so that those nobody asked for may hold anything.
        return Table([str(name) for name in table.columns], "the table", _column_by_column(table))
    if hasattr(table, "__arrow_c_stream__"):
        return _arrow_table(table)
    raise InputError(
        "the table must be a DataFrame, an Arrow table or a dict of columns, got "
        f"{type(table).__name__}"
    )


def _column_by_column(table: Any) -> Callable[[list[str]], Iterator[Batch]]:
    return lambda _: iter([table.__getitem__])


def _arrow_table(stream: Any) -> Table:
    """Return what speaks the Arrow stream interface, batch by batch."""
    pa = require_pyarrow("reading an Arrow table")
    try:
        reader = pa.RecordBatchReader.from_stream(stream)
    except pa.ArrowException as error:
        raise InputError(
            f"the table must be a DataFrame, an Arrow table or a dict of columns, got "
            f"{type(stream).__name__}: {error}"
        ) from None

    def batches(_: list[str]) -> Iterator[Batch]:
        for batch in reader:
            for start in range(0, batch.num_rows, BATCH_ROWS):
                yield batch.slice(start, BATCH_ROWS).column

    return Table(reader.schema.names, "the table", batches)


def any_table(table: Any) -> Table:
    """Return a table in memory, or the one in the Parquet or CSV file that ``table`` names."""
    if not isinstance(table, (str, os.PathLike)):
        return table_of(table)
    if Path(table).suffix.lower() in (".csv", ".tsv", ".txt"):
        from fastrec.data.csv_reader import csv_table

        return csv_table(table, "\t" if Path(table).suffix.lower() == ".tsv" else ",")
    return parquet_table(table)


def whole_column(batches: Sequence[Batch], name: str) -> Any:
    """Return a column of all batches together, as one array of whatever it is made of."""
    parts = [batch(name) for batch in batches]
    if len(parts) == 1:
        return parts[0]
    pa = require_pyarrow("reading a table in batches")
    return pa.chunked_array(parts)
