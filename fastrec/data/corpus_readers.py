"""Texts in files, as batches of words: lines of UTF-8, and columns of Parquet."""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from fastrec.data import columns, readers
from fastrec.data.id_columns import chunks_of_strings
from fastrec.data.ragged import offsets_of
from fastrec.data.tokenize import Tokenizer
from fastrec.data.word_batches import (
    BATCH_CHARACTERS,
    BATCH_DOCUMENTS,
    WordBatch,
    batch_of_texts,
    batch_of_utf8,
    cut_bytes,
    of_tokens,
    tokenizer_of,
)
from fastrec.errors import FormatError, InputError
from fastrec.runtime.files import file_path, open_to_read

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def files_of(path: Any) -> list[str]:
    """Return the names of the files of ``path``, one or a list of them.

    Raises
    ------
    InputError
        There are none, or something is no path.
    """
    if path is None or isinstance(path, (str, bytes, os.PathLike)):
        return [file_path(path)]
    try:
        files = [file_path(file) for file in path]
    except TypeError:
        return [file_path(path)]
    if not files:
        raise InputError("path must name a file or a list of files, got an empty list")
    return files


def of_lines(files: Sequence[str], tokenize: Tokenizer | None) -> Iterator[WordBatch]:
    """Yield the words of the lines of files; see :meth:`Corpus.from_file`."""
    cut = tokenizer_of(tokenize)
    done = 0
    for name in files:
        for batch in _batches_of_lines(name, cut, done):
            done += len(batch.counts)
            yield batch


def _batches_of_lines(name: str, cut: Tokenizer | None, before: int) -> Iterator[WordBatch]:
    with open_to_read(name) as file, unchanged(name, file):
        lines_of = gzip.GzipFile(fileobj=file) if name.endswith(".gz") else file
        line = 1
        while lines := _next_lines(name, cast(BinaryIO, lines_of)):
            if line == 1 and lines[0].startswith(BYTE_ORDER_MARK):
                lines[0] = lines[0][len(BYTE_ORDER_MARK) :]
            yield _batch_of_lines(lines, cut, name, line, before)
            before += len(lines)
            line += len(lines)


def _next_lines(name: str, file: BinaryIO) -> list[bytes]:
    try:
        return file.readlines(BATCH_CHARACTERS)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FormatError(f"{name!r} cannot be decompressed: {error}") from None


def _batch_of_lines(
    lines: list[bytes], cut: Tokenizer | None, name: str, first_line: int, before: int
) -> WordBatch:
    """Return the words of lines; ``before`` is how many documents came before these."""
    text = b"".join(lines)
    if cut is None and text.isascii():
        lengths = np.fromiter(map(len, lines), np.int64, len(lines))
        return cut_bytes(np.frombuffer(text, np.uint8), offsets_of(lengths))
    del text
    texts = []
    for line, raw in enumerate(lines, first_line):
        try:
            texts.append(raw.decode().removesuffix("\n").removesuffix("\r"))
        except UnicodeDecodeError as error:
            raise FormatError(
                f"line {line} of {name!r} is not UTF-8 (byte {error.start + 1}: {error.reason}); "
                "convert the file, for example with iconv"
            ) from None
    return batch_of_texts(texts, cut, before)


