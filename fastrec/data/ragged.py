"""Lists of different lengths as two flat arrays, the form in which kernels take histories."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from fastrec.errors import InputError
from fastrec.runtime import checks


@dataclass(frozen=True, eq=False)
class Ragged:
    """Rows of different lengths; row ``i`` is ``values[offsets[i]:offsets[i + 1]]``.

    Parameters
    ----------
    values : ndarray, shape (total,)
        The rows one after the other; not copied.
    offsets : ndarray of int64, shape (rows + 1,)
        Where each row begins, and at the end where the last one ends. The first
        number need not be 0: a slice shares its parent's values.

    Raises
    ------
    InputError
        The offsets do not fit the values.

    Examples
    --------
    >>> histories = Ragged.from_lists([[3, 1, 4], [], [1, 5]])
    >>> len(histories), histories[0], histories.lengths
    (3, array([3, 1, 4], dtype=int32), array([3, 0, 2]))
    """

    values: np.ndarray
    offsets: np.ndarray

    def __post_init__(self) -> None:
        offsets = self.offsets
        for name in ("values", "offsets"):
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or checks.masked_place(array) is not None:
                raise InputError(
                    f"{name} must be a NumPy array without masked entries, got "
                    f"{type(array).__name__}; Ragged.from_lists(lists) takes lists"
                )
        if offsets.ndim != 1 or offsets.dtype != np.int64 or len(offsets) == 0:
            raise InputError(
                "offsets must be one-dimensional int64 with one number more than there are rows, "
                f"got {offsets.dtype} of shape {offsets.shape}"
            )
        if self.values.ndim != 1:
            raise InputError(f"values must be one-dimensional, got shape {self.values.shape}")
        if offsets[0] < 0 or offsets[-1] > len(self.values) or (np.diff(offsets) < 0).any():
            raise InputError(
                f"offsets must ascend from 0 to at most the {len(self.values)} values there are"
            )

    @classmethod
    def from_lists(cls, lists: Sequence[Any], dtype: Any = np.int32) -> Ragged:
        """Return the rows of ``lists``, a sequence of sequences of numbers, as ``dtype``.

        Raises
        ------
        InputError
            Not that, or numbers that ``dtype`` cannot hold.
        """
        what = "a list of lists of numbers"
        rows = [checks.listed("lists", row, what) for row in checks.listed("lists", lists, what)]
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        values = checks.as_array("lists", list(chain.from_iterable(rows)), what)
        return cls.from_lengths(_as_dtype(values, dtype), lengths)

    @classmethod
    def from_lengths(cls, values: np.ndarray, lengths: np.ndarray) -> Ragged:
        """Return ``values`` cut into rows of ``lengths``; the values are not copied."""
        counts = checks.as_array("lengths", lengths, "whole numbers")
        if counts.ndim != 1 or (len(counts) and counts.dtype.kind not in "iu"):
            raise InputError(
                "lengths must be whole numbers, one-dimensional, got " + checks.described(counts)
            )
        if len(counts) and isinstance(values, np.ndarray) and counts.max() > values.size:
            raise InputError(
                f"lengths must be at most the {values.size} values there are, got {counts.max()}"
            )
        return cls(values, offsets_of(counts))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        """Return row ``row`` as a view; negative numbers count from the end.

        Raises
        ------
        IndexError
            There is no such row.
        """
        index = checks.whole_number("row", row, -sys.maxsize)
        index += len(self) if index < 0 else 0
        if not 0 <= index < len(self):
            raise IndexError(f"there is no row {row}, there are {len(self)}")
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def __iter__(self) -> Iterator[np.ndarray]:
        for row in range(len(self)):
            yield self[row]

    @property
    def lengths(self) -> np.ndarray:
        """The number of values of each row, int64 of shape (rows,)."""
        return np.diff(self.offsets)

    @property
    def total(self) -> int:
        """The number of values of all rows together."""
        return int(self.offsets[-1] - self.offsets[0])

    @property
    def flat(self) -> np.ndarray:
        """The values of all rows one after the other, a view of shape (total,)."""
        return self.values[self.offsets[0] : self.offsets[-1]]

    @property
    def row_numbers(self) -> np.ndarray:
        """The row of each value of :attr:`flat`, int64 of shape (total,)."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def slice(self, start: int, stop: int) -> Ragged:
        """Return rows ``start`` to ``stop`` as views of the same arrays."""
        rows = span(start, stop, len(self))
        return Ragged(self.values, self.offsets[rows.start : rows.stop + 1])

    def take(self, rows: Any) -> Ragged:
        """Return some rows, by number or as a mask, in the given order, as a copy.

        Raises
        ------
        InputError
            Neither, or a row that is not there.
        """
        numbers = checks.row_numbers("rows", rows, len(self), "row")
        lengths = self.lengths[numbers]
        places = ranges(self.offsets[:-1][numbers], lengths)
        return Ragged.from_lengths(self.values[places], lengths)

    def joined(self, other: Ragged) -> Ragged:
        """Return each row of this one followed by that of ``other``, which has as many rows."""
        checks.instance_of("other", other, Ragged, "a Ragged", "Ragged.from_lists(lists) makes one")
        if len(self) != len(other):
            raise InputError(f"rows must be joined with as many, got {len(self)} and {len(other)}")
        offsets = self.offsets - self.offsets[0] + (other.offsets - other.offsets[0])
        values = np.empty(self.total + other.total, np.result_type(self.values, other.values))
        values[ranges(offsets[:-1], self.lengths)] = self.flat
        values[ranges(offsets[1:] - other.lengths, other.lengths)] = other.flat
        return Ragged(values, offsets)

    def where(self, keep: np.ndarray) -> Ragged:
        """Return the values where ``keep``, booleans beside :attr:`flat`, is True; rows stay."""
        keep = checks.as_array("keep", keep, "one boolean a value")
        if keep.dtype != np.bool_ or keep.shape != (self.total,):
            raise InputError(
                f"keep must be one boolean for each of {self.total} values, got "
                + checks.described(keep)
            )
        kept_before = np.concatenate(([0], np.cumsum(keep, dtype=np.int64)))
        return Ragged(self.flat[keep], kept_before[self.offsets - self.offsets[0]])

    def to_lists(self) -> list[list[Any]]:
        """Return the rows as lists of Python numbers."""
        return [row.tolist() for row in self]

    def __repr__(self) -> str:
        return f"Ragged({len(self)} rows, {self.total} values of {self.values.dtype})"


