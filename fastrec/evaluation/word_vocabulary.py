"""The words that may be asked for and answered, and the rows of vectors that they lead to."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrec.data.ids import IdMap
from fastrec.data.ragged import Ragged
from fastrec.errors import InputError
from fastrec.runtime import checks
from fastrec.search import Vectors


class Vocabulary:
    """The first rows of some vectors, by the words that lead to them.

    Where case is ignored and words differ in nothing else, they are one class, and
    a word leads to the first row of its class.

    Parameters
    ----------
    vectors : Vectors
    size : int or None
        How many of the first rows are in it; None: all.
    ignore_case : bool or None
        None: where all words are lower-case.

    Raises
    ------
    InputError
        There are no vectors, or case is to be ignored in whole numbers.
    """

    def __init__(self, vectors: Vectors, size: int | None, ignore_case: bool | None) -> None:
        self.size = min(len(vectors), size or len(vectors))
        self.ids = vectors.ids
        self.class_ids: IdMap | None = None
        if self.size == 0:
            raise InputError("there are no vectors to evaluate")
        self.ignores_case = self._set_case(ignore_case)

    def _set_case(self, ignore_case: bool | None) -> bool:
        """Return whether case is ignored; make the classes where there are any."""
        if ignore_case is not None:
            checks.flag("ignore_case", ignore_case)
        if self.ids.kind == "int":
            if ignore_case:
                raise InputError("ignore_case is for words, but the ids are whole numbers")
            return False
        if ignore_case is False:
            return False
        words = self.ids.decode(np.arange(self.size, dtype=np.int32)).tolist()
        lowered = [word.lower() for word in words]
        if lowered == words:
            return True  # every word is its own class
        if not ignore_case:
            return False
        self.class_ids, self.classes = IdMap.from_ids(lowered)
        self.members = Ragged.from_lengths(
            np.argsort(self.classes, kind="stable").astype(np.int32), np.bincount(self.classes)
        )
        return True

    def rows_of(self, words: list[Any]) -> np.ndarray:
        """Return the row that each word leads to, -1 where it leads to none."""
        if self.ignores_case:
            words = [word.lower() if isinstance(word, str) else word for word in words]
        known = self.ids if self.class_ids is None else self.class_ids
        codes: np.ndarray = known.encode(words, on_unknown="ignore", name="the words")
        if self.class_ids is None:
            return np.where(codes < self.size, codes, -1)
        first = self.members.values[self.members.offsets[:-1]]
        return np.where(codes >= 0, first[codes], -1)

    def same_words(self, rows: np.ndarray) -> Ragged | None:
        """Return for each of several lists of rows all that are the same words; None: these."""
        if self.class_ids is None:
            return None
        same = self.members.take(self.classes[rows.ravel()])
        return Ragged(same.values, same.offsets[:: rows.shape[1]])

    def are_same(self, found: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Say where ``found``, -1 being none, is the same word as the row beside it."""
        same: np.ndarray
        if self.class_ids is None:
            same = found == rows
        else:
            same = (self.classes[found] == self.classes[rows]) & (found >= 0)
        return same
