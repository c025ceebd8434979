"""The text and binary formats of the original word2vec tool, which most others read and write.

Both begin with a line ``rows dim``. Text: a line an entry, the id and ``dim``
decimal numbers, separated by blanks. Binary: the id, one blank, ``dim``
little-endian float32 and a line feed (some writers leave it out). Ids are UTF-8;
the formats have no way to escape, so an id with a blank or line feed inside
cannot be written. Reading takes what the id is from the front or the numbers from
the end, whichever the file allows: text files of other tools may have such ids. A
number behind the first blank is no part of an id but a column too many.

Mikolov et al., "Efficient Estimation of Word Representations in Vector Space",
2013; the format is defined by the tool's ``word2vec.c``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from fastrec.errors import FormatError, InputError
from fastrec.runtime.arrays import padded_zeros
from fastrec.runtime.checks import file_path
from fastrec.runtime.files import Path, open_to_read, replacing
from fastrec.storage.decimals import format_rows

if TYPE_CHECKING:
    from fastrec.data.ids import IdMap

CHUNK_BYTES = 1 << 22  # what is read at once; an entry may be longer
CHUNK_NUMBERS = 1 << 15  # what is formatted at once, so that it stays in the cache
HEADER_BYTES = 100
MAX_ID_BYTES = 1 << 16
GZIP_MAGIC = b"\x1f\x8b"
_WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_DECIMAL = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BLANK = re.compile(r"[ \t\n\r\v\f]")


def write(path: Path, ids: IdMap, matrix: np.ndarray, binary: bool = False) -> None:
    """Write vectors in one of the formats, a piece at a time.

    The file replaces ``path`` only when it is whole. Text holds every float32
    exactly, in nine or ten significant digits. Whole-number ids are written in
    decimal.

    Parameters
    ----------
    path : str or path-like
        The file; its folder exists.
    ids : IdMap, n ids
        By row.
    matrix : ndarray of float32, shape (n, dim)
        Finite numbers, any strides.
    binary : bool
        The binary format instead of the text one.

    Raises
    ------
    InputError
        An id that is empty or has white space inside, a vector that is not finite.
    FastrecError
        The system could not write it (full disk); the old file is unchanged.
    """
    rows, dim = matrix.shape
    step = max(1, CHUNK_NUMBERS // max(1, dim))
    with replacing(path) as file:
        file.write(f"{rows} {dim}\n".encode())
        for start in range(0, rows, step):
            stop = min(start + step, rows)
            names = _writable_names(ids, start, stop)
            piece = np.ascontiguousarray(matrix[start:stop], dtype="<f4")
            bad = first_not_finite(piece)
            if bad is not None:
                raise InputError(
                    f"the vector of {names[bad]!r} holds NaN or infinity; expected finite numbers"
                )
            file.write(_binary_entries(names, piece) if binary else _text_entries(names, piece))


def _writable_names(ids: IdMap, start: int, stop: int) -> list[str]:
    """Return ids as strings after checking that the formats can hold them."""
    names = [str(id) for id in ids.decode(np.arange(start, stop, dtype=np.int32)).tolist()]
    if _BLANK.search("".join(names)) or "" in names:
        bad = next(name for name in names if not name or _BLANK.search(name))
        raise InputError(
            f"the word2vec formats cannot hold the id {bad!r}, because a blank ends an id; "
            "rename such ids first (for example blanks to underscores), or save the model itself"
        )
    return names


def _binary_entries(names: list[str], piece: np.ndarray) -> bytes:
    content = memoryview(piece.view(np.uint8).reshape(-1).data)
    width = piece.shape[1] * 4
    parts: list[bytes | memoryview] = []
    for row, name in enumerate(names):
        parts += (f"{name} ".encode(), content[row * width : (row + 1) * width], b"\n")
    return b"".join(parts)


def _text_entries(names: list[str], piece: np.ndarray) -> bytes:
    lines = format_rows(piece)
    content, width = memoryview(lines.reshape(-1).data), lines.shape[1]
    parts: list[bytes | memoryview] = []
    for row, name in enumerate(names):
        parts += (f"{name} ".encode(), content[row * width : (row + 1) * width])
    return b"".join(parts)


def read(path: Path, binary: bool | None = None) -> tuple[list[str], np.ndarray]:
    """Read a file in one of the formats, a piece at a time.

    Parameters
    ----------
    path : str or path-like
        The file.
    binary : bool or None
        Whether it is binary; None looks at the first entry.

    Returns
    -------
    ids : list of str
        As they stand in the file.
    matrix : ndarray of float32, shape (rows, dim)
        At the kernels' row stride: a view of a padded matrix.

    Raises
    ------
    InputError
        There is no such file, or it is a folder.
    FormatError
        Not of the format, truncated, numbers that are not finite, or an id that
        occurs twice; the line (of text) or entry (of binary) is named.
    """
    name = file_path(path)
    with open_to_read(path) as file:
        rows, dim = _read_header(name, file)
        if binary is not None:
            return _read_entries(name, file, rows, dim, binary)
        if _looks_like_text(file, dim):
            return _read_entries(name, file, rows, dim, binary=False)
        try:
            return _read_entries(name, file, rows, dim, binary=True)
        except FormatError as error:
            raise FormatError(
                f"{error}; it was read as binary, because its line 2 is not an id and {dim} numbers"
            ) from None


def _read_entries(
    name: str, file: BinaryIO, rows: int, dim: int, binary: bool
) -> tuple[list[str], np.ndarray]:
    """Read what follows the first line."""
    _check_size(name, file, rows, dim, rows * (4 * dim + 1) if binary else rows * 2 * dim)
    matrix = padded_zeros(rows, dim)[:, :dim]
    pieces = _read_binary if binary else _read_text
    ids: list[str] = []
    for found, numbers in pieces(name, file, rows, dim):
        bad = first_not_finite(numbers)
        if bad is not None:
            raise FormatError(
                f"{_place(len(ids) + bad, binary)} of {name!r}, {found[bad]!r}, holds NaN or "
                "infinity; expected finite numbers"
            )
        matrix[len(ids) : len(ids) + len(found)] = numbers
        ids += found
    _check_distinct(name, ids, binary)
    return ids, matrix


def _place(row: int, binary: bool) -> str:
    """Say where a row stands as its reader counts: lines and entries begin with 1."""
    return f"entry {row + 1}" if binary else f"line {row + 2}"


def _check_distinct(name: str, ids: list[str], binary: bool) -> None:
    if len(set(ids)) == len(ids):
        return
    first: dict[str, int] = {}
    for row, id in enumerate(ids):
        if first.setdefault(id, row) != row:
            raise FormatError(
                f"{_place(row, binary)} of {name!r} repeats the id {id!r} of "
                f"{_place(first[id], binary)}; an id has one vector, remove one of the two"
            )


def first_not_finite(numbers: np.ndarray) -> int | None:
    """Return the first row that holds NaN or infinity, if any does."""
    is_finite = np.isfinite(numbers)
    return None if is_finite.all() else int(np.argmin(is_finite.all(axis=1)))


def _read_header(name: str, file: BinaryIO) -> tuple[int, int]:
    line = file.readline(HEADER_BYTES)
    found = re.fullmatch(rb"\s*([0-9]{1,18})\s+([1-9][0-9]{0,8})\s*\n", line)
    if found:
        return int(found[1]), int(found[2])
    if line.startswith(GZIP_MAGIC):
        raise FormatError(f"{name!r} is compressed; unpack it first (gunzip)")
    raise FormatError(
        f"{name!r} is no word2vec file: it begins with {line[:40]!r}, expected a line with the "
        "number of vectors and their length; files of GloVe lack it, add it on top"
    )


def _looks_like_text(file: BinaryIO, dim: int) -> bool:
    """Say whether the first entry ends in ``dim`` decimal numbers; stay where the file is."""
    start = file.tell()
    line = file.readline(MAX_ID_BYTES + 64 * dim)
    file.seek(start)
    try:
        return not line or len([float(part) for part in line.rsplit(None, dim)[1:]]) == dim
    except ValueError:
        return False


def _check_size(name: str, file: BinaryIO, rows: int, dim: int, needed: int) -> None:
    """Compare the header with the file before memory is taken for what it promises."""
    rest = os.fstat(file.fileno()).st_size - file.tell()
    if rest < needed:
        raise FormatError(
            f"{name!r} is truncated: {rows} vectors of {dim} numbers take at least {needed} bytes "
            f"after its first line, it has {rest}; copy or save it again"
        )


def _ended_early(name: str, got: int, rows: int) -> FormatError:
    return FormatError(
        f"{name!r} is truncated: it ends in entry {got + 1} of {rows}; copy or save it again"
    )


def _check_end(name: str, rest: bytes, rows: int) -> None:
    if rest.strip():
        raise FormatError(
            f"{name!r} goes on after the {rows} entries that its first line says, with "
            f"{rest.strip()[:40]!r}; correct the first line"
        )


def _read_binary(
    name: str, file: BinaryIO, rows: int, dim: int
) -> Iterator[tuple[list[str], np.ndarray]]:
    """Yield ids and vectors; an id ends at a blank, its vector has ``4 * dim`` bytes."""
    width = 4 * dim
    done, rest = 0, b""
    while done < rows:
        chunk = file.read(CHUNK_BYTES)
        if not chunk:
            raise _ended_early(name, done, rows)
        rest += chunk
        ids, places, end = _cut_entries(rest, rows - done, width)
        if len(rest) - end > MAX_ID_BYTES and rest.find(b" ", end, end + MAX_ID_BYTES) < 0:
            raise FormatError(
                f"entry {done + len(ids) + 1} of {name!r} has no blank within {MAX_ID_BYTES} "
                "bytes, where its id should end; is it a binary word2vec file?"
            )
        content = memoryview(rest)
        vectors = b"".join([content[place : place + width] for place in places])
        yield (
            _decode(name, ids, done, binary=True),
            np.frombuffer(vectors, dtype="<f4").reshape(len(ids), dim),
        )
        done += len(ids)
        rest = rest[end:]
    _check_end(name, rest + file.read(MAX_ID_BYTES), rows)


def _cut_entries(content: bytes, limit: int, width: int) -> tuple[list[bytes], list[int], int]:
    """Return the ids of the whole entries, where their vectors begin, and where the last ends."""
    ids: list[bytes] = []
    places: list[int] = []
    end = 0
    while len(ids) < limit:
        blank = content.find(b" ", end)
        if blank < 0 or len(content) - blank <= width:
            break
        ids.append(content[end:blank].lstrip(b"\n"))
        places.append(blank + 1)
        end = blank + 1 + width
    return ids, places, end


def _decode(name: str, ids: list[bytes], done: int, binary: bool) -> list[str]:
    try:
        return [id.decode() for id in ids]
    except UnicodeDecodeError:
        bad = next(row for row, id in enumerate(ids) if not _is_utf8(id))
        raise FormatError(
            f"the id of {_place(done + bad, binary)} of {name!r} is not UTF-8: {ids[bad][:40]!r}; "
            "the file is damaged, in another encoding, or not of the length that it says"
        ) from None


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _read_text(
    name: str, file: BinaryIO, rows: int, dim: int
) -> Iterator[tuple[list[str], np.ndarray]]:
    """Yield ids and vectors, some lines at a time."""
    done, rest = 0, b""
    while done < rows:
        lines = file.readlines(CHUNK_BYTES)
        if not lines:
            raise _ended_early(name, done, rows)
        lines, rest = lines[: rows - done], b"".join(lines[rows - done :])
        cut = [line.partition(b" ") for line in lines]
        ids = [id for id, _, _ in cut]
        numbers = _parse([numbers for _, _, numbers in cut], dim)
        if numbers is None:
            ids, numbers = _parse_one_by_one(name, lines, done, dim)
        yield _decode(name, ids, done, binary=False), numbers
        done += len(lines)
    _check_end(name, rest + file.read(MAX_ID_BYTES), rows)


def _parse(lines: list[bytes], dim: int) -> np.ndarray | None:
    """Return float32 numbers, shape (lines, dim), or None where a line is not of that form."""
    if not all(lines) or any(map(bytes.isspace, lines)):
        return None
    try:
        numbers = np.loadtxt(
            [line.decode("ascii") for line in lines], dtype=np.float32, comments=None, ndmin=2
        )
    except ValueError:
        return None
    return numbers if numbers.shape == (len(lines), dim) else None


def _parse_one_by_one(
    name: str, lines: list[bytes], done: int, dim: int
) -> tuple[list[bytes], np.ndarray]:
    """Parse lines from their ends, for ids with blanks inside; name the first that is none."""
    ids = []
    numbers = np.empty((len(lines), dim), dtype=np.float32)
    for row, line in enumerate(lines):
        id, *decimals = line.rsplit(None, dim) or [b""]
        try:
            if any(map(_DECIMAL.fullmatch, id.split()[1:])) or b"_" in b"".join(decimals):
                raise ValueError  # a column too many; float() takes 1_000
            with np.errstate(over="ignore"):  # infinity is refused where both formats meet
                numbers[row] = np.array([float(text) for text in decimals]).reshape(dim)
        except ValueError:
            raise FormatError(
                f"line {done + row + 2} of {name!r} must be an id and {dim} numbers, "
                f"got {line[:60]!r}"
            ) from None
        ids.append(id)
    return ids, numbers


def are_whole_numbers(ids: list[str]) -> bool:
    """Say whether there are ids and all are whole numbers as :func:`write` writes them."""
    return bool(ids) and all(map(_is_whole_number, ids))


def whole_numbers(path: Path, ids: list[str]) -> np.ndarray:
    """Return the ids of a file as int64 where all are decimal whole numbers.

    Raises
    ------
    FormatError
        An id that is none, such as ``"007"``, which another id could mean as well.
    """
    for row, id in enumerate(ids):
        if not _is_whole_number(id):
            raise FormatError(
                f"the id of entry {row + 1} of {file_path(path)!r} is {id!r}, expected a whole "
                'number; load it with kind="str"'
            )
    return np.fromiter(map(int, ids), np.int64, len(ids))


def _is_whole_number(id: str) -> bool:
    return bool(_WHOLE_NUMBER.fullmatch(id)) and int(id) < 1 << 63
