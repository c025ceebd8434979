"""The folder format of a log: a ``log.json`` that says what there is, and one ``.npy`` a column.

The arrays are mapped into memory when the folder is opened, so a log larger than
memory can be trained on. Strings are stored as UTF-8 with offsets, nothing is
pickled. A folder is written under another name and renamed when it is complete.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import fastrec.native.objects as native
from fastrec.data.ids import IdMap
from fastrec.data.interactions import Interactions
from fastrec.data.validation import check_log_structure
from fastrec.errors import FastrecError, FormatError, InputError
from fastrec.runtime import checks

VERSION = 1
DESCRIPTION = "log.json"
COLUMNS = ("user", "session", "item", "time", "value")
MAPS = ("user_ids", "session_ids", "item_ids")
TABLES = ("users", "items")
DESCRIBED = {  # what a description holds, and as what
    "version": int,
    "rows": int,
    "columns": list,
    "maps": list,
    "time_unit": str | None,
    "context": dict,
    "tables": dict,
}


def save(log: Interactions, path: str | os.PathLike[str]) -> None:
    """See :meth:`Interactions.save`."""
    with replacing(path) as place:
        for name in COLUMNS:
            column = getattr(log, name)
            if column is not None:
                write_array(place / f"{name}.npy", column)
        for name, column in log.context.items():
            write_array(place / f"{file_name(name)}.context.npy", column)
        maps = {name: getattr(log, name) for name in MAPS if getattr(log, name) is not None}
        write_description(place, maps, log)


def write_description(place: Path, maps: Mapping[str, IdMap], log: Interactions | Any) -> None:
    """Write all of a log that does not grow with its rows; the columns are there already."""
    for name, ids in maps.items():
        _write_map(place, name, ids)
    for name, ids in log.context_ids.items():
        _write_map(place, f"{file_name(name)}.context", ids)
    write_array(place / "history_offsets.npy", log.history_offsets)
    tables = {
        table: _write_table(place, table, columns)
        for table in TABLES
        if (columns := getattr(log, table)) is not None
    }
    description = {
        "format": "fastrec interactions",
        "version": VERSION,
        "rows": int(log.history_offsets[-1]),
        "columns": [name for name in COLUMNS if (place / f"{name}.npy").exists()],
        "maps": list(maps),
        "time_unit": log.time_unit,
        "context": {name: name in log.context_ids for name in log.context},
        "tables": tables,
    }
    with (place / DESCRIPTION).open("w", encoding="utf-8") as file:
        json.dump(description, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())


def file_name(name: str) -> str:
    """Return a file name for the name of a column, whatever characters that has."""
    plain = (char if char.isascii() and char.isalnum() else f"%{ord(char):x}%" for char in name)
    return "".join(plain)


def write_array(path: Path, array: np.ndarray) -> None:
    """Write one array and see it to the disk."""
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def _write_map(place: Path, name: str, ids: IdMap) -> None:
    for part, array in ids.to_arrays(name).items():
        write_array(place / f"{part}.npy", array)


def _write_table(place: Path, table: str, columns: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Write a side table; return its columns and whether each holds "text" or "plain" numbers."""
    kinds = {}
    for name, column in columns.items():
        kinds[name] = "text" if column.dtype == object else "plain"
        if column.dtype != object:
            write_array(place / f"{file_name(name)}.{table}.npy", column)
            continue
        blob, offsets, _, bad = native.utf8_of_objects(column.tolist())
        if bad >= 0:
            raise InputError(
                f"the column {name!r} of {table} must hold valid strings, got {column[bad]!r}"
            )
        write_array(place / f"{file_name(name)}.{table}.blob.npy", np.frombuffer(blob, np.uint8))
        write_array(
            place / f"{file_name(name)}.{table}.offsets.npy", np.frombuffer(offsets, np.int64)
        )
    return kinds


