"""Questions about words: analogies in sections, and pairs that people have scored.

Text files are UTF-8. Analogies: a line ``: name`` begins a section, every other
line is four words, the fourth of which is the answer; lines that begin with ``//``
are comments, as in the files of the original word2vec tool. Pairs: two words and a
number, separated by tabs, or by commas where a line has no tab; lines that begin
with ``#`` are comments, and the first line may name the columns. Parquet files and
tables in memory have the columns ``section`` (may be missing), ``a``, ``b``, ``c``
and ``d``, or ``word1``, ``word2`` and ``score``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastrec.data.columns import check_lengths, is_missing, pick, plain_array
from fastrec.data.readers import Table, parquet_table, table_of, whole_column
from fastrec.errors import FormatError, InputError
from fastrec.runtime import checks
from fastrec.runtime.checks import file_path
from fastrec.runtime.files import Path, open_to_read

WITHOUT_SECTION = "questions"
ANALOGY_COLUMNS = ("a", "b", "c", "d")
PAIR_COLUMNS = ("word1", "word2", "score")


@dataclass(frozen=True)
class Analogies:
    """Analogy questions, a is to b as c is to d.

    Attributes
    ----------
    sections : list of str
        Their names, in order.
    section : ndarray of int64, shape (n,)
        The number of each question's section.
    words : list of n * 4 words
        a, b, c and d of one question after the other.
    """

    sections: list[str]
    section: np.ndarray
    words: list[Any]


@dataclass(frozen=True)
class Pairs:
    """Pairs of words, and how alike people find them.

    Attributes
    ----------
    words : list of n * 2 words
        One pair after the other.
    scores : ndarray of float64, shape (n,)
        Finite; higher is more alike.
    """

    words: list[Any]
    scores: np.ndarray


def read_analogies(given: Any) -> Analogies:
    """Return the questions of a file, a table or rows; see :func:`evaluate_analogies`."""
    if isinstance(given, (str, os.PathLike)) and not _is_parquet(given):
        return _in_sections(_analogies_of_lines(given))
    if (table := _as_table(given)) is not None:
        return _analogies_of_table(table)
    return _in_sections(_analogies_of_rows(given))


def read_pairs(given: Any) -> Pairs:
    """Return the pairs of a file, a table or rows; see :func:`evaluate_similarity`."""
    if isinstance(given, (str, os.PathLike)) and not _is_parquet(given):
        rows = list(_pairs_of_lines(given))
    elif (table := _as_table(given)) is not None:
        return _pairs_of_table(table)
    else:
        rows = list(_pairs_of_rows(given))
    words = [word for row in rows for word in row[:2]]
    return Pairs(words, np.array([row[2] for row in rows], dtype=np.float64))


def _is_parquet(path: Path) -> bool:
    name = file_path(path)
    return name.lower().endswith((".parquet", ".pq")) or os.path.isdir(name)


def _as_table(given: Any) -> Table | None:
    """Return a table where ``given`` is one or the path of one, None where it is rows."""
    if isinstance(given, (str, os.PathLike)):
        return parquet_table(given)
    is_table = isinstance(given, (Table, Mapping)) or hasattr(given, "__arrow_c_stream__")
    return table_of(given) if is_table or hasattr(given, "columns") else None


# Text


def _lines(path: Path, comment: str) -> Iterator[tuple[str, str]]:
    """Yield the place of each line with content, for messages, and the line."""
    name = file_path(path)
    with open_to_read(path) as file:
        for number, content in enumerate(file, start=1):
            place = f"line {number} of {name!r}"
            try:
                line = content.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError:
                raise FormatError(f"{place} is not UTF-8: {content[:60]!r}") from None
            if line and not line.startswith(comment):
                yield place, line


def _analogies_of_lines(path: Path) -> Iterator[tuple[Any, ...]]:
    """Yield (section, a, b, c, d), and (section,) where one begins."""
    section = WITHOUT_SECTION
    for place, line in _lines(path, "//"):
        if line.startswith(":"):
            section = line[1:].strip()
            if not section:
                raise FormatError(f"{place} must name a section after its colon")
            yield (section,)
            continue
        words = line.split()
        if len(words) != 4:
            raise FormatError(
                f"{place} must hold four words, or a colon and the name of a section, got "
                f"{len(words)}: {line[:60]!r}"
            )
        yield (section, *words)


def _pairs_of_lines(path: Path) -> Iterator[tuple[str, str, float]]:
    is_first = True
    for place, line in _lines(path, "#"):
        parts = [part.strip() for part in line.split("\t" if "\t" in line else ",")]
        if len(parts) != 3 or not all(parts):
            raise FormatError(
                f"{place} must hold two words and a number, separated by tabs or commas, got "
                f"{line[:60]!r}"
            )
        score = _number(parts[2])
        # Only what does not even begin like a number is a name.
        if score is None and not (is_first and parts[2][0].isalpha()):
            raise FormatError(f"{place} must end in a finite number, got {parts[2][:60]!r}")
        if score is not None:
            yield parts[0], parts[1], score
        is_first = False


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


# Rows in memory


def _rows(given: Any, what: str, expected: str) -> Iterator[tuple[int, list[Any]]]:
    rows = checks.listed(what, given, f"the path of a file, a table or rows of {expected}")
    for number, row in enumerate(rows):
        yield number, checks.listed(f"row {number} of {what}", row, expected)


def _analogies_of_rows(given: Any) -> Iterator[tuple[Any, ...]]:
    expected = "four words, or a section and four words"
    for number, row in _rows(given, "questions", expected):
        if len(row) not in (4, 5) or (len(row) == 5 and not isinstance(row[0], str)):
            raise InputError(f"row {number} of questions must be {expected}, got {row!r}")
        _refuse_missing(row, f"row {number} of questions")
        yield tuple(row) if len(row) == 5 else (WITHOUT_SECTION, *row)


def _pairs_of_rows(given: Any) -> Iterator[tuple[Any, Any, float]]:
    expected = "two words and a finite number"
    for number, row in _rows(given, "pairs", expected):
        if len(row) != 3:
            raise InputError(f"row {number} of pairs must be {expected}, got {row!r}")
        _refuse_missing(row, f"row {number} of pairs")
        yield row[0], row[1], checks.real_number(f"the score in row {number} of pairs", row[2])


def _refuse_missing(words: list[Any], place: str) -> None:
    if any(map(is_missing, words)):
        raise InputError(f"{place} has a missing word, got {words!r}; drop such rows")


def _in_sections(rows: Iterable[tuple[Any, ...]]) -> Analogies:
    """Number the sections of (section, a, b, c, d); a row (section,) only begins one."""
    numbers: dict[str, int] = {}
    section, words = [], []
    for name, *question in rows:
        number = numbers.setdefault(name, len(numbers))
        if question:
            section.append(number)
            words += question
    return Analogies(list(numbers), np.array(section, dtype=np.int64), words)


# Tables


def _columns(table: Table, names: Iterable[str]) -> list[list[Any]]:
    """Return columns as lists of equal length, none of whose values is missing."""
    wanted = [pick(name, table.names, "a column", table.where) for name in names]
    batches = list(table.batches(wanted))
    columns = {
        name: checks.listed(f"column {name!r}", whole_column(batches, name), "a list of values")
        if batches
        else []
        for name in wanted
    }
    check_lengths({name: len(column) for name, column in columns.items()})
    return list(columns.values())


def _analogies_of_table(table: Table) -> Analogies:
    has_sections = "section" in table.names
    columns = _columns(table, (("section",) if has_sections else ()) + ANALOGY_COLUMNS)
    rows = list(zip(*columns, strict=True))
    for number, row in enumerate(rows):
        place = f"row {number} of {table.where}"
        _refuse_missing(list(row), place)
        if has_sections:
            checks.text(f"the section in {place}", row[0])
    return _in_sections(rows if has_sections else ((WITHOUT_SECTION, *row) for row in rows))


def _pairs_of_table(table: Table) -> Pairs:
    first, second, given = _columns(table, PAIR_COLUMNS)
    for number, row in enumerate(zip(first, second, strict=True)):
        _refuse_missing(list(row), f"row {number} of {table.where}")
    scores = plain_array(given, f"column 'score' of {table.where}")
    if scores.size and (scores.dtype.kind not in "iuf" or not np.isfinite(scores).all()):
        raise InputError(f"column 'score' of {table.where} must hold finite numbers")
    words = [word for pair in zip(first, second, strict=True) for word in pair]
    return Pairs(words, scores.astype(np.float64))
