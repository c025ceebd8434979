"""Joining the words of phrases in an encoded text, from left to right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from fastrec.data.corpus import Corpus
from fastrec.data.corpus_builder import CodeStore
from fastrec.data.ids import IdMap
from fastrec.data.neighbours import (
    STEP,
    Neighbours,
    digits_of_gap,
    digits_of_words,
    every_other,
    neighbours_of,
)
from fastrec.data.ragged import ranges

COLUMNS = {
    "left": np.int32,
    "gaps": np.int64,
    "right": np.int32,
    "counts": np.int64,
    "scores": np.float64,
}


@dataclass(slots=True)
class Joiner:
    """Phrases as pairs of codes, and how they are found in a text.

    Attributes
    ----------
    words : IdMap
        The words that phrases begin and end with.
    left, right : ndarray of int32, shape (phrases,)
        Codes of these words.
    gaps : ndarray of int64, shape (phrases,)
        What is between them; see :mod:`fastrec.data.neighbours`.
    counts : ndarray of int64, shape (phrases,)
        How often each phrase was seen.
    scores : ndarray of float64, shape (phrases,)
    connectors : sequence of str
        The words that gaps are made of.
    separator : str
        What is put between the words of a phrase.
    names : list of str
        The phrases as single words.

    Raises
    ------
    ValueError
        The arrays do not fit each other, or the connectors.
    """

    words: IdMap
    left: np.ndarray
    gaps: np.ndarray
    right: np.ndarray
    counts: np.ndarray
    scores: np.ndarray
    connectors: Sequence[str]
    separator: str
    names: list[str] = field(init=False, repr=False)
    _gaps: np.ndarray = field(init=False, repr=False)
    _rights: np.ndarray = field(init=False, repr=False)
    _keys: np.ndarray = field(init=False, repr=False)
    _phrases: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for column, dtype in COLUMNS.items():
            array = getattr(self, column)
            if array.dtype != dtype or array.shape != (len(self.left),):
                raise ValueError(f"{column} of phrases is {array.dtype} of shape {array.shape}")
        for codes in (self.left, self.right):
            if len(codes) and not 0 <= codes.min() <= codes.max() < len(self.words):
                raise ValueError("the phrases hold codes of words that are not theirs")
        self.names = self._names()
        # Gap and right word, then left word and these, as one number each: ranks keep it small.
        self._gaps = np.unique(self.gaps)
        rights = np.searchsorted(self._gaps, self.gaps) * len(self.words) + self.right
        self._rights = np.unique(rights)
        left = self.left.astype(np.int64)
        keys = left * len(self._rights) + np.searchsorted(self._rights, rights)
        self._phrases = np.argsort(keys)
        self._keys = keys[self._phrases]

    def __len__(self) -> int:
        return len(self.left)

    def _names(self) -> list[str]:
        words, connectors = self.words.ids.tolist(), ["", *self.connectors]
        between: dict[int, list[str]] = {}
        for gap in np.unique(self.gaps).tolist():
            digits = digits_of_gap(gap) if gap >= 0 else [0]
            if 0 in digits or max(digits, default=0) >= len(connectors):
                raise ValueError("the phrases hold connectors that are not theirs")
            between[gap] = [connectors[digit] for digit in digits]
        phrases = zip(self.left.tolist(), self.gaps.tolist(), self.right.tolist(), strict=True)
        return [
            self.separator.join([words[left], *between[gap], words[right]])
            for left, gap, right in phrases
        ]

    def join_corpus(self, corpus: Corpus, memory_limit: int | None) -> Corpus:
        """Return a corpus in which each phrase is one word.

        Raises
        ------
        FastrecError
            The temporary file of a text beyond ``memory_limit`` cannot be written.
        """
        word_ids = corpus.word_ids.extend(self.names)
        new_codes = word_ids.encode(self.names)
        store = CodeStore(memory_limit)
        for codes, ends in self._join(corpus.tokens, corpus.offsets, corpus.word_ids, new_codes):
            store.append(codes, ends)
        return store.finish(len(word_ids), word_ids.take, corpus.given_ids)

    def join_codes(
        self, tokens: np.ndarray, offsets: np.ndarray, word_ids: IdMap
    ) -> tuple[np.ndarray, np.ndarray, IdMap]:
        """Return a few documents, encoded, in which each phrase is one word.

        Parameters
        ----------
        tokens : ndarray of int32, shape (n,)
        offsets : ndarray of int64, shape (documents + 1,)
        word_ids : IdMap
            The words of the codes; those of the result come with the phrases that it has.
        """
        known = len(word_ids)
        new_codes = np.arange(known, known + len(self), dtype=np.int32)
        parts, ends, done = [np.empty(0, np.int32)], [np.zeros(1, np.int64)], 0
        for part, part_ends in self._join(tokens, offsets, word_ids, new_codes):
            parts.append(part)
            ends.append(done + part_ends)
            done += len(part)
        codes = np.concatenate(parts)
        joined = codes >= known
        found, places = np.unique(codes[joined], return_inverse=True)
        names = [self.names[code - known] for code in found.tolist()]
        if names:
            word_ids = word_ids.extend(names)
            codes[joined] = word_ids.encode(names)[places]
        return codes, np.concatenate(ends), word_ids

    def _join(
        self, tokens: np.ndarray, offsets: np.ndarray, word_ids: IdMap, new_codes: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the text piece by piece, with a code for each phrase in the place of its words.

        Yields
        ------
        codes : ndarray of int32
        ends : ndarray of int64
            After how many of ``codes`` documents end; the last one may go on.
        """
        table = word_ids.codes_in(self.words)
        digits = digits_of_words(word_ids, self.connectors)
        start, step = 0, STEP
        while start < len(tokens):
            stop = min(start + step, len(tokens))
            near = neighbours_of(tokens, offsets, start, stop, digits)
            found = self._find(near, table)
            cut = stop - start if stop == len(tokens) else _cut(near, found, stop - start)
            if cut == 0:
                step *= 2
                continue
            yield _joined(tokens, offsets, slice(start, start + cut), near, found, new_codes)
            start, step = start + cut, STEP

    def _find(self, near: Neighbours, table: np.ndarray) -> np.ndarray:
        """Return the number of the phrase that each pair of neighbours is, -1 for none."""
        words = table[near.words].astype(np.int64)
        found = np.full(len(near.are_pairs), -1, np.int64)
        pairs = np.flatnonzero(near.are_pairs & (words[:-1] >= 0) & (words[1:] >= 0))
        gaps = np.zeros(len(pairs), np.int64) if near.gaps is None else near.gaps[pairs]
        gap, is_known = _ranks(self._gaps, gaps)
        right, is_right = _ranks(self._rights, gap * len(self.words) + words[pairs + 1])
        key, is_phrase = _ranks(self._keys, words[pairs] * len(self._rights) + right)
        hits = np.flatnonzero(is_known & is_right & is_phrase)
        found[pairs[hits]] = self._phrases[key[hits]]
        return found


