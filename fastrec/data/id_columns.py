"""Ids as users hand them in, read into the two forms that maps take: int64 or UTF-8.

Lists, NumPy arrays, Arrow arrays and whatever speaks the Arrow interface are
accepted. Integers become one int64 array in which -1 stands for padding;
strings become chunks of UTF-8, so that a long column never exists twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

import numpy as np

import fastrec.native.objects as native
from fastrec.data.ragged import Ragged
from fastrec.errors import InputError
from fastrec.runtime import checks

CHUNK = 65_536  # rows a step: the scratch memory of a step stays within a few MB
LARGEST_ID = 2**63 - 1


@dataclass(slots=True)
class Utf8Chunk:
    """Some consecutive strings: a blob, int64 offsets into it, and a mask of the missing ones."""

    blob: np.ndarray
    offsets: np.ndarray
    missing: np.ndarray | None

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(slots=True)
class IntColumn:
    """Integer ids, int64, -1 where padded or missing; ``missing`` says how many were null."""

    values: np.ndarray
    missing: int = 0
    kind: ClassVar[str] = "int"

    def __len__(self) -> int:
        return len(self.values)

    def values_of(self, rows: np.ndarray) -> list[int]:
        """Return the ids of a few rows."""
        return self.values[rows].tolist()


@dataclass(slots=True)
class StrColumn:
    """String ids: ``length`` of them, made anew as UTF-8 chunks by each call of ``chunks``."""

    length: int
    chunks: Callable[[], Iterator[Utf8Chunk]]
    kind: ClassVar[str] = "str"

    def __len__(self) -> int:
        return self.length

    def values_of(self, rows: np.ndarray) -> list[str]:
        """Return the ids of a few rows, in ascending order; reads the column up to these."""
        values: list[str] = []
        done = 0
        for chunk in self.chunks():
            inside = rows[(rows >= done) & (rows < done + len(chunk))] - done
            values += native.strings_of_codes(chunk.blob, chunk.offsets, inside.astype(np.int32))
            done += len(chunk)
            if len(values) == len(rows):
                break
        return values


IdColumn = IntColumn | StrColumn


def as_id_column(ids: Any, name: str = "ids") -> IdColumn:
    """Return ``ids`` in the form that maps take.

    Parameters
    ----------
    ids : list, ndarray, Arrow array, Series or other sequence, shape (n,)
        Whole numbers of at least 0, or strings. None, an Arrow null, a masked entry or -1 is
        padding.
    name : str
        What the ids are, for messages.

    Raises
    ------
    InputError
        Floats, booleans, bytes, negative numbers other than -1, numbers beyond
        2**63 - 1, strings with lone surrogates, or strings mixed with numbers.
    """
    if isinstance(ids, (str, bytes)):
        raise InputError(f"{name} must be a list or an array of ids, got the single {ids!r}")
    if isinstance(ids, np.ndarray):
        return _of_numpy(unmasked(ids), name)
    if isinstance(ids, (list, tuple)):
        return _of_objects(ids, name)
    if hasattr(ids, "__arrow_c_array__") or hasattr(ids, "__arrow_c_stream__"):
        column = _of_arrow_interface(ids, name)
        if column is not None:
            return column
    if isinstance(ids, (set, frozenset, dict)):
        raise InputError(f"{name} must come in an order, got a {type(ids).__name__}: use a list")
    if isinstance(ids, (range, Sequence)) or not hasattr(ids, "__array__"):
        return _of_objects(checks.listed(name, ids, "a list or an array of ids"), name)
    return _of_numpy(checks.as_array(name, ids, "a list or an array of ids"), name)


def unmasked(ids: Any) -> Any:
    """Return a masked array as one of objects, None where it hides something; others as they are.

    NumPy's own functions would go on with what lies beneath the mask. A list of such an
    array's entries is one again, with None.
    """
    if checks.masked_place(ids) is None:
        return ids
    if isinstance(ids, (list, tuple)):
        return [None if id is np.ma.masked else id for id in ids]
    plain = np.array(ids.data, dtype=object)
    plain[np.ma.getmaskarray(ids)] = None
    return plain


def present_rows(column: IdColumn) -> tuple[IdColumn, np.ndarray]:
    """Return the ids of a column that are no padding, and the mask of their rows."""
    if isinstance(column, IntColumn):
        mask = column.values >= 0
        return IntColumn(column.values[mask]), mask
    missing = [
        np.zeros(len(chunk), np.bool_) if chunk.missing is None else chunk.missing
        for chunk in column.chunks()
    ]
    mask = ~np.concatenate(missing) if missing else np.ones(0, np.bool_)
    if mask.all():
        return column, mask

    def chunks() -> Iterator[Utf8Chunk]:
        for chunk in column.chunks():
            if chunk.missing is None:
                yield chunk
            else:
                kept = Ragged(chunk.blob, chunk.offsets).take(np.flatnonzero(~chunk.missing))
                yield Utf8Chunk(kept.values, kept.offsets, None)

    return StrColumn(int(mask.sum()), chunks), mask


def utf8_column(blob: np.ndarray, offsets: np.ndarray) -> StrColumn:
    """Return strings that are UTF-8 already; nothing is copied."""

    def chunks() -> Iterator[Utf8Chunk]:
        for start in range(0, len(offsets) - 1, CHUNK):
            yield Utf8Chunk(blob, offsets[start : start + CHUNK + 1], None)

    return StrColumn(len(offsets) - 1, chunks)


def refuse_padding(column: IntColumn, name: str) -> None:
    """Raise where ids that make a map hold a null or -1."""
    if len(column) == 0 or column.values.min() >= 0:
        return
    row = int(np.flatnonzero(column.values < 0)[0])
    if column.missing:
        raise InputError(f"{name} must not be missing, got none in row {row}; drop such rows")
    raise InputError(
        f"{name} must be at least 0, got -1 in row {row}, which is padding; drop such rows"
    )


def _of_numpy(ids: np.ndarray, name: str) -> IdColumn:
    if ids.ndim != 1:
        raise InputError(f"{name} must be one-dimensional, got shape {ids.shape}")
    if ids.dtype.kind in "iu":
        return _of_int_array(ids, name)
    if ids.dtype.kind == "U":
        return StrColumn(len(ids), lambda: _chunks_of_points(ids, name))
    if ids.dtype.kind == "T":
        return StrColumn(len(ids), lambda: _chunks_of_objects(ids, name))
    if ids.dtype.kind == "O":
        return _of_objects(ids, name)
    if len(ids) == 0:
        return IntColumn(np.empty(0, np.int64))
    _refuse_dtype(str(ids.dtype), ids.dtype.kind, name)


def _refuse_dtype(dtype: str, kind: str, name: str) -> NoReturn:
    advice = {
        "f": "a column with missing values becomes float in many readers: drop those rows, then "
        "use .astype('int64')",
        "S": "decode bytes first, for example with numpy.char.decode(ids, 'utf-8')",
        "b": "use .astype('int64') if 0 and 1 are meant as ids",
    }.get(kind, "convert them to int64 or to strings")
    raise InputError(f"{name} must be whole numbers or strings, got dtype {dtype}; {advice}")


def _of_int_array(ids: np.ndarray, name: str) -> IntColumn:
    if len(ids) == 0:
        return IntColumn(np.empty(0, np.int64))
    if ids.dtype == np.uint64 and ids.max() > LARGEST_ID:
        raise InputError(f"{name} must be at most 2**63 - 1, got {ids.max()}")
    if ids.dtype.kind == "i" and ids.min() < -1:
        row = int(np.flatnonzero(ids < -1)[0])
        _refuse_negative(ids[row], row, name)
    return IntColumn(np.ascontiguousarray(ids, np.int64))


def _refuse_negative(value: Any, row: int, name: str) -> NoReturn:
    raise InputError(
        f"{name} must be at least 0 (-1 is padding), got {value} in row {row}; "
        "use strings for ids that are no counting numbers"
    )


def _of_objects(ids: Sequence[Any] | np.ndarray, name: str) -> IdColumn:
    """Read a list, tuple or array of Python objects; the first that is not None says the kind."""
    first = next((value for value in ids if value is not None), None)
    if isinstance(first, str):
        return StrColumn(len(ids), lambda: _chunks_of_objects(ids, name))
    values = np.empty(len(ids), np.int64)
    missing = 0
    for start in range(0, len(ids), CHUNK):
        objects = _object_list(ids, start)
        bad = native.ints_of_objects(objects, values[start : start + CHUNK])
        if bad >= 0:
            _refuse_object(objects[bad], start + bad, "numbers", name)
        missing += objects.count(None)
    return IntColumn(_of_int_array(values, name).values, missing)


def _object_list(ids: Sequence[Any] | np.ndarray, start: int) -> list[Any]:
    part = ids[start : start + CHUNK]
    return part.tolist() if isinstance(part, np.ndarray) else list(part)


def _refuse_object(value: Any, row: int, kind: str, name: str) -> NoReturn:
    """Say what is wrong with a Python object among ids of the given kind."""
    got = f"got {value!r} in row {row}"
    if (isinstance(value, float) and value != value) or checks.masked_place(value) is not None:
        raise InputError(f"{name} must not be missing, {got}: drop such rows, or pad with None")
    if isinstance(value, str) and kind == "strings":
        raise InputError(
            f"{name} must be valid Unicode, got a lone surrogate in {value!r} in row {row}"
        )
    if isinstance(value, str) or (kind == "strings" and isinstance(value, int)):
        raise InputError(f"{name} must be all numbers or all strings, {got} among {kind}")
    if isinstance(value, (list, tuple, np.ndarray)):
        raise InputError(f"{name} must be a flat list of ids, {got}")
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            _refuse_negative(value, row, name)
        raise InputError(f"{name} must be at most 2**63 - 1, {got}")
    raise InputError(
        f"{name} must be whole numbers or strings, {got} of type {type(value).__name__}"
    )


def _chunks_of_objects(ids: Sequence[Any] | np.ndarray, name: str) -> Iterator[Utf8Chunk]:
    for start in range(0, len(ids), CHUNK):
        objects = _object_list(ids, start)
        blob, offsets, missing, bad = native.utf8_of_objects(objects)
        if bad >= 0:
            _refuse_object(objects[bad], start + bad, "strings", name)
        yield Utf8Chunk(
            np.frombuffer(blob, np.uint8),
            np.frombuffer(offsets, np.int64),
            None if missing is None else np.frombuffer(missing, np.bool_),
        )


def _chunks_of_points(ids: np.ndarray, name: str) -> Iterator[Utf8Chunk]:
    width = ids.dtype.itemsize // 4
    step = max(1, min(CHUNK, (CHUNK << 6) // max(width, 1)))  # of wide strings fewer at a time
    for start in range(0, len(ids), step):
        part = np.ascontiguousarray(ids[start : start + step], ids.dtype.newbyteorder("="))
        blob, offsets, bad = native.utf8_of_points(part.view(np.uint32).reshape(len(part), width))
        if bad >= 0:
            _refuse_object(str(part[bad]), start + bad, "strings", name)
        yield Utf8Chunk(np.frombuffer(blob, np.uint8), np.frombuffer(offsets, np.int64), None)


def _of_arrow_interface(ids: Any, name: str) -> IdColumn | None:
    """Read whatever speaks the Arrow interface; None where pyarrow is not there to read it."""
    try:
        import pyarrow as pa
    except ImportError:
        return None
    if not isinstance(ids, (pa.Array, pa.ChunkedArray)):
        make = pa.chunked_array if hasattr(ids, "__arrow_c_stream__") else pa.array
        try:
            ids = make(ids)
        except pa.ArrowException:  # a column of objects that Arrow has no type for
            return None
    return of_arrow(ids, name)


def of_arrow(ids: Any, name: str) -> IdColumn:
    """Return an Arrow array in the form that maps take, without making Python objects."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = ids.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_integer(kind):
        if pa.types.is_dictionary(ids.type):
            ids = ids.cast(kind)
        if not ids.null_count:
            return _of_int_array(ids.to_numpy(), name)
        values = _of_int_array(pc.fill_null(ids, 0).to_numpy(), name).values.copy()
        values[np.asarray(ids.is_null())] = -1
        return IntColumn(values, ids.null_count)
    if pa.types.is_null(kind) or len(ids) == 0:
        return IntColumn(np.full(len(ids), -1, np.int64), len(ids))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return StrColumn(len(ids), lambda: chunks_of_strings(ids))
    letters = {"float": "f", "double": "f", "halffloat": "f", "bool": "b", "binary": "S"}
    _refuse_dtype(str(ids.type), letters.get(str(kind), ""), name)


