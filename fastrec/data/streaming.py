"""Streaming a table larger than memory into the folder format.

1. Batches are encoded and their rows appended to one file of records; only the
   different ids stay in memory.
2. The records are dealt out to files by ranges of owners (users, or sessions
   where there are no users), so that each holds few enough rows to sort in memory.
3. Each of these files is sorted and appended to the columns.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import numpy as np

from fastrec.data import folder
from fastrec.data.build import refuse_empty
from fastrec.data.interactions import Interactions
from fastrec.data.readers import Table
from fastrec.data.rows import CONTEXT, RowEncoder, sort_rows

PART_ROWS = 1 << 21  # rows sorted at once, some 200 MB with everything that a sort needs
MOST_PARTS = 256  # files that are open at once
STEP_ROWS = 1 << 18


def write(
    table: Table, needed: list[str], encoder: RowEncoder, into: str | os.PathLike[str]
) -> Interactions:
    """Write the log of ``table`` to the folder ``into`` and return it, memory-mapped."""
    with folder.replacing(into) as place:
        records = _spill(table, needed, encoder, place / "rows.tmp")
        refuse_empty(encoder.rows)
        maps, finals = encoder.finish()
        owner = "user" if "user" in maps else "session"
        cuts = _cuts(_read(place / "rows.tmp", records, finals), owner, len(maps[owner]))
        parts = _deal_out(place, records, finals, owner, cuts)
        (place / "rows.tmp").unlink()
        history_offsets = _write_columns(place, parts, records, encoder.rows)
        contexts = {key.removeprefix(CONTEXT): key for key in records.names or ()}
        contexts = {name: key for name, key in contexts.items() if name != key}
        description = SimpleNamespace(
            history_offsets=history_offsets,
            time_unit=encoder.time_unit,
            context=contexts,
            context_ids={name: maps[key] for name, key in contexts.items() if key in maps},
            users=None,
            items=None,
        )
        named = {f"{role}_ids": maps[role] for role in ("user", "session", "item") if role in maps}
        folder.write_description(place, named, description)
    return folder.open(into)


def _spill(table: Table, needed: list[str], encoder: RowEncoder, path: Path) -> np.dtype[Any]:
    """Append the encoded rows of all batches to one file; return the dtype of its records."""
    records: np.dtype[Any] = np.dtype([])
    with path.open("wb") as file:
        for batch in table.batches(needed):
            rows = encoder.encode(batch)
            if not records.names:
                records = np.dtype([(key, column.dtype) for key, column in rows.items()])
            packed = np.empty(len(rows["item"]), records)
            for key, column in rows.items():
                packed[key] = column
            packed.tofile(file)
    return records


def _read(
    path: Path, records: np.dtype[Any], finals: Mapping[str, np.ndarray]
) -> Iterator[np.ndarray]:
    """Yield the records of a file step by step, with their codes made final."""
    with path.open("rb") as file:
        while True:
            rows = np.fromfile(file, records, STEP_ROWS)
            if len(rows) == 0:
                return
            for key, final in finals.items():
                rows[key] = final[rows[key]]
            yield rows


def _cuts(steps: Iterator[np.ndarray], owner: str, owners: int) -> np.ndarray:
    """Return the owner codes at which a new part begins, so that parts have about as many rows."""
    counts = np.zeros(owners, np.int64)
    for rows in steps:
        present, often = np.unique(rows[owner], return_counts=True)
        counts[present] += often
    before = np.cumsum(counts) - counts
    size = max(PART_ROWS, -(-int(counts.sum()) // MOST_PARTS))
    return np.flatnonzero(np.diff(before // size, prepend=-1))


def _deal_out(
    place: Path,
    records: np.dtype[Any],
    finals: Mapping[str, np.ndarray],
    owner: str,
    cuts: np.ndarray,
) -> list[Path]:
    """Append each record to the file of the part that its owner is in; return the files."""
    paths = [place / f"part-{part}.tmp" for part in range(len(cuts))]
    with ExitStack() as stack:
        files = [stack.enter_context(path.open("wb")) for path in paths]
        for rows in _read(place / "rows.tmp", records, finals):
            part = (np.searchsorted(cuts, rows[owner], "right") - 1).astype(np.uint16)
            order = np.argsort(part, kind="stable")
            ends = np.cumsum(np.bincount(part, minlength=len(cuts)))
            dealt = rows[order]
            for file, piece in zip(files, np.split(dealt, ends[:-1]), strict=True):
                piece.tofile(file)
    return paths


def _write_columns(
    place: Path, parts: list[Path], records: np.dtype[Any], total: int
) -> np.ndarray:
    """Sort part after part and append it to the columns; return the history offsets."""
    keys = [key for key in records.names or () if key != "order"]
    offsets = [np.zeros(1, np.int64)]
    with ExitStack() as stack:
        files = {key: stack.enter_context(_column_path(place, key).open("wb")) for key in keys}
        for key, file in files.items():
            _write_header(file, records[key], total)
        for path in parts:
            packed = np.fromfile(path, records)
            path.unlink()
            rows = {key: np.ascontiguousarray(packed[key]) for key in records.names or ()}
            del packed
            offsets.append(sort_rows(rows)[1:] + offsets[-1][-1])
            for key, file in files.items():
                rows[key].tofile(file)
        for file in files.values():
            file.flush()
            os.fsync(file.fileno())
    return np.concatenate(offsets)


def _column_path(place: Path, key: str) -> Path:
    if key.startswith(CONTEXT):
        return place / f"{folder.file_name(key.removeprefix(CONTEXT))}.context.npy"
    return place / f"{key}.npy"


def _write_header(file: IO[bytes], dtype: np.dtype[Any], rows: int) -> None:
    header = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": (rows,),
    }
    np.lib.format.write_array_header_1_0(file, header)
