"""The two kinds of id maps: whole numbers and strings, each a few arrays and a search."""

from __future__ import annotations

from typing import Any

import numpy as np

import fastrec.native.ids as native
from fastrec.data.id_columns import (
    IntColumn,
    StrColumn,
    Utf8Chunk,
    as_id_column,
    refuse_padding,
    utf8_column,
)
from fastrec.data.ids import IdMap
from fastrec.data.ragged import Ragged, offsets_of
from fastrec.errors import FormatError
from fastrec.native.objects import strings_of_codes
from fastrec.runtime.checks import described

GATHERED = 4_096  # strings at once: each of their bytes takes 24 of scratch


class IntIdMap(IdMap):
    """The map of whole numbers: ``ids`` by code and, unless these ascend, ``order``."""

    kind = "int"

    def __init__(self, ids: np.ndarray, order: np.ndarray | None = None) -> None:
        self._ids = _checked(ids, np.int64, "ids")
        n = len(self._ids)
        self._order = None if order is None else _checked(order, np.int32, "order", n)
        # Ascending and different: without a gap exactly when the ends are n - 1 apart.
        self._is_gapless = bool(n and order is None and ids[n - 1] - ids[0] == n - 1)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def ids(self) -> np.ndarray:
        """All ids by code, int64, a view."""
        return self._ids

    def _column(self) -> IntColumn:
        return IntColumn(self._ids)

    def _parts(self) -> dict[str, np.ndarray]:
        return {"ids": self._ids} | ({} if self._order is None else {"order": self._order})

    def _codes_of(self, column: IntColumn) -> np.ndarray:
        values = column.values
        codes = np.empty(len(values), np.int32)
        if self._is_gapless:
            low, high = self._ids[0], self._ids[-1]
            known = (values >= low) & (values <= high)
            np.subtract(values, low, out=codes, casting="unsafe")
            codes[~known] = -1
        elif not native.search_ints(self._ids, self._order, values, codes):
            raise FormatError("the order of an id map is damaged; save the file again")
        return codes

    def _ids_of(self, codes: np.ndarray) -> np.ndarray:
        if codes.size == 0 or codes.min() >= 0:
            return self._ids[codes] if len(self) else np.empty(codes.shape, np.int64)
        return np.where(codes >= 0, self._ids[codes] if len(self) else -1, -1)

    def extend(self, ids: Any, name: str = "ids") -> IdMap:
        """See :meth:`IdMap.extend`."""
        column = as_id_column(ids, name)
        if column.kind != self.kind:
            self._refuse_other_kind(column, name)
        if not isinstance(column, IntColumn) or len(column) == 0:
            return self
        refuse_padding(column, name)
        new = np.unique(column.values[self._codes_of(column) < 0])
        return int_map(np.concatenate((self._ids, new))) if len(new) else self

    def _taken(self, codes: np.ndarray) -> IdMap:
        return int_map(self._ids[codes])


