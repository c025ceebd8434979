"""Greedy and beam search: playlists of which every step, or the whole, is the most likely."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastrec.generation.network import Listeners
from fastrec.generation.steps import Stepper

Outcome = tuple[np.ndarray, np.ndarray, list[str | None]]
"""Tracks (n, length) with -1 behind a dead end, their log-probabilities, reasons of dead ends."""

NextTrack = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Takes queries, owner and tracks, as :meth:`Stepper.best` does, of playlists under way; returns
the next track of each, int32 with -1 for none, and the log of its probability, float64."""


def greedy(listeners: Listeners, stepper: Stepper) -> Outcome:
    """Take the best track that the rules let in, step after step."""

    def best(
        queries: np.ndarray, owner: np.ndarray, tracks: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        found = stepper.best(queries, owner, tracks, 1)
        return found.tracks[:, 0], found.log_probabilities[:, 0]

    return step_by_step(listeners, stepper, best)


def step_by_step(listeners: Listeners, stepper: Stepper, next_track: NextTrack) -> Outcome:
    """Let every playlist take one track after the other, until its end or a dead end.

    Parameters
    ----------
    listeners : Listeners
        One for each playlist, who have heard its start.
    stepper : Stepper
        Has the rules, and says why a dead end is one.
    next_track : callable
        Which track a playlist takes; see ``NextTrack``.
    """
    rules = stepper.rules
    tracks = np.full(rules.fixed.shape, -1, np.int32)
    chances = np.full(rules.fixed.shape, np.nan)
    reasons: list[str | None] = [None] * len(rules)
    alive = np.arange(len(rules))
    for step in range(rules.length):
        queries = listeners.queries()
        taken, chance = next_track(queries, alive, tracks[alive, :step])
        tracks[alive, step], chances[alive, step] = taken, chance
        ended = np.flatnonzero(taken < 0)
        if len(ended):
            why = stepper.why_none(queries[ended], alive[ended], tracks[alive[ended], :step])
            for own, reason in zip(alive[ended].tolist(), why, strict=True):
                reasons[own] = reason
            goes_on = np.flatnonzero(taken >= 0)
            alive, taken, listeners = alive[goes_on], taken[goes_on], listeners.take(goes_on)
        if len(alive) == 0:
            break
        if step + 1 < rules.length:
            listeners.hear(taken)
    return tracks, chances, reasons


def beam(
    listeners: Listeners, stepper: Stepper, width: int, length_normalization: float
) -> Outcome:
    """Keep the ``width`` best beginnings of each playlist, and return the best whole one.

    Beginnings are ranked by their total score, ties by the better parent and then the
    better track. Where none reaches the end, the dead end with the highest
    ``total / tracks ** length_normalization`` is returned.
    """
    rules = stepper.rules
    owner = np.arange(len(rules))
    tracks = np.full((len(rules), 0), -1, np.int32)
    chances = np.zeros((len(rules), 0))
    totals = np.zeros(len(rules))
    dead = _DeadEnds(stepper, length_normalization)
    for step in range(rules.length):
        queries = listeners.queries()
        found = stepper.best(queries, owner, tracks, width)
        dead.take(np.flatnonzero(found.tracks[:, 0] < 0), owner, tracks, chances, totals, queries)
        parent, place = _best_children(owner, totals[:, None] + found.scores, width)
        tracks = np.hstack([tracks[parent], found.tracks[parent, place][:, None]])
        chances = np.hstack([chances[parent], found.log_probabilities[parent, place][:, None]])
        totals = totals[parent] + found.scores[parent, place]
        owner = owner[parent]
        if len(owner) == 0:
            break
        if step + 1 < rules.length:
            listeners = listeners.take(parent)
            listeners.hear(tracks[:, -1])
    return dead.completed(owner, tracks, chances)


def _best_children(
    owner: np.ndarray, totals: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return parent and place of the best ``width`` children of each owner, best first."""
    parent, place = np.nonzero(totals > -np.inf)
    values = totals[parent, place]
    order = np.lexsort((place, parent, -values, owner[parent]))
    sorted_owner = owner[parent[order]]
    begins = np.searchsorted(sorted_owner, sorted_owner)
    order = order[np.arange(len(order)) - begins < width]
    return parent[order], place[order]


class _DeadEnds:
    """The best beginning of each playlist that nothing may follow."""

    def __init__(self, stepper: Stepper, power: float) -> None:
        self.stepper = stepper
        self.power = power
        fixed = stepper.rules.fixed
        self.value = np.full(len(fixed), -np.inf)
        self.tracks = np.full_like(fixed, -1)
        self.chances = np.full(fixed.shape, np.nan)
        self.reasons: list[str | None] = [None] * len(fixed)

    def take(
        self,
        rows: np.ndarray,
        owner: np.ndarray,
        tracks: np.ndarray,
        chances: np.ndarray,
        totals: np.ndarray,
        queries: np.ndarray,
    ) -> None:
        """Take the beginnings ``rows``, where they are better than what there is."""
        if len(rows) == 0:
            return
        step = tracks.shape[1]
        reasons = self.stepper.why_none(queries[rows], owner[rows], tracks[rows])
        for row, reason in zip(rows.tolist(), reasons, strict=True):
            own = int(owner[row])
            value = totals[row] / max(step, 1) ** self.power
            if self.reasons[own] is not None and value <= self.value[own]:
                continue
            self.value[own], self.reasons[own] = value, reason
            self.tracks[own], self.chances[own] = -1, np.nan
            self.tracks[own, :step], self.chances[own, :step] = tracks[row], chances[row]

    def completed(self, owner: np.ndarray, tracks: np.ndarray, chances: np.ndarray) -> Outcome:
        """Return the best whole playlist of each owner, or else its dead end."""
        if tracks.shape[1] == self.tracks.shape[1]:
            whole, first = np.unique(owner, return_index=True)  # the best comes first
            self.tracks[whole], self.chances[whole] = tracks[first], chances[first]
            for own in whole.tolist():
                self.reasons[own] = None
        return self.tracks, self.chances, self.reasons
