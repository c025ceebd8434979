"""Words of a text that stand beside each other, piece by piece: what phrases are found among.

Connectors ("of", "the") are looked through: the neighbour of a word is the next
word that is no connector, at most ``MOST_BETWEEN`` connectors on. What lies between
is written as one number, the gap, whose digits are the connectors; 0 is nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastrec.data.ids import IdMap

STEP = 1 << 20  # tokens looked at once: some 50 MB of scratch memory
MOST_BETWEEN = 4
MOST_CONNECTORS = (1 << 15) - 1  # four digits to the base 2**15 fit into int64


@dataclass(slots=True)
class Neighbours:
    """The words of a piece of text that are no connectors, and what is between them.

    Attributes
    ----------
    places : ndarray of int64, shape (k,)
        Where each word stands in the piece.
    words : ndarray of int32, shape (k,)
        Their codes.
    gaps : ndarray of int64, shape (k - 1,), or None
        The connectors between word ``i`` and ``i + 1``, None where there are no connectors.
    are_pairs : ndarray of bool, shape (k - 1,)
        Whether both are of one document and near enough.
    """

    places: np.ndarray
    words: np.ndarray
    gaps: np.ndarray | None
    are_pairs: np.ndarray

    def cut(self, length: int) -> int:
        """Return where the next piece begins, so that no pair is lost; 0 says: take a longer one.

        Parameters
        ----------
        length : int
            Tokens of this piece, which is not the last one.
        """
        if len(self.places) == 0:
            return length
        last = int(self.places[-1])  # it may be on the left of a pair whose right is yet to come
        return last if last > 0 or length - 1 <= MOST_BETWEEN else length


def neighbours_of(
    tokens: np.ndarray, offsets: np.ndarray, start: int, stop: int, digits: np.ndarray | None
) -> Neighbours:
    """Return the neighbours among ``tokens[start:stop]``.

    Parameters
    ----------
    tokens : ndarray of int32
        A text.
    offsets : ndarray of int64
        Where its documents begin and end.
    start, stop : int
        The piece.
    digits : ndarray of int64, shape (codes,), or None
        The digit of each code, from 1 on, 0 for words that are no connectors.
    """
    part = tokens[start:stop]
    # Whether a document begins at each place: beyond the first, so that no pair reaches over it.
    first, last = np.searchsorted(offsets, (start + 1, stop), side="left")
    begins = np.zeros(len(part), np.bool_)
    begins[offsets[first:last] - start] = True
    if digits is None:
        places = np.arange(len(part), dtype=np.int64)
        return Neighbours(places, part, None, ~begins[1:])
    digit = digits[part]
    places = np.flatnonzero(digit == 0)
    document = np.cumsum(begins, dtype=np.int32)[places]
    between = np.diff(places) - 1
    are_pairs = (np.diff(document) == 0) & (between <= MOST_BETWEEN)
    gaps = np.zeros(len(between), np.int64)
    for step in range(1, MOST_BETWEEN + 1):
        here = np.flatnonzero(are_pairs & (between >= step))
        gaps[here] = (gaps[here] << 15) | digit[places[here] + step]
    return Neighbours(places, part[places], gaps, are_pairs)


def digits_of_words(word_ids: IdMap, connectors: Sequence[str]) -> np.ndarray | None:
    """Return the digit of each code, int64: a connector's place from 1 on, 0 for other words.

    None where there is no connector, which is faster.
    """
    codes = word_ids.encode(list(connectors), on_unknown="ignore")
    known = np.flatnonzero(codes >= 0)
    if len(known) == 0:
        return None
    digits = np.zeros(len(word_ids), np.int64)
    digits[codes[known]] = known + 1
    return digits


def digits_of_gap(gap: int) -> list[int]:
    """Return the digits of a gap, one a connector, in the order of the text."""
    digits = []
    while gap:
        digits.append(gap & MOST_CONNECTORS)
        gap >>= 15
    return digits[::-1]


def every_other(flags: np.ndarray) -> np.ndarray:
    """Return which of ``flags`` are the first, third, ... of an unbroken run of True."""
    places = np.arange(len(flags))
    run_begins = np.maximum.accumulate(np.where(flags, -1, places))
    return flags & ((places - run_begins) % 2 == 1)