class StrIdMap(IdMap):
    """The map of strings: a UTF-8 ``blob``, ``offsets`` by code, codes in byte ``order``."""

    kind = "str"

    def __init__(self, blob: np.ndarray, offsets: np.ndarray, order: np.ndarray) -> None:
        self._order = _checked(order, np.int32, "order")
        self._offsets = _checked(offsets, np.int64, "offsets", len(self._order) + 1)
        self._blob = _checked(blob, np.uint8, "blob")
        if self._offsets[0] != 0 or self._offsets[-1] != len(self._blob):
            raise FormatError(
                f"the offsets of an id map run from {self._offsets[0]} to {self._offsets[-1]}, "
                f"but its blob holds {len(self._blob)} bytes"
            )

    def __len__(self) -> int:
        return len(self._order)

    def _column(self) -> StrColumn:
        return utf8_column(self._blob, self._offsets)

    def _parts(self) -> dict[str, np.ndarray]:
        return {"blob": self._blob, "offsets": self._offsets, "order": self._order}

    def _codes_of(self, column: StrColumn) -> np.ndarray:
        # A table costs about as much as searching for a sixteenth of the map's ids.
        find = self._finder() if len(column) * 16 >= len(self) else self._search_chunk
        codes = np.empty(len(column), np.int32)
        done = 0
        for chunk in column.chunks():
            part = codes[done : done + len(chunk)]
            find(chunk, part)
            if chunk.missing is not None:
                part[chunk.missing] = -1
            done += len(chunk)
        return codes

    def _search_chunk(self, chunk: Utf8Chunk, codes: np.ndarray) -> None:
        if not native.search_strings(
            self._blob, self._offsets, self._order, chunk.blob, chunk.offsets, codes
        ):
            raise FormatError("the order of an id map is damaged; save the file again")

    def _finder(self) -> Any:
        """Return a function like :meth:`_search_chunk` that looks up in a hash table made here."""
        bits = 4
        while len(self) * 3 > 2 << bits:
            bits += 1
        slots = np.zeros(1 << bits, np.uint64)
        if not native.build_slots(self._blob, self._offsets, slots, bits):
            raise FormatError("the offsets of an id map are damaged; save the file again")

        def find(chunk: Utf8Chunk, codes: np.ndarray) -> None:
            native.find_strings(
                self._blob, self._offsets, slots, bits, chunk.blob, chunk.offsets, codes
            )

        return find

    def _ids_of(self, codes: np.ndarray) -> np.ndarray:
        flat = np.ascontiguousarray(codes, np.int32).ravel()
        strings = strings_of_codes(self._blob, self._offsets, flat)
        if strings is None:
            raise FormatError("the offsets of an id map are damaged; save the file again")
        decoded = np.empty(len(flat), object)
        decoded[:] = strings
        return decoded.reshape(codes.shape)

    def extend(self, ids: Any, name: str = "ids") -> IdMap:
        """See :meth:`IdMap.extend`."""
        column = as_id_column(ids, name)
        if column.kind != self.kind:
            self._refuse_other_kind(column, name)
            if isinstance(column, IntColumn):
                refuse_padding(column, name)
            return self
        from fastrec.data.id_builder import IdBuilder

        builder = IdBuilder(name)
        builder.add_column(self._column())
        builder.add_column(column)
        return builder.finish()[0] if len(builder) > len(self) else self

    def _taken(self, codes: np.ndarray) -> IdMap:
        return str_map(*gathered(self._blob, self._offsets, codes))


def int_map(ids: np.ndarray) -> IdMap:
    """Return the map that gives code ``i`` to ``ids[i]``, different int64 of at least 0."""
    if (ids[1:] > ids[:-1]).all():
        return IntIdMap(ids)
    return IntIdMap(ids, np.argsort(ids).astype(np.int32))


def str_map(blob: np.ndarray, offsets: np.ndarray) -> IdMap:
    """Return the map that gives code ``i`` to string ``i`` of a blob of different strings."""
    order = np.empty(len(offsets) - 1, np.int32)
    native.sort_order(blob, offsets, order)
    return StrIdMap(blob, offsets, order)


def gathered(
    blob: np.ndarray, offsets: np.ndarray, codes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the blob and the offsets of the strings of ``codes``, in their order."""
    strings = Ragged(blob, offsets)
    ends = offsets_of(strings.lengths[codes])
    taken = np.empty(int(ends[-1]), np.uint8)
    for start in range(0, len(codes), GATHERED):
        part = strings.take(codes[start : start + GATHERED])
        taken[ends[start] : ends[min(start + GATHERED, len(codes))]] = part.values
    return taken, ends


def range_map(count: int) -> IdMap:
    """Return the map of the numbers 0 to ``count - 1`` to themselves."""
    return IntIdMap(np.arange(count, dtype=np.int64))


def _checked(array: np.ndarray, dtype: type, part: str, length: int | None = None) -> np.ndarray:
    """Return a read-only view of an array of a map, of the dtype and length it must have."""
    is_array = isinstance(array, np.ndarray) and array.ndim == 1 and array.dtype == dtype
    if not is_array or (length is not None and len(array) != length):
        wanted = "" if length is None else f" of length {length}"
        raise FormatError(
            f"the {part} of an id map must be {np.dtype(dtype)}{wanted}, got {described(array)}"
        )
    view = np.ascontiguousarray(array).view(np.ndarray)
    view.flags.writeable = False
    return view