def _as_dtype(values: np.ndarray, dtype: Any) -> np.ndarray:
    """Return numbers as ``dtype``, or say that it cannot hold them."""
    try:
        wanted = np.dtype(dtype)
        if values.size == 0:
            return np.empty(0, wanted)
        if values.ndim != 1 or not np.can_cast(values.dtype, wanted, "same_kind"):
            raise TypeError
        if wanted.kind in "iu":
            limits = np.iinfo(wanted)
            if values.min() < limits.min or values.max() > limits.max:
                raise TypeError
        return values.astype(wanted)
    except (TypeError, ValueError):
        raise InputError(
            f"lists must hold numbers that the dtype {dtype!r} holds, got "
            + checks.described(values)
        ) from None


def span(start: Any, stop: Any, n: int) -> slice:
    """Return the rows from ``start`` to ``stop`` of ``n``, as Python's slices have them."""
    try:
        begin, end, _ = slice(start, stop).indices(n)
    except TypeError:
        raise InputError(
            f"start and stop must be whole numbers, got {start!r} and {stop!r}"
        ) from None
    return slice(begin, max(begin, end))


def offsets_of(lengths: np.ndarray) -> np.ndarray:
    """Return the int64 offsets, shape (rows + 1,), of rows of ``lengths``."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the ``lengths[i]`` numbers from ``starts[i]`` on, one ``i`` after another."""
    ends = np.cumsum(lengths, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total, dtype=np.int64) + np.repeat(starts - (ends - lengths), lengths)