def _ranks(values: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the place of each number among ascending ``values``, and whether it is there."""
    places = np.searchsorted(values, wanted)
    places[places == len(values)] = 0
    return places, (values[places] == wanted) if len(values) else np.zeros(len(wanted), np.bool_)


def _cut(near: Neighbours, found: np.ndarray, length: int) -> int:
    """Return where the next piece begins: at a word that is no part of a phrase begun before."""
    loose = np.flatnonzero(found < 0)
    if len(loose):
        return int(near.places[loose[-1] + 1])
    if len(near.places) < 2:
        return near.cut(length)
    if len(near.places) % 2:  # one phrase after another, and a word that may begin the next one
        return int(near.places[-1])
    return int(near.places[-1]) + 1


def _joined(
    tokens: np.ndarray,
    offsets: np.ndarray,
    piece: slice,
    near: Neighbours,
    found: np.ndarray,
    new_codes: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the codes of a piece with its phrases joined, and where documents end in them."""
    codes = tokens[piece].copy()
    chosen = np.flatnonzero(every_other(found >= 0))
    chosen = chosen[near.places[chosen + 1] < len(codes)]
    places = near.places[chosen]
    codes[places] = new_codes[found[chosen]]
    kept = np.ones(len(codes), np.bool_)
    kept[ranges(places + 1, near.places[chosen + 1] - places)] = False
    kept_before = np.concatenate(([0], np.cumsum(kept, dtype=np.int64)))
    ends = offsets[1:]
    # A document that ends where the piece begins was ended by the piece before.
    first = int(np.searchsorted(ends, piece.start, side="right")) if piece.start else 0
    last = int(np.searchsorted(ends, piece.stop, side="right"))
    return codes[kept], kept_before[ends[first:last] - piece.start]
