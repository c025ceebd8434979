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
from fastrec.data.id_columns import Utf8Chunk, chunks_of_strings
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
from fastrec.runtime.checks import file_path
from fastrec.runtime.files import open_to_read

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

    That is told rather than what else is found wrong with the file, for it is the cause.

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
    try:
        yield
    except FormatError:
        _refuse_changed(name, before)
        raise
    _refuse_changed(name, before)
    if stat.S_ISREG(before.st_mode) and file is not None and file.tell() != before.st_size:
        raise _changed(name, before.st_size, file.tell())


def _refuse_changed(name: str, before: os.stat_result) -> None:
    if not stat.S_ISREG(before.st_mode):
        return  # a pipe has neither size nor end
    try:
        after = os.stat(name)
    except FileNotFoundError:
        raise InputError(f"{name!r} was removed while it was read; read it again") from None
    if _identity(before) != _identity(after):
        raise _changed(name, before.st_size, after.st_size)


def _changed(name: str, before: int, after: int) -> InputError:
    return InputError(
        f"{name!r} changed while it was read ({before} bytes before, {after} after); wait until "
        "it is written, then read it again"
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
        for file in self.files:
            with unchanged(str(file)), readers.open_parquet(file) as parquet:
                yield from self._batches_of(file, parquet)

    def _batches_of(self, file: Path, parquet: Any) -> Iterator[WordBatch]:
        wanted = [self.text] + ([] if self.id is None else [self.id])
        missing = set(wanted) - set(parquet.schema_arrow.names)
        if missing:
            raise InputError(f"{file} has no column {min(missing)!r}, unlike {self.where}")
        row = 0
        for batch in _record_batches(file, parquet, self.text, wanted):
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
            yield from of_tokens(_lists_of(texts, file, row), self._done)
            return
        if not _is_text(kind):
            raise InputError(
                f"the column {self.text!r} of {file} must hold texts or lists of words, got {kind}"
            )
        for chunk in chunks_of_strings(texts):
            try:
                words = batch_of_utf8(chunk.blob, chunk.offsets, self._cut, self._done)
            except UnicodeDecodeError as error:
                bad = _first_not_utf8(chunk)
                if bad is None:  # the tokenizer's own
                    raise
                raise _not_utf8(file, row + bad, error) from None
            yield words
            row += len(chunk)


def _record_batches(file: Path, parquet: Any, text: str, wanted: list[str]) -> Iterator[Any]:
    """Yield the record batches of a file, each of about as much text as is cut at once."""
    import pyarrow as pa

    try:
        yield from parquet.iter_batches(_rows_at_once(parquet, text), columns=wanted)
    except (OSError, pa.ArrowInvalid) as error:
        raise FormatError(f"{file} is damaged: {error}") from None


def _lists_of(texts: Any, file: Path, row: int) -> list[Any]:
    """Return a column of lists of words as Python lists; ``row`` is the first one's number."""
    try:
        return cast(list[Any], texts.to_pylist())
    except UnicodeDecodeError as error:
        for place, words in enumerate(texts):
            try:
                words.as_py()
            except UnicodeDecodeError:
                raise _not_utf8(file, row + place, error) from None
        raise


def _first_not_utf8(chunk: Utf8Chunk) -> int | None:
    for place in range(len(chunk)):
        try:
            chunk.blob[chunk.offsets[place] : chunk.offsets[place + 1]].tobytes().decode()
        except UnicodeDecodeError:
            return place
    return None


def _not_utf8(file: Path, row: int, error: UnicodeDecodeError) -> FormatError:
    return FormatError(
        f"row {row} of {file} is not UTF-8 ({error.reason}); write the file anew from texts "
        "that were decoded"
    )


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
            if chunk.path_in_schema == column or chunk.path_in_schema.startswith(f"{column}.")
        )
    mean = max(1, size // max(1, metadata.num_rows))
    return max(1, min(BATCH_DOCUMENTS, BATCH_CHARACTERS // mean))