def chunks_of_strings(ids: Any) -> Iterator[Utf8Chunk]:
    """Yield an Arrow array of strings, of whichever type, as UTF-8; most types are not copied."""
    import pyarrow as pa

    for whole in ids.chunks if isinstance(ids, pa.ChunkedArray) else [ids]:
        for start in range(0, len(whole), CHUNK):
            part = whole.slice(start, CHUNK)
            if pa.types.is_dictionary(part.type):
                part = part.dictionary.cast(pa.large_string()).take(part.indices)
            elif pa.types.is_string_view(part.type):
                part = part.cast(pa.large_string())
            yield _utf8_of_arrow(part)


def _utf8_of_arrow(part: Any) -> Utf8Chunk:
    """View the buffers of one Arrow string array; only its offsets are copied."""
    import pyarrow as pa

    width = np.int32 if pa.types.is_string(part.type) else np.int64
    _, offsets_buffer, blob_buffer = part.buffers()
    offsets = np.frombuffer(offsets_buffer, width)[part.offset : part.offset + len(part) + 1]
    blob = np.frombuffer(blob_buffer, np.uint8) if blob_buffer else np.empty(0, np.uint8)
    missing = part.is_null().to_numpy(zero_copy_only=False) if part.null_count else None
    return Utf8Chunk(blob, offsets.astype(np.int64), missing)
