"""The container of what fastrec saves: named arrays and strings in one safetensors file.

Any safetensors reader opens it. The writer is our own, because it aligns the
arrays, streams them and replaces the old file only when the new one is whole;
the reader is our own, because it maps the arrays where they lie instead of
copying them.
"""

from __future__ import annotations

import io
import mmap as memory
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from fastrec.errors import FormatError, InputError
from fastrec.native.checksum import Checksum
from fastrec.runtime import checks
from fastrec.runtime.arrays import ALIGNMENT, aligned_empty
from fastrec.runtime.checks import file_path
from fastrec.runtime.files import Path, open_to_read, replacing
from fastrec.storage import header as headers
from fastrec.storage.header import Entry, Header

COPY_BYTES = 1 << 22  # strided arrays are written through a buffer of this size
CHECK_BYTES = 1 << 18  # checked while it is in the second cache; the fastest of 256 KiB to 2 MiB


@dataclass(frozen=True)
class Container:
    """What a file holds.

    Attributes
    ----------
    arrays : dict of str to ndarray
        In the order in which they lie in the file; read-only where they are mapped.
    metadata : dict of str to str
        The strings that were stored beside them.
    """

    arrays: dict[str, np.ndarray]
    metadata: dict[str, str]


def write(path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write arrays and strings to one file, which replaces ``path`` only when it is whole.

    Data starts at a multiple of 64 bytes. Arrays whose size is a multiple of 64
    bytes (every matrix at the kernels' row stride) come first, the others by
    descending item size: so the former start on a cache line and all are aligned
    to their item size. Nothing larger than 4 MiB is copied on the way. The header
    holds the checksum of every array.

    Parameters
    ----------
    path : str or path-like
        The file; its folder exists.
    arrays : mapping of str to ndarray
        Booleans, integers, floats or complex64, any shape, strides and byte order.
    metadata : mapping of str to str
        Any strings; the keys ``padding`` and ``xxh64`` are taken.

    Raises
    ------
    InputError
        An array of another dtype, a name that is taken, a folder that does not exist.
    FastrecError
        The system could not write it (full disk); the old file is unchanged.
    """
    contents, entries = _prepare(arrays, metadata)
    with replacing(path) as file:
        _write_all(file, contents, entries, metadata)


def to_bytes(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """Return the bytes that :func:`write` would put into a file, for pickles and messages."""
    contents, entries = _prepare(arrays, metadata)
    buffer = io.BytesIO()
    _write_all(buffer, contents, entries, metadata)
    return buffer.getvalue()


def _prepare(
    arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]
) -> tuple[dict[str, np.ndarray], list[Entry]]:
    """Return the arrays and their places, or say what cannot be stored."""
    contents = {name: np.asarray(array) for name, array in arrays.items()}
    _check_contents(contents, metadata)
    entries = _place(contents)
    head = headers.build(entries, metadata)
    if len(head) > headers.MAX_HEADER_BYTES:
        raise InputError(
            f"the header takes {len(head)} bytes, at most {headers.MAX_HEADER_BYTES} are allowed; "
            "store long strings as arrays"
        )
    return contents, entries


def _write_all(
    file: BinaryIO,
    contents: Mapping[str, np.ndarray],
    entries: list[Entry],
    metadata: Mapping[str, str],
) -> None:
    """Write the arrays behind a header that leaves room for their checksums, then the header."""
    file.write(headers.build(entries, metadata))
    checksums = {
        entry.name: _write_array(file, contents[entry.name], entry.dtype) for entry in entries
    }
    file.seek(0)
    file.write(headers.build(entries, metadata, checksums))


def _check_contents(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    for name, array in arrays.items():
        if not isinstance(name, str) or name == headers.METADATA:
            raise InputError(f"an array cannot have the name {name!r}")
        if array.dtype.newbyteorder("<") not in headers.NAME_OF_DTYPE:
            raise InputError(
                f"array {name!r} has dtype {array.dtype}, which a model file cannot hold; "
                f"expected one of {', '.join(map(str, headers.NAME_OF_DTYPE))}"
            )
    for key, value in metadata.items():
        if not isinstance(key, str) or not isinstance(value, str) or key in headers.TAKEN:
            raise InputError(f"metadata holds strings only, got {key!r}: {value!r}")


def _place(arrays: Mapping[str, np.ndarray]) -> list[Entry]:
    """Give every array its place in the file, so that all are aligned without gaps."""

    def rank(name: str) -> tuple[bool, int]:
        return arrays[name].nbytes % ALIGNMENT != 0, -arrays[name].itemsize

    entries = []
    begin = 0
    for name in sorted(arrays, key=rank):
        array = arrays[name]
        dtype = array.dtype.newbyteorder("<")
        entries.append(Entry(name, dtype, array.shape, begin, begin + array.nbytes))
        begin += array.nbytes
    return entries


def _write_array(file: BinaryIO, array: np.ndarray, dtype: np.dtype) -> str:
    """Write the elements in C order and little endian; return their checksum."""
    checksum = Checksum()
    for piece in _pieces(array, dtype):
        checksum.update(piece)
        file.write(piece.data)
    digest: str = checksum.hexdigest()
    return digest


def _pieces(array: np.ndarray, dtype: np.dtype) -> Iterator[np.ndarray]:
    """Yield the bytes of an array, not copied where they lie as the file wants them."""
    if array.size == 0:
        return
    if array.flags.c_contiguous and array.dtype == dtype:
        content = array.reshape(-1).view(np.uint8)
        for start in range(0, len(content), CHECK_BYTES):
            yield content[start : start + CHECK_BYTES]
        return
    rows = array.reshape(1) if array.ndim == 0 else array
    step = max(1, COPY_BYTES * len(rows) // rows.nbytes)
    for start in range(0, len(rows), step):
        piece = np.ascontiguousarray(rows[start : start + step], dtype=dtype)
        yield piece.reshape(-1).view(np.uint8)


def read(path: Path, mmap: bool = False, verify: bool | None = None) -> Container:
    """Read a file that :func:`write` or another safetensors writer has made.

    Parameters
    ----------
    path : str or path-like
        The file.
    mmap : bool
        Map the arrays instead of reading them: nothing is copied, opening costs
        the header alone, processes share the memory, and the arrays are
        read-only. Replacing the file later (as :func:`write` does) leaves an
        open one as it was. Otherwise every array gets writable memory of its
        own on a 64-byte boundary.
    verify : bool or None
        Compare every array with its checksum. None: where arrays are read, for that
        costs little then, and not where they are mapped, for that would read them all.
        Files without checksums (other writers, older versions) are then taken as they are.

    Raises
    ------
    InputError
        There is no such file, or it is a folder.
    FormatError
        Truncated, damaged or not a safetensors file; with ``verify=True``, no checksums.
    """
    name = file_path(path)
    is_mapped = checks.flag("mmap", mmap)
    is_verified = not is_mapped if verify is None else checks.flag("verify", verify)
    with open_to_read(path) as file:
        header = _read_header(name, file, _size_of(file))
        if verify and header.entries and not header.checksums:
            raise FormatError(
                f"{name!r} holds no checksums to compare: an older version or another program "
                "wrote it; read it without verify=True"
            )
        if not is_mapped:
            arrays = _read_arrays(name, file, header, is_verified)
        else:
            arrays = _map_arrays(file, header)
            if is_verified:
                _verify(name, arrays, header)
    return Container(arrays, header.metadata)


def from_bytes(content: bytes) -> Container:
    """Return what :func:`to_bytes` was given, copied out; ``FormatError`` as in :func:`read`."""
    name = "bytes"
    file = io.BytesIO(content)
    header = _read_header(name, file, len(content))
    return Container(_read_arrays(name, file, header, is_verified=True), header.metadata)


def read_metadata(path: Path) -> dict[str, str]:
    """Return the strings of a file without touching its arrays; raises as :func:`read` does."""
    with open_to_read(path) as file:
        return _read_header(file_path(path), file, _size_of(file)).metadata


def _size_of(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _read_header(name: str, file: BinaryIO, size: int) -> Header:
    length_bytes = file.read(headers.LENGTH_BYTES)
    if not length_bytes:
        raise FormatError(f"{name!r} is empty; copy or save it again")
    length = int.from_bytes(length_bytes, "little")
    if len(length_bytes) < headers.LENGTH_BYTES:
        length = headers.MAX_HEADER_BYTES + 1
    header = file.read(min(length, size) if length <= headers.MAX_HEADER_BYTES else 0)
    return headers.parse(name, length, header, size)


def _map_arrays(file: BinaryIO, header: Header) -> dict[str, np.ndarray]:
    """Return read-only views of the mapped file; one that is not aligned to its items is copied."""
    mapped = memory.mmap(file.fileno(), 0, access=memory.ACCESS_READ)
    content = np.frombuffer(mapped, dtype=np.uint8)[header.data_start :]
    arrays = {}
    for entry in header.entries:
        array = content[entry.begin : entry.end].view(entry.dtype).reshape(entry.shape)
        if not array.flags.aligned:
            array = array.copy()
            array.flags.writeable = False
        arrays[entry.name] = array
    return arrays


def _verify(name: str, arrays: Mapping[str, np.ndarray], header: Header) -> None:
    """Compare mapped arrays with their checksums; reads them once."""
    for entry in header.entries:
        checksum = Checksum()
        for piece in _pieces(arrays[entry.name], entry.dtype):
            checksum.update(piece)
        _compare(name, entry, header, checksum)


def _compare(name: str, entry: Entry, header: Header, checksum: Checksum) -> None:
    """Raise where what was read of an array is not what was written."""
    stored = header.checksums.get(entry.name)
    if stored is not None and stored != checksum.hexdigest():
        raise headers.damaged(
            name, f"the bytes of array {entry.name!r} have changed since they were saved"
        )


def _read_arrays(
    name: str, file: BinaryIO, header: Header, is_verified: bool
) -> dict[str, np.ndarray]:
    """Return the arrays in memory of their own, read in the order in which they lie."""
    arrays = {}
    for entry in header.entries:
        content = aligned_empty((entry.end - entry.begin,), np.uint8)
        checksum = Checksum()
        filled = 0
        while filled < len(content):
            piece = content[filled : filled + CHECK_BYTES]
            count = file.readinto(piece.data)  # type: ignore[attr-defined]
            if not count:
                raise FormatError(f"{name!r} became shorter while it was read; read it again")
            if is_verified:
                checksum.update(piece[:count])
            filled += count
        if is_verified:
            _compare(name, entry, header, checksum)
        arrays[entry.name] = content.view(entry.dtype).reshape(entry.shape)
    return arrays
