"""Making a corpus in one pass: provisional codes by first appearance, final ones by frequency."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fastrec.data.corpus import MEMORY_LIMIT, Corpus
from fastrec.data.growing import GrowingArray
from fastrec.data.id_builder import IdBuilder
from fastrec.data.id_columns import IntColumn, as_id_column, refuse_padding, utf8_column
from fastrec.data.id_kinds import int_map
from fastrec.data.ids import IdMap
from fastrec.data.order import count_codes
from fastrec.data.ragged import Ragged
from fastrec.data.word_batches import WordBatch
from fastrec.errors import InputError
from fastrec.runtime import checks
from fastrec.runtime.memory import give_back

STEP = 1 << 17  # tokens renumbered or copied at once


class CodeStore:
    """The codes of documents as they come: in memory, or in a file when they are many.

    Parameters
    ----------
    memory_limit : int or None
        Bytes of codes, and of offsets, that stay in memory; None means ``MEMORY_LIMIT``.
    """

    def __init__(self, memory_limit: int | None = None) -> None:
        if memory_limit is None:
            memory_limit = MEMORY_LIMIT
        limit = checks.whole_number("memory_limit", memory_limit, 0)
        self._tokens = GrowingArray(np.int32, limit)
        self._offsets = GrowingArray(np.int64, limit)
        self._offsets.append(np.zeros(1, np.int64))

    def __len__(self) -> int:
        """Return the number of documents so far."""
        return len(self._offsets) - 1

    def append(self, codes: np.ndarray, ends: np.ndarray) -> None:
        """Append codes; documents end after so many of them as ``ends`` says, the last one may not.

        Raises
        ------
        FastrecError
            The temporary file cannot be written.
        """
        self._offsets.append(len(self._tokens) + ends)
        self._tokens.append(codes)

    def finish(
        self,
        n_words: int,
        words_in: Callable[[np.ndarray], IdMap],
        ids: IdMap | None,
        where: str = "",
    ) -> Corpus:
        """Return the corpus of what was appended; the store must not be used any more.

        Parameters
        ----------
        n_words : int
            How many different codes there may be.
        words_in : callable
            Takes codes in the order that they are to have; returns the map of their words.
        ids : IdMap or None
            The documents by row, None for their numbers.
        where : str
            Where the documents come from, for messages.

        Raises
        ------
        InputError
            There is no document, or no word in any.
        """
        refuse_empty(len(self), len(self._tokens), where)
        tokens = self._tokens.finish()
        counts = count_codes(tokens, n_words)
        order = np.argsort(-counts, kind="stable")
        order = order[: np.count_nonzero(counts)]
        ranks = np.empty(n_words, np.int32)
        ranks[order] = np.arange(len(order), dtype=np.int32)
        for start in range(0, len(tokens), STEP):
            part = tokens[start : start + STEP]
            part[:] = ranks[part]
        return Corpus._trusted(
            tokens=tokens,
            offsets=self._offsets.finish(),
            word_ids=words_in(order),
            counts=counts[order],
            given_ids=ids,
        )


def build(
    batches: Iterable[WordBatch],
    ids: Any = None,
    memory_limit: int | None = None,
    where: str = "",
    read_ids: Callable[[], Any] | None = None,
) -> Corpus:
    """Return the corpus of batches of words, which are read once.

    Parameters
    ----------
    batches : iterable of WordBatch
    ids : ids or None
        One different id a document.
    memory_limit, where
        As in :class:`CodeStore`.
    read_ids : callable or None
        Returns the ids, and is called after the last batch.

    Raises
    ------
    InputError
        There is no document, no word, or an id too few, too many or twice.
    """
    words = IdBuilder("words")
    store = CodeStore(memory_limit)
    for batch in batches:
        codes = words.add_column(utf8_column(batch.blob, batch.offsets))
        store.append(codes, np.cumsum(batch.counts))
    named = document_map(ids if read_ids is None else read_ids(), len(store))
    corpus = store.finish(len(words), words.finish_strings, named, where)
    del words, store
    give_back()
    return corpus


def taken(corpus: Corpus, rows: np.ndarray) -> Corpus:
    """Return the documents ``rows``, different numbers; see :meth:`Corpus.take`."""
    store = CodeStore()
    lengths = np.diff(corpus.offsets)[rows]
    documents = Ragged(corpus.tokens, corpus.offsets)
    ends = np.cumsum(lengths)
    start = 0
    while start < len(rows):  # as many documents as have STEP tokens, or a longer one
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + STEP, side="right")))
        part = documents.take(rows[start:stop])
        store.append(part.values, part.offsets[1:])
        start = stop
    ids = corpus.given_ids.take(rows) if corpus.given_ids is not None else int_map(rows)
    return store.finish(corpus.n_words, corpus.word_ids.take, ids)


def document_map(ids: Any, count: int) -> IdMap | None:
    """Return the map in which document ``i`` of ``count`` has the id ``ids[i]``; None for None.

    Raises
    ------
    InputError
        Not ``count`` different ids.
    """
    if ids is None:
        return None
    column = as_id_column(ids, "ids")
    if len(column) != count:
        raise InputError(f"ids must be one for each of {count} documents, got {len(column)}")
    if isinstance(column, IntColumn):
        refuse_padding(column, "ids")
        values = np.sort(column.values)
        if (values[1:] == values[:-1]).any():
            twice = values[1:][values[1:] == values[:-1]][0]
            raise InputError(f"ids must be different, got {twice} twice")
        return int_map(column.values)
    builder = IdBuilder("ids")
    codes = builder.add_column(column)
    if len(builder) < count:
        row = int(np.flatnonzero(codes != np.arange(count))[0])
        (twice,) = column.values_of(np.array([row]))
        raise InputError(f"ids must be different, got {twice!r} again for document {row}")
    return builder.finish()[0]


def refuse_empty(documents: int, tokens: int, where: str) -> None:
    """Raise where there is nothing to learn from."""
    prefix = f"{where}: " if where else ""
    if documents == 0:
        raise InputError(f"{prefix}a corpus needs at least one document, got none")
    if tokens == 0:
        raise InputError(f"{prefix}a corpus needs at least one word, got {documents} without any")
