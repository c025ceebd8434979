"""Sampling: every track is drawn from the softmax over all that the rules let in.

Playlists are taken in blocks of a fixed number, and a block's scores of the whole
catalogue are there at once; a draw goes by the cumulated weights (inverse transform).
What a playlist draws depends on the seed, its place and the step alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastrec.generation.network import Listeners
from fastrec.generation.rules import Rules, of_row
from fastrec.generation.search import Outcome, step_by_step
from fastrec.generation.steps import Stepper, members_of
from fastrec.runtime.blas import single_threaded_blas
from fastrec.runtime.random import stream_key, uniforms
from fastrec.runtime.threads import run_ranges
from fastrec.search import select

BLOCK_FLOATS = 1 << 22  # scores of a block, 16 MB
MOST_AT_ONCE = 256  # playlists of a block
NUCLEUS = 256  # the first guess of how many tracks a nucleus has
WIDER = 8


@dataclass(frozen=True)
class Choice:
    """How a track is drawn from scores.

    Attributes
    ----------
    temperature : float
        Scores are divided by it.
    top_k : int or None
        Only the best so many may be drawn.
    top_p : float or None
        Only the fewest best whose probabilities add up to at least this, of those that are left.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None


def sample(listeners: Listeners, stepper: Stepper, choice: Choice, seed: int) -> Outcome:
    """Draw track after track.

    Parameters
    ----------
    listeners : Listeners
    stepper : Stepper
        Its index, rules and penalty are used.
    choice : Choice
    seed : int
    """

    def drawn(
        queries: np.ndarray, owner: np.ndarray, tracks: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        random = uniforms(stream_key(seed, "playlists", tracks.shape[1]), owner)
        return draw_step(stepper, choice, queries, owner, tracks, random)

    return step_by_step(listeners, stepper, drawn)


def draw_step(
    stepper: Stepper,
    choice: Choice,
    queries: np.ndarray,
    owner: np.ndarray,
    tracks: np.ndarray,
    random: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the next track of each playlist, -1 for none, and the log of its probability.

    ``random`` (h,) are the uniform numbers that decide; the rest as in :meth:`Stepper.best`.
    """
    index, rules = stepper.index, stepper.rules
    drawn = np.full(len(owner), -1, np.int32)
    sums = np.empty(len(owner))
    fixed = rules.fixed[owner, tracks.shape[1]]

    def task(start: int, stop: int) -> None:
        part = slice(start, stop)
        with single_threaded_blas():
            scores = queries[part] @ index.matrix.T
        if index.bias is not None:
            scores += index.bias
        highest = scores.max(axis=1)
        weights = np.exp(scores - highest[:, None])
        log_sums = highest + np.log(weights.sum(axis=1, dtype=np.float64))
        if stepper.penalty is not None:
            scores -= stepper.penalty
        if choice.temperature != 1:
            scores /= np.float32(choice.temperature)
        free = np.flatnonzero(fixed[part] < 0)
        open_scores = _barred(scores[free], rules, owner[part][free], tracks[part][free])
        picked = fixed[part].copy()
        picked[free] = _picked(open_scores, choice, random[part][free])
        drawn[part], sums[part] = picked, log_sums

    block = max(1, min(MOST_AT_ONCE, BLOCK_FLOATS // max(1, len(index))))
    with single_threaded_blas():
        run_ranges(task, len(owner), block, stepper.threads)
    chances = np.full(len(owner), np.nan)
    rows = np.flatnonzero(drawn >= 0)
    chances[rows] = index.scores_of(queries[rows], drawn[rows]) - sums[rows]
    return drawn, chances


def _barred(scores: np.ndarray, rules: Rules, owner: np.ndarray, tracks: np.ndarray) -> np.ndarray:
    """Return scores in which what the rules keep out is -infinity; they may be overwritten."""
    if rules.allow is not None:
        kept = np.full_like(scores, -np.inf)
        for row, own in enumerate(owner.tolist()):
            allowed = of_row(rules.allow, own)
            if allowed is not None:
                kept[row, allowed] = scores[row, allowed]
        scores = kept
    closed = members_of(rules, rules.closed_groups(owner, tracks))
    for banned in (rules.banned(owner, tracks), closed):
        scores[banned.row_numbers, banned.flat] = -np.inf
    return scores


def _picked(scores: np.ndarray, choice: Choice, random: np.ndarray) -> np.ndarray:
    """Return a column of each row, drawn by the softmax of the row; -1 where all are -infinity."""
    if choice.top_p is not None:
        return _from_nucleus(scores, choice.top_p, choice.top_k, random)
    if choice.top_k is not None and choice.top_k < scores.shape[1]:
        top = select(scores, choice.top_k, threads=1)
        places = _inverse(np.where(top.items >= 0, top.scores, -np.inf), random)
        return np.where(places >= 0, top.items[np.arange(len(places)), places], -1)
    return _inverse(scores, random)


def _inverse(scores: np.ndarray, random: np.ndarray) -> np.ndarray:
    """Return the column at which the cumulated softmax of each row passes a uniform number."""
    picked = np.full(len(scores), -1, np.int32)
    highest = scores.max(axis=1, initial=-np.inf)
    rows = np.flatnonzero(highest > -np.inf)
    if len(rows) < len(scores):
        scores = scores[rows]
    if len(rows):
        weights = np.exp(scores - highest[rows, None])
        below = np.cumsum(weights, axis=1, dtype=np.float64)
        # The product may be rounded up to the sum; the last that has a weight is then drawn.
        most = np.nextafter(below[:, -1], 0)
        at = np.minimum(random[rows] * below[:, -1], most)
        picked[rows] = np.argmax(below > at[:, None], axis=1)
    return picked


def _from_nucleus(
    scores: np.ndarray, top_p: float, top_k: int | None, random: np.ndarray
) -> np.ndarray:
    """Return a column of each row out of the fewest best that reach ``top_p``."""
    picked = np.full(len(scores), -1, np.int32)
    most = min(top_k or scores.shape[1], scores.shape[1])
    highest = scores.max(axis=1, initial=-np.inf)
    left = np.flatnonzero(highest > -np.inf)
    totals = np.full(len(scores), np.inf)
    if most == scores.shape[1]:
        for row in left.tolist():
            totals[row] = np.exp(scores[row] - highest[row]).sum(dtype=np.float64)
    width = min(NUCLEUS, most)
    while len(left):
        top = select(scores[left], width, threads=1)
        weights = np.where(top.items >= 0, np.exp(top.scores - highest[left, None]), 0.0)
        below = np.cumsum(weights, axis=1, dtype=np.float64)
        if most < scores.shape[1] and width == most:
            totals[left] = below[:, -1]
        is_whole = (below[:, -1] >= top_p * totals[left]) | (width == most)
        for row in np.flatnonzero(is_whole).tolist():
            own = below[row]
            enough = int(np.searchsorted(own, top_p * totals[left[row]]))
            last = min(enough, int(top.counts[row]) - 1)
            place = int(np.searchsorted(own[: last + 1], random[left[row]] * own[last], "right"))
            picked[left[row]] = top.items[row, min(place, last)]
        left = left[~is_whole]
        width = min(width * WIDER, most)
    return picked
