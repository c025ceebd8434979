"""The items that a model knows: which row each has in the model, and how often it was seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from fastrec.data import IdMap, Interactions
from fastrec.errors import InputError

if TYPE_CHECKING:
    from fastrec.data import Corpus


class Counted(Protocol):
    """What a catalogue is made from: a log, or the tokens of a log or a text."""

    @property
    def item_ids(self) -> IdMap:
        """The ids that there are, by code."""

    def item_counts(self) -> np.ndarray:
        """Return the occurrences of each code, int64."""


@dataclass(frozen=True)
class Tokens:
    """Sequences of item codes: a log's histories or a text's documents.

    Attributes
    ----------
    codes : int32 ndarray, shape (tokens,)
    offsets : int64 ndarray, shape (sequences + 1,)
        Sequence ``s`` is ``codes[offsets[s]:offsets[s + 1]]``.
    item_ids : IdMap
        The ids of the codes.
    weights : float32 ndarray, shape (tokens,), or None
        What each token weighs in the loss.
    counts : int64 ndarray, shape (item_ids,)
    """

    codes: np.ndarray
    offsets: np.ndarray
    item_ids: IdMap
    weights: np.ndarray | None
    counts: np.ndarray

    @classmethod
    def of_log(cls, log: Interactions) -> Tokens:
        """Take the histories of a log."""
        return cls(log.item, log.history_offsets, log.item_ids, log.value, log.item_counts())

    @classmethod
    def of_corpus(cls, corpus: Corpus) -> Tokens:
        """Take the documents of a text."""
        return cls(corpus.tokens, corpus.offsets, corpus.word_ids, None, corpus.counts)

    def __len__(self) -> int:
        """Return the number of tokens."""
        return len(self.codes)

    def item_counts(self) -> np.ndarray:
        """Return the occurrences of each code."""
        return self.counts

    @property
    def longest(self) -> int:
        """Tokens of the longest sequence."""
        return int(np.diff(self.offsets).max(initial=0))


@dataclass(frozen=True)
class Catalogue:
    """Items by row, most frequent first, with their counts in training.

    Attributes
    ----------
    item_ids : IdMap
        Row ``r`` of the model's matrices belongs to ``item_ids.ids[r]``.
    item_counts : int64 ndarray, shape (items,)
        Occurrences in training.
    """

    item_ids: IdMap
    item_counts: np.ndarray

    @classmethod
    def of(
        cls, data: Counted, min_count: int = 1, max_items: int | None = None, noun: str = "item"
    ) -> Catalogue:
        """Take what occurs at least ``min_count`` times, and of that the ``max_items`` first.

        Frequent items come first, so that ties in scores go to them and their rows
        lie side by side in memory; equal counts keep the order of the data's ids.

        Raises
        ------
        InputError
            No item is frequent enough.
        """
        counts = data.item_counts()
        kept = np.flatnonzero(counts >= max(min_count, 1))
        order = kept[np.argsort(-counts[kept], kind="stable")][:max_items]
        if len(order) == 0:
            raise InputError(
                f"no {noun} occurs min_count={min_count} times in the data "
                f"(the most frequent one {counts.max(initial=0)} times); lower min_count"
            )
        return cls(data.item_ids.take(order), counts[order])

    def extended(
        self, data: Counted, min_count: int = 1, max_items: int | None = None
    ) -> Catalogue:
        """Return this catalogue with the data's counts and its new items behind the old ones.

        New items come as many as ``max_items`` in all leaves room for.
        """
        fresh = data.item_counts()
        known = data.item_ids.codes_in(self.item_ids)[:-1] >= 0
        new = np.flatnonzero(~known & (fresh >= max(min_count, 1)))
        if max_items is not None:
            room = max(max_items - len(self.item_counts), 0)
            new = new[np.argsort(-fresh[new], kind="stable")][:room]
        item_ids = self.item_ids.extend(data.item_ids.decode(new)) if len(new) else self.item_ids
        counts = np.zeros(len(item_ids), dtype=np.int64)
        counts[: len(self.item_counts)] = self.item_counts
        rows = data.item_ids.codes_in(item_ids)[:-1]
        counts[rows[rows >= 0]] += fresh[rows >= 0]
        return Catalogue(item_ids, counts)

    def rows_of(self, data: Counted) -> np.ndarray:
        """Return the row of each of the data's items, int32 by code, -1 for none.

        Shape ``(codes + 1,)``: the last entry, which the code -1 finds, is -1.
        """
        return data.item_ids.codes_in(self.item_ids)
