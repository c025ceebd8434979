"""Lists of different lengths as two flat arrays, the form in which kernels take histories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from fastrec.errors import InputError


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
        """Return the rows of ``lists``, a sequence of sequences of numbers, as ``dtype``."""
        lengths = np.fromiter(map(len, lists), np.int64, len(lists))
        values = np.fromiter(chain.from_iterable(lists), dtype, int(lengths.sum()))
        return cls.from_lengths(values, lengths)

    @classmethod
    def from_lengths(cls, values: np.ndarray, lengths: np.ndarray) -> Ragged:
        """Return ``values`` cut into rows of ``lengths``; the values are not copied."""
        return cls(values, offsets_of(lengths))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        """Return row ``row`` as a view; negative numbers count from the end."""
        index = row + len(self) if row < 0 else row
        if not 0 <= index < len(self):
            raise IndexError(f"row {row} of {len(self)}")
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
        start, stop, _ = slice(start, stop).indices(len(self))
        return Ragged(self.values, self.offsets[start : max(start, stop) + 1])

    def take(self, rows: np.ndarray) -> Ragged:
        """Return the given rows, in the given order, as a copy."""
        lengths = self.lengths[rows]
        places = ranges(self.offsets[:-1][rows], lengths)
        return Ragged.from_lengths(self.values[places], lengths)

    def joined(self, other: Ragged) -> Ragged:
        """Return each row of this one followed by that of ``other``, which has as many rows."""
        if len(self) != len(other):
            raise InputError(f"rows must be joined with as many, got {len(self)} and {len(other)}")
        offsets = self.offsets - self.offsets[0] + (other.offsets - other.offsets[0])
        values = np.empty(self.total + other.total, np.result_type(self.values, other.values))
        values[ranges(offsets[:-1], self.lengths)] = self.flat
        values[ranges(offsets[1:] - other.lengths, other.lengths)] = other.flat
        return Ragged(values, offsets)

    def where(self, keep: np.ndarray) -> Ragged:
        """Return the values where ``keep``, booleans beside :attr:`flat`, is True; rows stay."""
        kept_before = np.concatenate(([0], np.cumsum(keep, dtype=np.int64)))
        return Ragged(self.flat[keep], kept_before[self.offsets - self.offsets[0]])

    def to_lists(self) -> list[list[Any]]:
        """Return the rows as lists of Python numbers."""
        return [row.tolist() for row in self]

    def __repr__(self) -> str:
        return f"Ragged({len(self)} rows, {self.total} values of {self.values.dtype})"


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
