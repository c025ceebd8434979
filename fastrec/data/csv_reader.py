"""CSV files: by pyarrow where it is installed, else by Python's own csv module."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from fastrec.data import columns as checked
from fastrec.data.readers import Batch, Table, files_of
from fastrec.data.rows import column_names
from fastrec.errors import FormatError, InputError


def csv_table(
    path: Any, delimiter: str = ",", header: Sequence[str] | None = None, text: Iterable[str] = ()
) -> Table:
    """Return the table of one or several CSV files; see :meth:`Interactions.from_csv`."""
    if not isinstance(delimiter, str) or len(delimiter) != 1:
        raise InputError(f"delimiter must be one character, got {delimiter!r}")
    files = files_of(path, ".csv")
    where = str(files[0])
    names = _first_row(files[0], delimiter) if header is None else column_names("header", header)
    texts = [checked.pick(name, names, "text", where) for name in column_names("text", text)]

    def batches(columns: list[str]) -> Iterator[Batch]:
        if find_spec("pyarrow") is None:
            yield from _plain_batches(files, delimiter, names, header is None, columns, texts)
            return
        for file in files:
            yield from _arrow_batches(file, delimiter, names, header is None, columns, texts)

    return Table(names, where, batches)


@contextmanager
def _opened(file: Path) -> Iterator[TextIO]:
    """Open a file as text, one that ends in .gz unpacked; say what is wrong with its bytes."""
    try:
        if file.name.lower().endswith(".gz"):
            with gzip.open(file, "rt", newline="", encoding="utf-8-sig") as packed:
                yield packed
        else:
            with file.open(newline="", encoding="utf-8-sig") as plain:
                yield plain
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise FormatError(f"{file} is not packed by gzip, as its ending says: {error}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{file} is no CSV file in UTF-8: {error}") from None
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror or error}; check the path") from None


def _first_row(file: Path, delimiter: str) -> list[str]:
    with _opened(file) as lines:
        row = next(csv.reader(lines, delimiter=delimiter), None)
    if not row:
        raise InputError(f"{file} is empty: its first line must name the columns")
    return row


def _arrow_batches(
    file: Path,
    delimiter: str,
    names: list[str],
    skip_first: bool,
    columns: list[str],
    texts: list[str],
) -> Iterator[Batch]:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    try:
        reader = arrow_csv.open_csv(
            file,
            read_options=arrow_csv.ReadOptions(
                column_names=names, skip_rows=int(skip_first), block_size=8 << 20
            ),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=columns, column_types=dict.fromkeys(texts, pa.string())
            ),
        )
        for batch in reader:
            _refuse_bytes(batch, file)
            yield batch.column
    except (pa.ArrowInvalid, OSError) as error:
        if "Empty CSV" in str(error):
            return
        raise FormatError(
            f"{file} cannot be read as CSV: {error}; name columns of mixed content in text=[...]"
        ) from None


def _refuse_bytes(batch: Any, file: Path) -> None:
    """Raise where Arrow took a column for bytes, as it does with text that is no UTF-8."""
    for field in batch.schema:
        if str(field.type) == "binary":
            raise FormatError(
                f"{file} is no CSV file in UTF-8: column {field.name!r} holds other bytes; "
                "save it again as UTF-8"
            )


def _plain_batches(
    files: list[Path],
    delimiter: str,
    names: list[str],
    skip_first: bool,
    columns: list[str],
    texts: list[str],
) -> Iterator[Batch]:
    """Read all files at once, for the type of a column shows only at its end."""
    places = [names.index(name) for name in columns]
    kept: list[list[str]] = [[] for _ in columns]
    for file in files:
        with _opened(file) as lines:
            rows = csv.reader(lines, delimiter=delimiter)
            for number, row in enumerate(rows):
                if (number == 0 and skip_first) or not row:
                    continue
                if len(row) != len(names):
                    raise FormatError(
                        f"{file}, line {rows.line_num}: expected {len(names)} values, got "
                        f"{len(row)}"
                    )
                for values, place in zip(kept, places, strict=True):
                    values.append(row[place])
    converted = {
        name: values if name in texts else _of_texts(values)
        for name, values in zip(columns, kept, strict=True)
    }
    if converted and kept[0]:
        yield converted.__getitem__


def _of_texts(values: list[str]) -> Any:
    """Return texts as int64, float64 or times where all of them are that, else as they are.

    Missing ones among numbers become None, which the checks of the column refuse.
    """
    filled = [value for value in values if value != ""]
    for dtype in ("int64", "float64", "datetime64[us]"):
        try:
            array = np.array(filled).astype(dtype)
        except (ValueError, OverflowError):
            continue
        if len(filled) == len(values):
            return array
        numbers = iter(array.tolist())
        return [next(numbers) if value != "" else None for value in values]
    return values
