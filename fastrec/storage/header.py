"""The header of a safetensors file: which arrays follow it, of which dtype and shape, and where.

Layout of the file (https://github.com/huggingface/safetensors, "Format"): eight
bytes with the little-endian length of the header, the header in JSON, then the
bytes of the arrays one after the other, without gaps::

    {"__metadata__": {"key": "text"},
     "name": {"dtype": "F32", "shape": [rows, columns], "data_offsets": [begin, end]}}

Here the data also starts at a multiple of 64 bytes: the entry ``padding`` of the
metadata, a string of blanks, is as long as that takes. The entry ``xxh64`` is a
table in JSON with the checksum of each array's bytes, 16 hexadecimal digits, and
under ``__metadata__`` that of the header without these two entries, its keys
sorted. Files of other writers and of older versions have none.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastrec.errors import FormatError
from fastrec.native.checksum import Checksum
from fastrec.runtime.arrays import ALIGNMENT

LENGTH_BYTES = 8
MAX_HEADER_BYTES = 100_000_000  # the limit of every safetensors reader
METADATA = "__metadata__"
PADDING = "padding"
CHECKSUMS = "xxh64"
TAKEN = (PADDING, CHECKSUMS)
NO_CHECKSUM = "0" * 16

DTYPE_NAMES = {
    "BOOL": np.dtype("?"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "I16": np.dtype("<i2"),
    "U16": np.dtype("<u2"),
    "F16": np.dtype("<f2"),
    "I32": np.dtype("<i4"),
    "U32": np.dtype("<u4"),
    "F32": np.dtype("<f4"),
    "I64": np.dtype("<i8"),
    "U64": np.dtype("<u8"),
    "F64": np.dtype("<f8"),
    "C64": np.dtype("<c8"),
}
NAME_OF_DTYPE = {dtype: name for name, dtype in DTYPE_NAMES.items()}


@dataclass(frozen=True)
class Entry:
    """One array of the file; ``begin`` and ``end`` count bytes from the start of the data."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """What the header says: the arrays by their place, the metadata, and where the data starts.

    ``checksums`` holds those of the arrays, where the writer knew them.
    """

    entries: list[Entry]
    metadata: dict[str, str]
    data_start: int
    checksums: dict[str, str] = field(default_factory=dict)


def build(
    entries: list[Entry], metadata: Mapping[str, str], checksums: Mapping[str, str] | None = None
) -> bytes:
    """Return the length and the header in bytes, padded so that the data starts on a cache line.

    The size does not depend on ``checksums``: None keeps the place for those of all arrays.
    """
    content: dict[str, Any] = {METADATA: dict(metadata)}
    for entry in entries:
        content[entry.name] = {
            "dtype": NAME_OF_DTYPE[entry.dtype],
            "shape": list(entry.shape),
            "data_offsets": [entry.begin, entry.end],
        }
    table = dict(checksums) if checksums else {entry.name: NO_CHECKSUM for entry in entries}
    table[METADATA] = _own_checksum(content)
    content[METADATA] |= {CHECKSUMS: _encode(table).decode("ascii"), PADDING: ""}
    length = LENGTH_BYTES + len(_encode(content))
    content[METADATA][PADDING] = " " * (-length % ALIGNMENT)
    header = _encode(content)
    return len(header).to_bytes(LENGTH_BYTES, "little") + header


def _encode(content: Mapping[str, Any], sort_keys: bool = False) -> bytes:
    return json.dumps(content, separators=(",", ":"), sort_keys=sort_keys).encode("ascii")


def _own_checksum(content: Mapping[str, Any]) -> str:
    """Return the checksum of a header whose metadata lacks the entries that are taken."""
    checksum = Checksum()
    checksum.update(_encode(content, sort_keys=True))
    return checksum.hexdigest()


def parse(name: str, length: int, header: bytes, file_size: int) -> Header:
    """Return the checked header of file ``name``.

    Parameters
    ----------
    name : str
        The file as its user knows it, for the messages.
    length : int
        The first eight bytes of the file.
    header : bytes
        What follows them; shorter than ``length`` where the file ends before.
    file_size : int
        Bytes of the whole file.

    Raises
    ------
    FormatError
        Not a safetensors file, truncated, or a header that contradicts itself or the file.
    """
    if length > MAX_HEADER_BYTES or not header.startswith(b"{"):
        raise FormatError(
            f"{name!r} is not a fastrec file: it does not begin with a safetensors header; "
            "expected a file that fastrec has saved"
        )
    if len(header) < length:
        raise _truncated(name, file_size, LENGTH_BYTES + length)
    content = _decode(name, header)
    metadata = content.setdefault(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise damaged(name, "the metadata is not a table of strings")
    metadata.pop(PADDING, None)
    stored = metadata.pop(CHECKSUMS, None)
    entries = sorted(
        (_entry(name, key, value) for key, value in content.items() if key != METADATA),
        key=lambda entry: (entry.begin, entry.end),
    )
    data_start = LENGTH_BYTES + length
    _check_places(name, entries, data_start, file_size)
    checksums = {} if stored is None else _checksums(name, content, stored)
    return Header(entries, metadata, data_start, checksums)


def _decode(name: str, header: bytes) -> dict[str, Any]:
    try:
        content = json.loads(header.decode("utf-8"), object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise damaged(name, f"its header is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise damaged(name, "its header is not a JSON object")
    return content


def _checksums(name: str, content: Mapping[str, Any], text: str) -> dict[str, str]:
    """Return the checksums of the arrays, after comparing that of the header itself."""
    try:
        table = json.loads(text)
    except (ValueError, RecursionError):
        table = None
    if not isinstance(table, dict) or table.keys() != content.keys():
        raise damaged(name, "its checksums are not those of its arrays")
    for value in table.values():
        if not isinstance(value, str) or not re.fullmatch(r"[0-9a-f]{16}", value):
            raise damaged(name, f"{value!r} is no checksum")
    if table.pop(METADATA) != _own_checksum(content):
        raise damaged(name, "its header does not have the checksum that was stored with it")
    return table


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a key appears twice")
    return table


def _entry(name: str, key: str, value: Any) -> Entry:
    """Return one array's entry after checking it against itself."""
    if not isinstance(value, dict) or not {"dtype", "shape", "data_offsets"} <= value.keys():
        raise damaged(name, f"array {key!r} lacks its dtype, shape or data_offsets")
    dtype = DTYPE_NAMES.get(value["dtype"]) if isinstance(value["dtype"], str) else None
    if dtype is None:
        raise FormatError(
            f"array {key!r} of {name!r} has dtype {value['dtype']!r}, which fastrec does not read; "
            f"expected one of {', '.join(DTYPE_NAMES)}"
        )
    shape, offsets = value["shape"], value["data_offsets"]
    if not _are_sizes(shape) or not _are_sizes(offsets) or len(offsets) != 2:
        raise damaged(name, f"array {key!r} has shape {shape!r} and data_offsets {offsets!r}")
    begin, end = offsets
    if math.prod(shape) * dtype.itemsize != end - begin:
        raise damaged(
            name,
            f"array {key!r} of shape {shape} and dtype {value['dtype']} needs "
            f"{math.prod(shape) * dtype.itemsize} bytes, its data_offsets span {end - begin}",
        )
    return Entry(key, dtype, tuple(shape), begin, end)


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(size, int) and not isinstance(size, bool) and size >= 0 for size in value
    )


def _check_places(name: str, entries: list[Entry], data_start: int, file_size: int) -> None:
    """Check that the arrays fill the rest of the file without gaps or overlaps."""
    end = 0
    for entry in entries:
        if entry.begin != end:
            raise damaged(
                name, f"array {entry.name!r} begins at byte {entry.begin} of the data, not at {end}"
            )
        end = entry.end
    expected = data_start + end
    if file_size < expected:
        raise _truncated(name, file_size, expected)
    if file_size > expected:
        raise damaged(name, f"it has {file_size} bytes, its header describes {expected}")


def _truncated(name: str, got: int, expected: int) -> FormatError:
    return FormatError(
        f"{name!r} is truncated: it has {got} bytes of {expected}; copy or save it again"
    )


def damaged(name: str, what: str) -> FormatError:
    """Return the error for a file whose content cannot be what was saved."""
    return FormatError(f"{name!r} is damaged: {what}; copy or save it again")
