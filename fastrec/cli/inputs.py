"""What the commands are given: logs, queries, models and ids, read from files and from the line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastrec.errors import InputError

if TYPE_CHECKING:
    from fastrec.data.corpus import Corpus
    from fastrec.data.interactions import Interactions
    from fastrec.data.queries import Queries
    from fastrec.search import Vectors

PARQUET = (".parquet", ".pq")
SHOWN = 60  # letters of an argument that a message repeats
CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
VECTOR_KINDS = ("item", "document", "word", "user")


def read_log(path: Path, **columns: Any) -> Interactions:
    """Return the log in a Parquet or CSV file, a folder of Parquet files, or a saved log.

    Parameters
    ----------
    path : Path
        What it is, is known by its ending; a folder without Parquet files is one
        that ``Interactions.save`` wrote.
    **columns : str, list of str, or None
        ``user``, ``session``, ``item``, ``order``, ``time``, ``time_unit``,
        ``value``, ``context``, as the readers take them; None where the log has no such column.

    Raises
    ------
    InputError
        There is no such file, an ending that is neither, or columns that do not fit.
    """
    from fastrec.data.interactions import Interactions

    _require(path)
    given: dict[str, Any] = {name: column for name, column in columns.items() if column is not None}
    has_parquet = path.name.endswith(PARQUET) or any(path.glob("*.parquet"))
    if path.is_dir() and not has_parquet:
        if not (path / "log.json").exists():
            raise InputError(
                f"the folder {path} holds neither Parquet files nor a log that Interactions.save "
                "wrote"
            )
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


def read_groups(path: Path, columns: str) -> tuple[Any, Any]:
    """Return tracks and their groups from two columns, ``ID,GROUP``, of a Parquet or CSV file.

    Raises
    ------
    InputError
        There is no such file, or not these columns in it.
    """
    from fastrec.data.columns import pick
    from fastrec.data.readers import any_table, whole_column

    _require(path)
    names = [name.strip() for name in columns.split(",")]
    if len(names) != 2:
        raise InputError(f"--group-columns takes two columns, ID,GROUP, got {columns}")
    table = any_table(path)
    for name in names:
        pick(name, table.names, "--group-columns", table.where)
    batches = list(table.batches(names))
    return whole_column(batches, names[0]), whole_column(batches, names[1])


def read_texts(
    text: Path | None, data: Path | None, column: str | None = None, id: str | None = None
) -> Corpus:
    """Return the documents in a text file, one a line, or in a column of Parquet files.

    Parameters
    ----------
    text, data : Path or None
        One of them: a text file; or a Parquet file or a folder of them.
    column : str or None
        The column of ``data`` that holds the texts; None is ``text``.
    id : str or None
        The column of ``data`` that holds the documents' ids; None numbers them.

    Raises
    ------
    InputError
        None or both of the files, a file that is no Parquet, or columns that do not fit.
    FormatError
        A file that is damaged or not UTF-8.
    """
    from fastrec.data.corpus import Corpus

    if text is not None and data is None:
        for option, name in (("--column", column), ("--id", id)):
            if name is not None:
                raise InputError(f"{option} names a column of --data, but --text has none")
        _require(text)
        return Corpus.from_file(text)
    if data is not None and text is None:
        _require(data)
        if not data.is_dir() and not data.name.endswith(PARQUET):
            raise InputError(
                f"--data {data} must end in one of {', '.join(PARQUET)}, or be a folder of such "
                "files; give a text file with --text"
            )
        return Corpus.from_parquet(data, column or "text", id)
    raise InputError(
        "give the documents by one of --text FILE, one document a line, and --data FILE, a "
        "Parquet file"
    )


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


def open_recommender(path: Path) -> Any:
    """Return the model in a file, memory-mapped, if it is one that recommends items.

    Raises
    ------
    InputError
        It is another model.
    """
    from fastrec.models import Recommender

    opened = open_model(path)
    if not isinstance(opened, Recommender):
        raise InputError(
            f"{path} holds a {type(opened).__name__}, which recommends nothing; "
            "fastrec similar takes it"
        )
    return opened


def vectors_of(opened: Any, kind: str | None = None) -> tuple[str, Vectors]:
    """Return what :func:`open_any` returned as vectors, and of what they are.

    Parameters
    ----------
    opened : Model or Vectors
    kind : str or None
        One of ``VECTOR_KINDS``; None is the first of these that a model has.

    Raises
    ------
    InputError
        A model without such vectors, or a kind of a file that has no choice.
    """
    from fastrec.search import Vectors

    if kind is not None and kind not in VECTOR_KINDS:
        raise InputError(f"--vectors takes {', '.join(VECTOR_KINDS)}, got {kind!r}")
    if isinstance(opened, Vectors):
        if kind is not None:
            raise InputError("--vectors chooses among those of a model, and this file is of none")
        return "", opened
    for name in VECTOR_KINDS if kind is None else (kind,):
        found = getattr(opened, f"{name}_vectors", None)
        if isinstance(found, Vectors):
            return name, found
    lacking = "items, documents or words" if kind is None else f"{kind}s"
    raise InputError(f"{type(opened).__name__} has no vectors of {lacking}")


def open_vectors(path: Path, kind: str | None = None) -> Vectors:
    """Return the vectors in a file, of a model or by themselves; see :func:`vectors_of`."""
    return vectors_of(open_any(path), kind)[1]


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
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{option} begins with [ but is no JSON list ({error}), got {_shown(text)}"
            ) from None
    else:
        parts = [part.strip() for part in text.split(",")] if text else []
    if kind == "str":
        if not all(isinstance(part, str) or _is_whole(part) for part in parts):
            raise InputError(
                f"{option} takes ids, which are strings in this file, got {_shown(text)}"
            )
        return [str(part) for part in parts]
    if not all(_is_whole(part) for part in parts):
        raise InputError(
            f"{option} takes whole numbers separated by commas, as this file's ids are, got "
            + _shown(text)
        )
    return [int(part) for part in parts]


def parse_id(option: str, text: str, kind: str) -> Any:
    """Return the one id in ``text``."""
    if kind == "str" and not text.lstrip().startswith("["):
        return text
    ids = parse_ids(option, text, kind)
    if len(ids) != 1:
        raise InputError(f"{option} takes one id, got {text}")
    return ids[0]


def _is_whole(part: Any) -> bool:
    """Say whether this is a whole number, of JSON or in plain digits."""
    if isinstance(part, str):  # Python converts no more than 4300 digits; an id has up to 19
        return re.fullmatch(r"-?[0-9]{1,4300}", part) is not None
    return isinstance(part, int) and not isinstance(part, bool)


def _shown(text: str) -> str:
    """Return the beginning of what was given, for a message of one line."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
