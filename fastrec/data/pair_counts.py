"""How often words stand beside each other: exact counts, in memory that the text does not grow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fastrec.data.corpus import Corpus
from fastrec.data.neighbours import STEP, Neighbours, neighbours_of
from fastrec.native.ids import IntEncoder

BYTES_A_PAIR = 40  # while it waits, is sorted and counted, at the worst
FEWEST_PAIRS = 1 << 16
SHIFT = 31  # codes are below 2**31, so two of them fit into an int64
CHUNK = 1 << 16  # numbers that an IntEncoder takes at once


@dataclass(slots=True)
class PairCounts:
    """Pairs of words that occur often enough.

    Attributes
    ----------
    left, right : ndarray of int64, shape (n,)
        Codes of the words.
    gaps : ndarray of int64, shape (n,)
        The connectors between them; see :mod:`fastrec.data.neighbours`.
    counts : ndarray of int64, shape (n,)
        How often each occurs.
    """

    left: np.ndarray
    gaps: np.ndarray
    right: np.ndarray
    counts: np.ndarray


def count_pairs(
    corpus: Corpus, min_count: int, digits: np.ndarray | None, memory_limit: int
) -> Iterator[PairCounts]:
    """Yield the pairs of neighbours that occur at least ``min_count`` times, in a fixed order.

    A pair is no more frequent than either of its words, so rarer words are left out
    from the start. Words on the left are dealt with in ranges of codes that have at
    most so many neighbours together as fit into memory, a pass over the text each: so
    the counts are exact, whatever the limit.

    Cost: a look at each token a pass, and a sort of the pairs.

    Parameters
    ----------
    corpus : Corpus
    min_count : int
        At least 1.
    digits : ndarray of int64, shape (n_words,), or None
        See :func:`~fastrec.data.neighbours.digits_of_words`.
    memory_limit : int
        Bytes for the pairs of a pass, of which there are at least ``FEWEST_PAIRS``.
    """
    frequent = int(np.searchsorted(-corpus.counts, -min_count, side="right"))
    rights = _Rights(frequent)
    ends = np.cumsum(corpus.counts[:frequent])
    at_once = max(memory_limit // BYTES_A_PAIR, FEWEST_PAIRS)
    low = 0
    while low < frequent:
        before = ends[low - 1] if low else 0
        high = max(low + 1, int(np.searchsorted(ends, before + at_once, side="right")))
        room = min(int(ends[high - 1] - before), at_once)
        keys, counts = _count_range(_keys(corpus, low, high, digits, rights), room)
        often = counts >= min_count
        keys, counts = keys[often], counts[often]
        gaps, right = rights.parts(keys & ((1 << SHIFT) - 1))
        yield PairCounts(keys >> SHIFT, gaps, right, counts)
        low = high


def _keys(
    corpus: Corpus, low: int, high: int, digits: np.ndarray | None, rights: _Rights
) -> Iterator[np.ndarray]:
    """Yield (left word, gap and right word) as numbers, for left words from ``low`` to ``high``."""
    start, step = 0, STEP
    while start < corpus.n_tokens:
        stop = min(start + step, corpus.n_tokens)
        near = neighbours_of(corpus.tokens, corpus.offsets, start, stop, digits)
        cut = near.cut(stop - start) if stop < corpus.n_tokens else stop - start
        if cut == 0:
            step *= 2
            continue
        left, right = near.words[:-1], near.words[1:]
        kept = near.are_pairs & (left >= low) & (left < high) & (right < rights.frequent)
        yield (left[kept].astype(np.int64) << SHIFT) | rights.codes(near, kept)
        start, step = start + cut, STEP


def _count_range(pieces: Iterator[np.ndarray], room: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the different keys, ascending, and how often each occurs.

    ``room`` keys wait to be counted at once; there are more only where one word on the
    left has more neighbours than that.
    """
    keys, counts = np.empty(0, np.int64), np.empty(0, np.int64)
    waiting = np.empty(room, np.int64)
    size = 0
    for piece in pieces:
        for start in range(0, len(piece), room):
            part = piece[start : start + room]
            if size + len(part) > room:
                keys, counts = _added(keys, counts, waiting[:size])
                size = 0
            waiting[size : size + len(part)] = part
            size += len(part)
    return _added(keys, counts, waiting[:size])


def _added(keys: np.ndarray, counts: np.ndarray, more: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return keys and counts with ``more`` keys, which are sorted where they lie."""
    more.sort()
    fresh, often = _runs(more, None)
    if len(keys) == 0:
        return fresh, often
    both = np.concatenate((keys, fresh))
    order = np.argsort(both, kind="stable")
    return _runs(both[order], np.concatenate((counts, often))[order])


def _runs(keys: np.ndarray, counts: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return each of the sorted keys once, with the sum of its counts (None: 1 each)."""
    begins = np.flatnonzero(np.concatenate(([len(keys) > 0], keys[1:] != keys[:-1]))[: len(keys)])
    if counts is None:
        return keys[begins], np.diff(begins, append=len(keys))
    return keys[begins], np.add.reduceat(counts, begins)


class _Rights:
    """Gap and right word as one code: the word's own without a gap, else the next ones by chance.

    Parameters
    ----------
    frequent : int
        Words on the right have codes below that.
    """

    def __init__(self, frequent: int) -> None:
        self.frequent = frequent
        self._gaps = IntEncoder()
        self._pairs = IntEncoder()

    def codes(self, near: Neighbours, kept: np.ndarray) -> np.ndarray:
        """Return the code of each neighbour on the right that is ``kept``, int64."""
        codes = near.words[1:][kept].astype(np.int64)
        if near.gaps is None:
            return codes
        gaps = near.gaps[kept]
        wide = np.flatnonzero(gaps)
        if len(wide):
            numbers = _interned(self._gaps, gaps[wide]) * self.frequent + codes[wide]
            codes[wide] = self.frequent + _interned(self._pairs, numbers)
        return codes

    def parts(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the gaps and the words of codes."""
        gaps, words = np.zeros(len(codes), np.int64), codes.copy()
        wide = np.flatnonzero(codes >= self.frequent)
        if len(wide):
            pairs = np.frombuffer(self._pairs.values, np.int64)[codes[wide] - self.frequent]
            gaps[wide] = np.frombuffer(self._gaps.values, np.int64)[pairs // self.frequent]
            words[wide] = pairs % self.frequent
        return gaps, words


def _interned(encoder: IntEncoder, values: np.ndarray) -> np.ndarray:
    codes = np.empty(len(values), np.int32)
    for start in range(0, len(values), CHUNK):
        part = slice(start, start + CHUNK)
        encoder.add(values[part], codes[part])
    return codes.astype(np.int64)
