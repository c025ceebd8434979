"""The map between ids as users know them and codes, the row numbers of every matrix.

An id is any whole number from 0 to 2**63 - 1 or any string; a code is an int32
from 0 to n - 1; -1 (for strings None) is padding. A map never changes, is shared
by all logs split from one, and consists of a few arrays, which are searched where
they lie, in memory or in a file that is mapped into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastrec.data.id_columns import IdColumn, IntColumn, as_id_column, present_rows
from fastrec.errors import FormatError, InputError, UnknownIdError
from fastrec.runtime import checks

SHOWN = 5  # unknown ids that a message names


class IdMap:
    """An immutable map between ids and the codes 0 to n - 1.

    Made by :meth:`from_ids`, :meth:`from_arrays` or an :class:`IdBuilder`.
    Integer ids get codes in ascending order, strings in order of first
    appearance. Two maps are equal when they give the same codes to the same ids.
    Safe to use from several threads at once.

    Examples
    --------
    >>> ids, codes = IdMap.from_ids(["b", "a", "b"])
    >>> codes
    array([0, 1, 0], dtype=int32)
    >>> ids.encode(["a", None, "zebra"], on_unknown="ignore")
    array([ 1, -1, -1], dtype=int32)
    >>> ids.decode([1, -1])
    array(['a', None], dtype=object)
    """

    kind: str

    def __init__(self, *_: Any, **__: Any) -> None:
        raise InputError(
            "an IdMap is made by IdMap.from_ids(ids), which returns it with the codes of the ids"
        )

    @staticmethod
    def from_ids(ids: Any, name: str = "ids") -> tuple[IdMap, np.ndarray]:
        """Return the map of the different ``ids``, and the code of each, int32 of shape (n,).

        Cost: one hash look-up an id, and a sort of the different ones. Memory
        beyond the input: the map, the codes, and 8 to 24 bytes a different id.

        Parameters
        ----------
        ids : list, ndarray, Arrow array, Series, shape (n,)
            Whole numbers from 0 to 2**63 - 1, or strings of any Unicode.
        name : str
            What the ids are, for messages.

        Raises
        ------
        InputError
            Missing, negative, float, boolean or mixed ids, lone surrogates, or
            more than 2**31 - 2 different ids.
        """
        from fastrec.data.id_builder import IdBuilder

        builder = IdBuilder(name)
        codes = builder.add(ids)
        mapping, final = builder.finish()
        return mapping, codes if final is None else final[codes]

    @staticmethod
    def from_arrays(prefix: str, arrays: Mapping[str, np.ndarray]) -> IdMap:
        """Return the map that :meth:`to_arrays` took apart; copies and reads next to nothing.

        Raises
        ------
        FormatError
            Arrays are missing or do not fit each other.
        """
        from fastrec.data.id_kinds import IntIdMap, StrIdMap

        checks.mapping("arrays", arrays, "give what to_arrays returned")
        if f"{prefix}.ids" in arrays:
            return IntIdMap(arrays[f"{prefix}.ids"], arrays.get(f"{prefix}.order"))
        try:
            parts = [arrays[f"{prefix}.{part}"] for part in ("blob", "offsets", "order")]
        except KeyError as error:
            raise FormatError(f"the array {error.args[0]!r} of an id map is missing") from None
        return StrIdMap(*parts)

    def to_arrays(self, prefix: str) -> dict[str, np.ndarray]:
        """Return the arrays of this map under the names ``<prefix>.<part>``, not copied."""
        return {f"{prefix}.{part}": array for part, array in self._parts().items()}

    def encode(self, ids: Any, on_unknown: str = "error", name: str = "ids") -> np.ndarray:
        """Return the code of each id, int32 of shape (n,); -1 for padding and unknown ids.

        Cost: a binary search an id; for strings and n beyond a sixteenth of the
        map a hash table is made for the call (8 to 12 bytes an id of the map).

        Parameters
        ----------
        ids : list, ndarray, Arrow array, Series, shape (n,)
            Of the map's kind. -1, None and Arrow nulls are padding.
        on_unknown : {"error", "ignore"}
            Whether an id outside the map is an error or becomes -1.
        name : str
            What the ids are, for messages.

        Raises
        ------
        UnknownIdError
            Ids outside the map, unless they are ignored; the first few are named.
        InputError
            Not ids, or ids of the other kind.
        """
        return self.encode_column(as_id_column(ids, name), name, on_unknown)

    def encode_column(
        self, column: IdColumn, name: str = "ids", on_unknown: str = "error"
    ) -> np.ndarray:
        """Do what :meth:`encode` does for ids that are read already."""
        checks.one_of("on_unknown", on_unknown, ("error", "ignore"))
        if column.kind != self.kind:
            self._refuse_other_kind(column, name)
            return np.full(len(column), -1, np.int32)
        codes = self._codes_of(column)
        if on_unknown == "error" and (codes < 0).any():
            self._refuse_unknown(column, codes, name)
        return codes

    def _refuse_unknown(self, column: IdColumn, codes: np.ndarray, name: str) -> None:
        """Raise where a code is -1 and its id is no padding."""
        unknown = np.flatnonzero((codes < 0) & present_rows(column)[1])
        if len(unknown):
            shown = ", ".join(map(repr, column.values_of(unknown[:SHOWN])))
            raise UnknownIdError(
                f"{len(unknown)} of {len(codes)} {name} are unknown: {shown}"
                f"{', ...' if len(unknown) > SHOWN else ''}; {len(self)} ids are known; leave "
                'these out, or skip them with on_unknown="ignore"'
            )

    def decode(self, codes: Any) -> np.ndarray:
        """Return the ids of ``codes``, in their shape: int64, or objects of str for strings.

        Parameters
        ----------
        codes : array_like of int
            Codes of this map; -1 gives -1, or None for strings.

        Raises
        ------
        InputError
            Not whole numbers, or outside -1 to n - 1.
        """
        array = checks.as_array("codes", codes, "whole numbers")
        if array.size == 0:
            array = array.astype(np.int32)
        if array.dtype.kind not in "iu":
            raise InputError(f"codes must be whole numbers, got dtype {array.dtype}")
        if array.size and (array.min() < -1 or array.max() >= len(self)):
            raise InputError(
                f"codes must be from -1 to {len(self) - 1}, got {array.min()} to {array.max()}"
            )
        return self._ids_of(array)

    def code(self, id: Any) -> int:
        """Return the code of one id.

        Raises
        ------
        UnknownIdError
            The id is not in the map.
        """
        code = int(self.encode([id])[0])
        if code < 0:
            raise UnknownIdError(f"{id!r} is padding and has no code")
        return code

    def __contains__(self, id: object) -> bool:
        try:
            return bool(self.encode([id], on_unknown="ignore")[0] >= 0)
        except InputError:
            return False

    @property
    def ids(self) -> np.ndarray:
        """All ids by code: int64 (a view), or objects of str (made anew: O(n))."""
        return self.decode(np.arange(len(self), dtype=np.int32))

    @property
    def nbytes(self) -> int:
        """The size of the map's arrays in bytes."""
        return sum(array.nbytes for array in self._parts().values())

    def codes_in(self, other: IdMap) -> np.ndarray:
        """Return the code that each id of this map has in another one, int32 of shape (n + 1,).

        Unknown ids have -1, and so has the last entry: indexing the result with codes of this
        map, -1 among them, translates them.

        Raises
        ------
        InputError
            The maps hold ids of different kinds.
        """
        require_map("other", other)
        column = self._column()
        if column.kind != other.kind and len(column):
            other._refuse_other_kind(column, "ids")
        found = np.full(len(self) + 1, -1, np.int32)
        if len(self):
            found[:-1] = other._codes_of(column)
        return found

    def extend(self, ids: Any, name: str = "ids") -> IdMap:
        """Return a map in which the old ids keep their codes and new ``ids`` get the next ones.

        New integers come in ascending order, new strings in order of first
        appearance; ids that are known already change nothing. Cost O(n).
        """
        raise NotImplementedError

    def take(self, codes: Any) -> IdMap:
        """Return the map of only the ids of ``codes``, which become the codes 0, 1, ... in turn.

        Parameters
        ----------
        codes : array_like of int or of bool
            Different codes of this map, shape (m,), or a mask of them, shape (n,).

        Raises
        ------
        InputError
            Neither, a code that is not there, or one twice.
        """
        chosen = checks.row_numbers("codes", codes, len(self), "id")
        if len(chosen) and np.bincount(chosen).max() > 1:
            raise InputError("codes must name each id once, got one twice")
        return self._taken(chosen)

    def __len__(self) -> int:
        raise NotImplementedError

    def _column(self) -> IdColumn:
        """Return all ids by code as a column to look up."""
        raise NotImplementedError

    def _taken(self, codes: np.ndarray) -> IdMap:
        raise NotImplementedError

    def _parts(self) -> dict[str, np.ndarray]:
        raise NotImplementedError

    def _codes_of(self, column: Any) -> np.ndarray:
        """Return the codes of a column of this kind, -1 for padding and unknown ids."""
        raise NotImplementedError

    def _ids_of(self, codes: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _refuse_other_kind(self, column: IdColumn, name: str) -> None:
        """Raise for ids of the other kind; a column of nothing but padding has no kind."""
        if len(column) == 0 or (isinstance(column, IntColumn) and column.values.max() == -1):
            return
        words = {"int": "whole numbers", "str": "strings"}
        fix = "numbers, not strings" if self.kind == "int" else "strings, for example map(str, ids)"
        raise InputError(
            f"{name} are {words[column.kind]}, but {words[self.kind]} are known here; give {fix}"
        )

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, IdMap) or self.kind != other.kind or len(self) != len(other):
            return False
        mine, theirs = self._parts(), other._parts()
        return all(np.array_equal(mine[part], theirs[part]) for part in mine if part != "order")

    def __hash__(self) -> int:
        return hash((self.kind, len(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        # Plain arrays travel; what was mapped from a file is read into memory.
        arrays = {name: np.array(array) for name, array in self.to_arrays("map").items()}
        return IdMap.from_arrays, ("map", arrays)

    def __copy__(self) -> IdMap:
        return self

    def __deepcopy__(self, memo: Any) -> IdMap:
        return self  # immutable

    def __repr__(self) -> str:
        shown = ", ".join(repr(id) for id in self.decode(np.arange(min(len(self), 3))).tolist())
        return f"IdMap({len(self)} {self.kind} ids: {shown}{', ...' if len(self) > 3 else ''})"


def require_map(name: str, value: Any) -> IdMap:
    """Return ``value`` if it is a map of ids."""
    return checks.instance_of(name, value, IdMap, "an IdMap", "IdMap.from_ids(ids) makes one")