@contextmanager
def unchanged(name: str, file: BinaryIO | None = None) -> Iterator[None]:
    """Raise at the end where the file has become another one, or other in size or time.

    Parameters
    ----------
    name : str
        Its path.
    file : binary file or None
        The open file: all of its bytes must have been read by then.

    Raises
    ------
    InputError
        It has.
    """
    before = os.stat(name) if file is None else os.fstat(file.fileno())
    yield
    if not stat.S_ISREG(before.st_mode):
        return  # a pipe has neither size nor end
    try:
        after = os.stat(name)
    except FileNotFoundError:
        raise InputError(f"{name!r} was removed while it was read; read it again") from None
    is_same = _identity(before) == _identity(after)
    if not is_same or (file is not None and file.tell() != before.st_size):
        raise InputError(
            f"{name!r} changed while it was read ({before.st_size} bytes before, {after.st_size} "
            "after); wait until it is written, then read it again"
        )


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class ParquetTexts:
    """The texts and ids of Parquet files; see :meth:`Corpus.from_parquet`."""

    def __init__(self, path: Any, text: str, id: str | None, tokenize: Tokenizer | None) -> None:
        readers.require_pyarrow("reading Parquet")
        self.files = readers.files_of(path, ".parquet")
        self.where = str(self.files[0])
        with readers.open_parquet(self.files[0]) as first:
            names = first.schema_arrow.names
        self.text = columns.pick(text, names, "text", self.where)
        self.id = None if id is None else columns.pick(id, names, "id", self.where)
        self._cut = tokenizer_of(tokenize)
        self._ids: list[Any] = []
        self._done = 0

    def ids(self) -> Any:
        """Return the column of the ids, after the last batch."""
        import pyarrow as pa

        return pa.chunked_array(self._ids)

    def batches(self) -> Iterator[WordBatch]:
        """Yield the words of all files, file after file."""
        import pyarrow as pa

        for file in self.files:
            with unchanged(str(file)), readers.open_parquet(file) as parquet:
                try:
                    yield from self._batches_of(file, parquet)
                except (OSError, pa.ArrowInvalid) as error:
                    raise FormatError(f"{file} is damaged: {error}") from None

    def _batches_of(self, file: Path, parquet: Any) -> Iterator[WordBatch]:
        wanted = [self.text] + ([] if self.id is None else [self.id])
        missing = set(wanted) - set(parquet.schema_arrow.names)
        if missing:
            raise InputError(f"{file} has no column {min(missing)!r}, unlike {self.where}")
        row = 0
        for batch in parquet.iter_batches(_rows_at_once(parquet, self.text), columns=wanted):
            texts = batch.column(self.text)
            if texts.null_count:
                place = row + int(np.flatnonzero(texts.is_null())[0])
                raise InputError(
                    f"row {place} of {file} is null in the column {self.text!r}; "
                    "drop such rows, or fill in empty texts"
                )
            if self.id is not None:
                self._ids.append(batch.column(self.id))
            for words in self._words(texts, file, row):
                self._done += len(words.counts)
                yield words
            row += batch.num_rows
        if row != parquet.metadata.num_rows:
            raise FormatError(f"{file} should have {parquet.metadata.num_rows} rows, got {row}")

    def _words(self, texts: Any, file: Path, row: int) -> Iterator[WordBatch]:
        import pyarrow as pa

        kind = texts.type.value_type if pa.types.is_dictionary(texts.type) else texts.type
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            yield from of_tokens(texts.to_pylist())
            return
        if not _is_text(kind):
            raise InputError(
                f"the column {self.text!r} of {file} must hold texts or lists of words, got {kind}"
            )
        try:
            for chunk in chunks_of_strings(texts):
                yield batch_of_utf8(chunk.blob, chunk.offsets, self._cut, self._done)
        except UnicodeDecodeError as error:
            raise FormatError(
                f"{file} holds a text that is not UTF-8 in the column {self.text!r}, at or after "
                f"row {row}: {error.reason}"
            ) from None


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or str(kind) == "string_view"


def _rows_at_once(parquet: Any, column: str) -> int:
    """Return how many rows of a column of texts are about one batch, by their mean size."""
    metadata = parquet.metadata
    size = 0
    for group in range(metadata.num_row_groups):
        chunks = map(metadata.row_group(group).column, range(metadata.num_columns))
        size += sum(
            chunk.total_uncompressed_size
            for chunk in chunks
            if chunk.path_in_schema.split(".")[0] == column
        )
    mean = max(1, size // max(1, metadata.num_rows))
    return max(1, min(BATCH_DOCUMENTS, BATCH_CHARACTERS // mean))
