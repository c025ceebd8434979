"""What the commands are given: logs, queries, models and ids, read from files and from the line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastrec.errors import InputError

if TYPE_CHECKING:
    from fastrec.data.interactions import Interactions
    from fastrec.data.queries import Queries
    from fastrec.search import Vectors

MODEL_VECTORS = ("item_vectors", "word_vectors")
PARQUET = (".parquet", ".pq")
CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz")


def read_log(path: Path, **columns: str | None) -> Interactions:
    """Return the log in a Parquet or CSV file, a folder of Parquet files, or a saved log.

    Parameters
    ----------
    path : Path
        What it is, is known by its ending; a folder without Parquet files is one
        that ``Interactions.save`` wrote.
    **columns : str or None
        ``user``, ``session``, ``item``, ``order``, ``time``, ``time_unit``,
        ``value``, as the readers take them; None where the log has no such column.

    Raises
    ------
    InputError
        An ending that is neither, or columns that do not fit.
    FileNotFoundError
        There is no such file.
    """
    from fastrec.data.interactions import Interactions

    _require(path)
    given: dict[str, Any] = {name: column for name, column in columns.items() if column is not None}
    has_parquet = path.name.endswith(PARQUET) or any(path.glob("*.parquet"))
    if path.is_dir() and not has_parquet:
        if given:
            raise InputError(
                f"{path} is a saved log, which knows its columns; leave out "
                + ", ".join(f"--{name.replace('_', '-')}" for name in given)
            )
        return Interactions.open(path)
    if "item" not in given:
        raise InputError(f"--item must name the column of {path} that holds the items")
    if has_parquet:
        return Interactions.from_parquet(path, **given)
    if path.name.endswith(CSV):
        delimiter = "\t" if ".tsv" in path.name else ","
        return Interactions.from_csv(path, delimiter=delimiter, **given)
    raise InputError(
        f"{path} has an unknown ending; expected one of {', '.join(PARQUET + CSV)}, "
        "or a folder that Interactions.save wrote"
    )


def read_queries(path: Path, history: str, target: str, exclude_seen: bool = False) -> Queries:
    """Return the queries of a Parquet file: a column of histories and one of targets."""
    from fastrec.data.queries import Queries

    _require(path)
    return Queries.from_parquet(path, history=history, target=target, exclude_seen=exclude_seen)


def open_model(path: Path, verify: bool = False) -> Any:
    """Return the model in a file, memory-mapped, and compared with its checksums if wanted."""
    from fastrec.models import load

    _require(path)
    return load(path, mmap=True, verify=verify)


def open_any(path: Path) -> Any:
    """Return the vectors in a file of vectors, or else the model in a model file.

    What a file is, is known by how it begins, not by its name.
    """
    from fastrec.search import Vectors

    _require(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder, expected a file of a model or of vectors")
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith(b"PK\x03\x04"):
        return Vectors.load_npz(path)
    if start.startswith(b"PAR1"):
        return Vectors.from_parquet(path)
    if re.match(rb"\s*[0-9]+\s+[0-9]+\s*\n", start):
        return Vectors.load_word2vec(path)
    return open_model(path)


def vectors_of(opened: Any) -> Vectors:
    """Return what :func:`open_any` returned as vectors: a model's are those of its items or words.

    Raises
    ------
    InputError
        A model without vectors.
    """
    from fastrec.search import Vectors

    if isinstance(opened, Vectors):
        return opened
    for name in MODEL_VECTORS:
        found = getattr(opened, name, None)
        if isinstance(found, Vectors):
            return found
    raise InputError(f"{type(opened).__name__} has no vectors of items or words")


def open_vectors(path: Path) -> Vectors:
    """Return the vectors in a file, of a model or by themselves."""
    return vectors_of(open_any(path))


def _require(path: Path) -> None:
    if not path.exists():
        raise InputError(f"there is no file {path}")


def parse_ids(option: str, text: str, kind: str) -> list[int] | list[str]:
    """Return the ids in ``text``: separated by commas, or a JSON list where ids hold commas.

    Parameters
    ----------
    option : str
        The option as its user wrote it, for the message.
    text : str
        ``12,7,99`` or ``["a, b", "c"]``; empty is an empty list.
    kind : {"int", "str"}
        Of the model's ids; see ``IdMap.kind``.

    Raises
    ------
    InputError
        Not a list of ids of this kind.
    """
    text = text.strip()
    if text.startswith("["):
        try:
            parts = json.loads(text)
        except ValueError as error:
            raise InputError(f"{option} begins with [ but is no JSON list: {error}") from None
    else:
        parts = [part.strip() for part in text.split(",")] if text else []
    if kind == "str":
        return [str(part) for part in parts]
    try:
        return [int(part) for part in parts]
    except (TypeError, ValueError):
        raise InputError(
            f"{option} takes whole numbers separated by commas, as this file's ids are, got {text}"
        ) from None
