"""Playlists from a process that is known: drawing them, asking for their ends, the best recall.

What the processes of :mod:`fastrec.data.synthetic` and :mod:`fastrec.data.third_order`
have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fastrec.data.build import of_rows
from fastrec.data.id_kinds import range_map
from fastrec.data.ids import IdMap
from fastrec.data.interactions import Interactions
from fastrec.data.queries import Queries
from fastrec.data.ragged import Ragged
from fastrec.runtime import checks

MOST_IDS = 2**31 - 2  # that an id map holds
SHORTEST, MEAN_LENGTH, LONGEST = 5, 12, 40
CHUNK = 2_048  # queries whose ceiling is computed at once


class Source(Protocol):
    """What playlists can be drawn from."""

    @property
    def tracks(self) -> int:
        """The number of tracks."""

    def first(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw the first tracks of so many playlists."""

    def following(self, before: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw a next track for each row of tracks, oldest first; it may be one of them."""

    def best_sums(self, histories: Ragged, k: int) -> np.ndarray:
        """Return, for each history, the summed probability of the k most likely new tracks."""

    def sums_of(self, tracks: np.ndarray, histories: Ragged) -> np.ndarray:
        """Return, for each history, the summed probability of the new ones of a row of tracks."""


@dataclass(frozen=True, eq=False, repr=False)
class SyntheticPlaylists:
    """Playlists to learn from, questions about others, and the best possible answer.

    Attributes
    ----------
    log : Interactions
        The playlists to train on, as sessions; ids are the names of the tracks.
    queries : Queries
        One a playlist that is not in ``log``: which track comes last? Playlists never repeat
        a track, so ``exclude_seen`` is True.
    names : ndarray of str objects, shape (tracks,)
        By code, "Genre - Artist 3 - Track 12".
    process : Process, or another Source
        What they were drawn from.
    """

    log: Interactions
    queries: Queries
    names: np.ndarray
    process: Source

    def best_recall(self, k: int) -> float:
        """Return the Recall@k to expect, on these very queries, of a ranker that knows the process.

        Exact: the mean over the queries of the summed probability of the k most likely tracks
        given the history. No model has a higher expected recall; on the targets as they happened
        to be drawn one may measure a little more or less (by about 0.5 / sqrt(queries)).

        Parameters
        ----------
        k : int
            At least 1.
        """
        k = min(checks.whole_number("k", k), self.process.tracks)
        sums = [
            self.process.best_sums(self.queries.slice(start, start + CHUNK).histories, k)
            for start in range(0, len(self.queries), CHUNK)
        ]
        return float(np.concatenate(sums).mean())

    def expected_recall(self, lists: np.ndarray) -> float:
        """Return the recall to expect, on these very queries, of lists that a model recommends.

        Exact, as :meth:`best_recall` is: to be held against that, without the chance of which
        targets happened to be drawn.

        Parameters
        ----------
        lists : ndarray of int, shape (queries, k)
            Codes of tracks in ``log.item_ids``; -1 where a list is shorter.
        """
        rows = [slice(start, start + CHUNK) for start in range(0, len(self.queries), CHUNK)]
        histories = self.queries.histories
        sums = [
            self.process.sums_of(
                lists[row], histories.slice(row.start, row.start + len(lists[row]))
            )
            for row in rows
        ]
        return float(np.concatenate(sums).mean())

    def __repr__(self) -> str:
        return f"SyntheticPlaylists({self.log!r}, {self.queries!r})"


def asked_for_the_last(
    process: Source,
    drawn: Ragged,
    playlists: int,
    names: np.ndarray,
    items: Mapping[str, np.ndarray],
) -> SyntheticPlaylists:
    """Return so many playlists to train on, and questions for the last track of the others.

    Parameters
    ----------
    process : Source
        What they were drawn from.
    drawn : Ragged of int32
        All playlists.
    playlists : int
        How many of them train.
    names : ndarray of str objects, shape (tracks,)
    items : mapping of str to ndarray, shape (tracks,)
        What is known of the tracks.
    """
    item_ids, _ = IdMap.from_ids(names)

    def log_of(part: Ragged) -> Interactions:
        session = part.row_numbers.astype(np.int32)
        maps = {"session": range_map(len(part)), "item": item_ids}
        return of_rows({"session": session, "item": part.flat.copy()}, maps, None, items=items)

    train = log_of(drawn.slice(0, playlists))
    test = log_of(drawn.slice(playlists, len(drawn)))
    return SyntheticPlaylists(train, Queries.last_item(test, exclude_seen=True), names, process)


def draw(process: Source, count: int, rng: np.random.Generator) -> Ragged:
    """Draw playlists without repeats, all of them one track further at each step."""
    lengths = SHORTEST + rng.poisson(MEAN_LENGTH - SHORTEST, count)
    lengths = np.minimum(lengths, LONGEST).astype(np.int64)
    order = np.argsort(-lengths, kind="stable")  # so that those still growing come first
    grid = np.full((count, int(lengths.max())), -1, np.int32)
    grid[:, 0] = process.first(count, rng)
    for step in range(1, grid.shape[1]):
        todo = np.arange(int(np.searchsorted(-lengths[order], -step)))
        while len(todo):
            drawn = process.following(grid[todo, :step], rng)
            is_new = (grid[todo, :step] != drawn[:, None]).all(axis=1)
            grid[todo[is_new], step] = drawn[is_new]
            todo = todo[~is_new]
    given = np.empty_like(grid)
    given[order] = grid
    return Ragged.from_lengths(given[given >= 0], lengths)


def popularity_below(popularity: np.ndarray) -> np.ndarray:
    """Return the popularity of all tracks before each, and of all; float64, (tracks + 1,)."""
    return np.concatenate(([0.0], np.cumsum(popularity)))


def popular(
    below: np.ndarray, low: np.ndarray, high: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw tracks by popularity between two points of the cumulated popularity."""
    at = low + rng.random(len(low)) * (high - low)
    return np.minimum(np.searchsorted(below, at, "right") - 1, len(below) - 2)


def popular_between(
    below: np.ndarray, low: np.ndarray, high: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw tracks by popularity from the codes ``low`` to ``high - 1``."""
    drawn = popular(below, below[low], below[high], rng)
    return np.clip(drawn, low, high - 1)  # rounding at the ends


def sums_of_best(
    probability: Callable[[np.ndarray], np.ndarray],
    candidates: np.ndarray,
    histories: Ragged,
    k: int,
) -> np.ndarray:
    """Return, for each history, the summed probability of the k most likely new tracks.

    Parameters
    ----------
    probability : callable
        That of tracks, shape (n, m), given the histories, before their own tracks are taken out.
    candidates : ndarray of int64, shape (n, m)
        The k most likely new tracks of each are among them; some twice, padded with -1.
    histories : Ragged of int32, n rows
    k : int
    """
    width = int(histories.lengths.max())
    seen = np.full((len(histories), width), -1, np.int64)
    seen[np.arange(width) < histories.lengths[:, None]] = histories.flat
    candidates = np.sort(candidates, axis=1)
    chance = probability(np.maximum(candidates, 0))
    chance[candidates < 0] = 0
    chance[:, 1:][candidates[:, 1:] == candidates[:, :-1]] = 0
    for place in range(width):
        chance[candidates == seen[:, place : place + 1]] = 0
    taken = (probability(np.maximum(seen, 0)) * (seen >= 0)).sum(axis=1)
    best = np.sort(chance, axis=1)[:, -k:]
    return best.sum(axis=1) / (1 - taken)
