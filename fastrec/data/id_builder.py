"""Making an id map from columns that come in pieces."""

from __future__ import annotations

from typing import Any

import numpy as np

import fastrec.native.ids as native
from fastrec.data.id_columns import CHUNK, IdColumn, IntColumn, as_id_column, refuse_padding
from fastrec.data.id_kinds import IntIdMap, gathered, str_map
from fastrec.data.ids import IdMap
from fastrec.errors import InputError


class IdBuilder:
    """Collects ids piece by piece, for columns that come in batches.

    Parameters
    ----------
    name : str
        What the ids are, for messages.
    """

    def __init__(self, name: str = "ids") -> None:
        self.name = name
        self._encoder: Any = None  # an IntEncoder or a StrEncoder once the first ids are there

    def __len__(self) -> int:
        return self._encoder.count if self._encoder is not None else 0

    @property
    def kind(self) -> str | None:
        """The kind of the ids so far, or None before the first."""
        if self._encoder is None:
            return None
        return "int" if isinstance(self._encoder, native.IntEncoder) else "str"

    def add(self, ids: Any) -> np.ndarray:
        """Return a provisional code for each id, int32, in order of first appearance."""
        return self.add_column(as_id_column(ids, self.name))

    def add_column(self, column: IdColumn) -> np.ndarray:
        """Do what :meth:`add` does for ids that are read already.

        Raises
        ------
        InputError
            Missing or negative ids, or of another kind than those before.
        """
        codes = np.empty(len(column), np.int32)
        if len(column) == 0:
            return codes
        if isinstance(column, IntColumn):
            refuse_padding(column, self.name)
        if self._encoder is None:
            self._encoder = native.IntEncoder() if column.kind == "int" else native.StrEncoder()
        if column.kind != self.kind:
            raise InputError(f"{self.name} must be all numbers or all strings, got both")
        try:
            self._encode(column, codes)
        except OverflowError:
            raise InputError(
                f"there are more than 2**31 - 2 different {self.name}, more than a map can hold"
            ) from None
        return codes

    def _encode(self, column: IdColumn, codes: np.ndarray) -> None:
        if isinstance(column, IntColumn):
            for start in range(0, len(codes), CHUNK):
                part = slice(start, start + CHUNK)
                self._encoder.add(column.values[part], codes[part])
            return
        done = 0
        for chunk in column.chunks():
            if chunk.missing is not None and chunk.missing.any():
                row = done + int(chunk.missing.argmax())
                raise InputError(
                    f"{self.name} must not be missing, got none in row {row}; drop such rows"
                )
            self._encoder.add(chunk.blob, chunk.offsets, codes[done : done + len(chunk)])
            done += len(chunk)

    def finish(self) -> tuple[IdMap, np.ndarray | None]:
        """Return the map, and the final code of each provisional one (None: they are final).

        The builder is empty afterwards.
        """
        encoder, self._encoder = self._encoder, None
        if encoder is None:
            return IntIdMap(np.empty(0, np.int64)), None
        if isinstance(encoder, native.StrEncoder):
            blob = np.frombuffer(encoder.blob, np.uint8)
            offsets = np.frombuffer(encoder.ends, np.int64)
            del encoder  # the hash table goes before the sort needs memory
            return str_map(blob, offsets), None
        values = np.frombuffer(encoder.values, np.int64)
        del encoder
        if (values[1:] > values[:-1]).all():
            return IntIdMap(values), None
        order = np.argsort(values)
        final = np.empty(len(order), np.int32)
        final[order] = np.arange(len(order), dtype=np.int32)
        return IntIdMap(values[order]), final

    def finish_strings(self, order: np.ndarray) -> IdMap:
        """Return the map of strings in which the provisional code ``order[i]`` becomes code ``i``.

        The builder is empty afterwards.

        Parameters
        ----------
        order : ndarray of int, shape (len(self),)
            Each provisional code once.
        """
        encoder, self._encoder = self._encoder, None
        blob = np.frombuffer(encoder.blob, np.uint8)
        offsets = np.frombuffer(encoder.ends, np.int64)
        del encoder  # the hash table goes before the sort needs memory
        return str_map(*gathered(blob, offsets, order))
