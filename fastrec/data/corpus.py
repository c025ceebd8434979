"""Corpus: the immutable encoded text that word and paragraph vectors are trained on."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import Any

import numpy as np

from fastrec.data.corpus_constructors import CorpusConstructors
from fastrec.data.ids import IdMap
from fastrec.data.ragged import Ragged
from fastrec.data.record import Record
from fastrec.errors import InputError
from fastrec.runtime import checks

Path = str | PathLike[str]

MEMORY_LIMIT = 1 << 30  # bytes of codes that stay in memory: 268 million tokens
STEP = 1 << 16  # tokens made strings at once


@dataclass(frozen=True, eq=False, repr=False)
class Corpus(Record, CorpusConstructors):
    """An immutable text: documents, each a run of words, as codes.

    Made by one of the ``from_...`` constructors or by :func:`as_corpus`, in one pass
    that never holds the text. All words are kept: as codes go by frequency, a model's
    minimum count is a prefix of them. Takes 4 bytes a token, 8 a document, and for each
    different word its UTF-8 and 20 bytes (some three times that while it is made); where the
    tokens take more than ``memory_limit`` bytes, they lie in a temporary file that is
    mapped into memory. Safe to use from several threads at once. The plain constructor takes
    codes, and reads them once to check them.

    Attributes
    ----------
    tokens : ndarray of int32, shape (n_tokens,)
        The code of each word of the text, read-only.
    offsets : ndarray of int64, shape (n_documents + 1,)
        Document ``i`` is ``tokens[offsets[i]:offsets[i + 1]]``, and may be empty.
    word_ids : IdMap
        The words by code: the most frequent first, and of equally frequent ones the
        first seen.
    counts : ndarray of int64, shape (n_words,)
        How often each word occurs, at least once.
    given_ids : IdMap or None
        The ids of the documents where they were given, by row.

    Raises
    ------
    InputError
        Another dtype, offsets that do not fit, codes that are no words, or counts that are
        not those of the tokens, the most frequent word first.

    Examples
    --------
    >>> corpus = Corpus.from_texts(["To be, or not to be.", "That is it!"])
    >>> corpus
    Corpus(2 documents, 9 tokens, 7 words)
    >>> corpus.word_ids.decode([0, 1, 2]).tolist(), corpus.counts.tolist()
    (['to', 'be', 'or'], [2, 2, 1, 1, 1, 1, 1])
    >>> list(corpus.decode([1]))
    [['that', 'is', 'it']]
    """

    tokens: np.ndarray
    offsets: np.ndarray
    word_ids: IdMap
    counts: np.ndarray
    given_ids: IdMap | None = None

    def __post_init__(self) -> None:
        from fastrec.data import validation

        validation.check_corpus(self)
        self._freeze()

    def _freeze(self) -> None:
        for array in (self.tokens, self.offsets, self.counts):
            array.flags.writeable = False

    def __len__(self) -> int:
        """Return the number of documents."""
        return len(self.offsets) - 1

    @property
    def n_tokens(self) -> int:
        """The number of words of the text, each occurrence counted."""
        return len(self.tokens)

    @property
    def n_words(self) -> int:
        """The number of different words."""
        return len(self.counts)

    @cached_property
    def document_ids(self) -> IdMap:
        """The documents by row: the ids that were given, or their numbers, made when asked for."""
        from fastrec.data.id_kinds import range_map

        return range_map(len(self)) if self.given_ids is None else self.given_ids

    @property
    def nbytes(self) -> int:
        """The size of all arrays in bytes, of mapped ones too."""
        own = self.tokens.nbytes + self.offsets.nbytes + self.counts.nbytes
        maps = [self.word_ids, self.__dict__.get("document_ids", self.given_ids)]
        return own + sum(ids.nbytes for ids in maps if ids is not None)

    def sequences(self) -> Ragged:
        """Return the documents as rows of codes, views of :attr:`tokens`."""
        return Ragged(self.tokens, self.offsets)

    def decode(self, rows: Iterable[int] | None = None) -> Iterator[list[str]]:
        """Yield documents as lists of words.

        Parameters
        ----------
        rows : iterable of int or None
            Which ones, from 0 on, in any order; None means all.

        Raises
        ------
        InputError
            A row that is not there.
        """
        if rows is not None:
            wanted = checks.listed("rows", rows, "whole numbers")
            documents = self.sequences()
            for row in checks.row_numbers("rows", wanted, len(self), "document"):
                yield self.word_ids.decode(documents[row]).tolist()
            return
        first = 0
        while first < len(self):  # many short documents at once
            full = int(np.searchsorted(self.offsets, self.offsets[first] + STEP, side="right"))
            last = max(first + 1, full - 1)
            ends = (self.offsets[first : last + 1] - self.offsets[first]).tolist()
            part = self.tokens[self.offsets[first] : self.offsets[last]]
            words = self.word_ids.decode(part).tolist()
            for start, stop in itertools.pairwise(ends):
                yield words[start:stop]
            first = last

    def take(self, rows: Any) -> Corpus:
        """Return the corpus of some documents, which keep their ids.

        Words are counted anew, and those that no longer occur are gone; a model
        translates between the words of two texts by itself.

        Parameters
        ----------
        rows : ndarray of bool, shape (n_documents,), or of int
            Which ones, as a mask, or by number in any order.

        Raises
        ------
        InputError
            None, the same one twice, one that is not there, or no word in any.
        """
        from fastrec.data.corpus_builder import taken

        chosen = checks.row_numbers("rows", rows, len(self), "document")
        if len(np.unique(chosen)) < len(chosen):
            raise InputError("rows must name each document once, got one twice")
        return taken(self, chosen)

    def to_file(self, path: Path) -> None:
        """Write the text in UTF-8: one document a line, a space between words.

        This is what gensim's ``corpus_file`` and fastText read. The file appears whole
        or not at all.

        Raises
        ------
        InputError
            A word would not come back, for it is empty, holds white space, or begins the
            file with U+FEFF; or the path cannot be written to.
        """
        from fastrec.data.line_sentences import write

        write(self, path)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._freeze()  # arrays come back from a pickle writeable

    def __copy__(self) -> Corpus:
        return self

    def __deepcopy__(self, memo: Any) -> Corpus:
        return self  # immutable, and possibly larger than memory

    def __repr__(self) -> str:
        return f"Corpus({len(self)} documents, {self.n_tokens} tokens, {self.n_words} words)"