@contextmanager
def replacing(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Give an empty folder that takes the place of ``target`` when the block ends without an error.

    Raises
    ------
    InputError
        Something other than a log or an empty folder is at ``target``.
    FastrecError
        The system refused to write (full disk, access rights); the cause is the ``OSError``.
    """
    path = Path(checks.file_path(target))
    try:
        with _replacing(path) as fresh:
            yield fresh
    except OSError as error:
        raise FastrecError(
            f"could not write the log {str(path)!r}: {error.strerror or error}; an old one is "
            "unchanged; free some space or choose another place"
        ) from error


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    is_log = (path / DESCRIPTION).exists()
    if path.exists() and not is_log and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"{str(path)!r} exists and is no log; choose another place")
    path.parent.mkdir(parents=True, exist_ok=True)
    mark = f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}"
    fresh, old = path.with_name(f"{mark}.new"), path.with_name(f"{mark}.old")
    fresh.mkdir()
    try:
        yield fresh
        if path.exists():
            path.rename(old)
        try:
            fresh.rename(path)
        except OSError:
            if old.exists():
                old.rename(path)
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def open(path: str | os.PathLike[str]) -> Interactions:
    """See :meth:`Interactions.open`."""
    place = Path(checks.file_path(path))
    description = _described(place)
    try:
        log = Interactions._trusted(**_parts(place, description))
        check_log_structure(log)
    except (TypeError, AttributeError, KeyError, InputError) as error:
        raise FormatError(f"the log in {str(place)!r} is damaged: {error}") from None
    return log


def _parts(place: Path, description: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of the log that a description names, mapped."""
    rows, contexts = description["rows"], description["context"]
    parts: dict[str, Any] = {"history_offsets": _mapped(place, "history_offsets")}
    parts |= {name: _mapped(place, name, rows) for name in description["columns"]}
    parts |= {name: _map(place, name) for name in description["maps"]}
    parts |= {name: _table(place, name, kinds) for name, kinds in description["tables"].items()}
    parts["context"] = {
        name: _mapped(place, f"{file_name(name)}.context", rows) for name in contexts
    }
    parts["context_ids"] = {
        name: _map(place, f"{file_name(name)}.context") for name in contexts if contexts[name]
    }
    parts["time_unit"] = description["time_unit"]
    return parts


def _described(place: Path) -> dict[str, Any]:
    """Return what ``log.json`` says, if it is of this format and version."""
    try:
        description = json.loads((place / DESCRIPTION).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FormatError(
            f"{str(place)!r} holds no log: it has no {DESCRIPTION}; write one with log.save"
        ) from None
    except (OSError, ValueError) as error:
        raise FormatError(f"the log in {str(place)!r} is damaged: {error}") from None
    if not isinstance(description, dict) or description.get("format") != "fastrec interactions":
        raise FormatError(f"{str(place / DESCRIPTION)!r} does not describe a log")
    version = description.get("version")
    if isinstance(version, int) and version > VERSION:
        raise FormatError(
            f"the log in {str(place)!r} has format version {version}, this fastrec "
            f"reads up to {VERSION}: upgrade with pip install -U fastrec-engine"
        )
    missing = DESCRIBED.keys() - description.keys()
    if missing:
        raise FormatError(f"{str(place / DESCRIPTION)!r} lacks {min(missing)!r}")
    for key, kind in DESCRIBED.items():
        if not isinstance(description[key], kind):
            raise FormatError(
                f"{str(place / DESCRIPTION)!r} is damaged: {key} is {description[key]!r}"
            )
    return description


def _mapped(place: Path, name: str, rows: int | None = None) -> np.ndarray:
    """Map one array into memory."""
    file = place / f"{name}.npy"
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise FormatError(f"the log in {str(place)!r} is damaged: {file.name} is missing") from None
    except (OSError, ValueError, EOFError) as error:
        # NumPy's own message may advise to unpickle the file.
        raise FormatError(
            f"the log in {str(place)!r} is damaged: {file.name} is no array; save it again"
        ) from error
    if rows is not None and array.shape != (rows,):
        raise FormatError(f"{str(file)!r} must hold {rows} rows, got shape {array.shape}")
    return array.view(np.ndarray)


def _map(place: Path, name: str) -> IdMap:
    parts = {
        f"{name}.{part}": _mapped(place, f"{name}.{part}")
        for part in ("ids", "blob", "offsets", "order")
        if (place / f"{name}.{part}.npy").exists()
    }
    return IdMap.from_arrays(name, parts)


def _table(place: Path, table: str, kinds: Mapping[str, str]) -> dict[str, np.ndarray]:
    columns = {}
    for name, kind in kinds.items():
        if kind == "plain":
            columns[name] = _mapped(place, f"{file_name(name)}.{table}")
            continue
        blob = _mapped(place, f"{file_name(name)}.{table}.blob")
        offsets = _mapped(place, f"{file_name(name)}.{table}.offsets")
        texts = native.strings_of_codes(blob, offsets, np.arange(len(offsets) - 1, dtype=np.int32))
        if texts is None:
            raise FormatError(f"the column {name!r} of {table} in {str(place)!r} is damaged")
        columns[name] = np.empty(len(texts), object)
        columns[name][:] = texts
    return columns
