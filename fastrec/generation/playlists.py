"""What generation answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastrec.data import IdMap


@dataclass(frozen=True, eq=False)
class Playlists:
    """Playlists, one for each start, and how likely the model finds them.

    Attributes
    ----------
    items : ndarray, shape (n, length)
        External ids of what follows the start. A playlist that met a dead end stops there and
        ends in -1 (None where ids are strings).
    log_probabilities : float64 ndarray, shape (n, length)
        The log of the model's own probability of each track given what was before it: of its
        softmax over all tracks, whatever the rules, temperature and novelty were. NaN behind a
        dead end. Of a model trained with a ranking loss they are no probabilities, only
        normalised scores.
    totals : float64 ndarray, shape (n,)
        The sum of each row.
    counts : int32 ndarray, shape (n,)
        How many tracks each playlist has: ``length``, or less at a dead end.
    dead_ends : tuple of (str or None), n long
        Why a playlist stopped before its length.

    Examples
    --------
    >>> import fastrec as fr
    >>> log = fr.Interactions.from_sequences([[1, 2, 3, 4], [2, 3, 4, 1]] * 20)
    >>> model = fr.PlaylistRNN(units=16, epochs=8, batch_size=8, negatives=4).fit(log)
    >>> made = model.generate([[1, 2]], 3)
    >>> made.items, made.counts
    (array([[ 3,  4, -1]]), array([2], dtype=int32))
    >>> made.dead_ends[0]
    'place 2: every track that may be played is in the playlist already'
    """

    items: np.ndarray
    log_probabilities: np.ndarray
    totals: np.ndarray
    counts: np.ndarray
    dead_ends: tuple[str | None, ...]

    @classmethod
    def of_codes(
        cls,
        codes: np.ndarray,
        log_probabilities: np.ndarray,
        dead_ends: list[str | None],
        ids: IdMap,
    ) -> Playlists:
        """Take codes, -1 behind a dead end, and turn them into external ids."""
        is_played = codes >= 0
        shown = np.where(is_played, log_probabilities, np.nan)
        totals = np.where(is_played, log_probabilities, 0.0).sum(axis=1)
        counts = is_played.sum(axis=1).astype(np.int32)
        return cls(ids.decode(codes), shown, totals, counts, tuple(dead_ends))

    def to_lists(self) -> list[list[Any]]:
        """Return the tracks of each playlist as plain values."""
        return list(self)

    def __len__(self) -> int:
        return len(self.counts)

    def __iter__(self) -> Iterator[list[Any]]:
        for items, count in zip(self.items, self.counts, strict=True):
            yield items[:count].tolist()
