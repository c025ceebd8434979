"""One step of greedy and beam search: the best tracks that the rules let in, exactly.

Tracks that are ruled out, and those of small groups that are closed, go to the search
as lists. A large closed group is filtered from more answers than are wanted; where too
few are left the search is asked again for more, until it is certain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fastrec.data import Ragged
from fastrec.data.ragged import ranges
from fastrec.generation.groups import Groups
from fastrec.generation.rules import Rules
from fastrec.search import TopKIndex
from fastrec.search.arguments import without_long_list

# Closed groups of more tracks than this are filtered instead of listed.
LARGE_GROUP = 1024
SPARE = 16  # more answers than wanted, where some may have to be filtered
WIDER = 8  # times as many answers when too few were left


@dataclass(frozen=True, eq=False)
class Found:
    """The best tracks of each playlist under way.

    Attributes
    ----------
    tracks : int32 ndarray, shape (h, k)
        -1 where there are fewer.
    scores : float64 ndarray, shape (h, k)
        By which they were ranked; -infinity where there are fewer.
    log_probabilities : float64 ndarray, shape (h, k)
        The model's own.
    """

    tracks: np.ndarray
    scores: np.ndarray
    log_probabilities: np.ndarray


class Stepper:
    """Finds the best tracks of each step.

    Parameters
    ----------
    index : TopKIndex
        Over all tracks, with the model's scores.
    rules : Rules
    penalty : float32 ndarray, shape (tracks,), or None
        Taken from the scores before they are ranked; see :func:`novelty_penalty`.
    threads : int or None
    """

    def __init__(
        self,
        index: TopKIndex,
        rules: Rules,
        penalty: np.ndarray | None = None,
        threads: int | None = None,
    ) -> None:
        self.index = index
        self.penalty = penalty
        self.threads = threads
        self.ranking = index
        if penalty is not None:
            bias = -penalty if index.bias is None else index.bias - penalty
            self.ranking = TopKIndex(index.matrix, bias=bias, threads=threads)
        exclude, allow = without_long_list(rules.exclude, rules.allow, rules.n_tracks)
        self.rules = replace(rules, exclude=exclude, allow=allow)
        self.is_large = rules.groups.members.lengths > LARGE_GROUP

    def best(self, queries: np.ndarray, owner: np.ndarray, tracks: np.ndarray, k: int) -> Found:
        """Return the ``k`` best tracks that may come next.

        Parameters
        ----------
        queries : float32 ndarray, shape (h, dim)
        owner, tracks : ndarray
            As in :meth:`Rules.banned`.
        k : int
        """
        fixed = self.rules.fixed[owner, tracks.shape[1]]
        found = Found(
            np.full((len(owner), k), -1, np.int32),
            np.full((len(owner), k), -np.inf),
            np.full((len(owner), k), np.nan),
        )
        free = np.flatnonzero(fixed < 0)
        if len(free):
            self._search(queries[free], owner[free], tracks[free], found, free)
        given = np.flatnonzero(fixed >= 0)
        if len(given):
            rows = fixed[given]
            own = self.index.scores_of(queries[given], rows)
            found.tracks[given, 0], found.scores[given, 0] = rows, own
            if self.penalty is not None:
                found.scores[given, 0] -= self.penalty[rows]
            sums = self.index.logsumexp(queries[given], threads=self.threads)
            found.log_probabilities[given, 0] = own - sums
            found.scores[given, 0] -= sums
        return found

    def _search(
        self,
        queries: np.ndarray,
        owner: np.ndarray,
        tracks: np.ndarray,
        found: Found,
        places: np.ndarray,
    ) -> None:
        """Write the best tracks of playlists whose next place is free."""
        k = found.tracks.shape[1]
        items, scores, sums = self._filtered(queries, owner, tracks, k)
        is_there = items >= 0
        own = scores.copy()
        if self.penalty is not None:
            own += np.where(is_there, self.penalty[items], 0)
        found.tracks[places] = items
        found.log_probabilities[places] = np.where(is_there, own - sums[:, None], np.nan)
        found.scores[places] = np.where(is_there, scores - sums[:, None], -np.inf)

    def _filtered(
        self, queries: np.ndarray, owner: np.ndarray, tracks: np.ndarray, k: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return tracks, scores and sums of exponentials of the best that every rule lets in."""
        closed = self.rules.closed_groups(owner, tracks)
        banned = self.rules.banned(owner, tracks)
        large: Ragged | None = None
        if closed.total:
            is_large = self.is_large[closed.flat]
            banned = banned.joined(members_of(self.rules, closed.where(~is_large)))
            large = closed.where(is_large) if is_large.any() else None
        allow = self.rules.allow
        if isinstance(allow, Ragged):
            allow = allow.take(owner)
        wants_sums = self.ranking is self.index
        width = k + SPARE if large is not None else k
        top = self.ranking.search(
            queries,
            min(width, max(len(self.index), k)),
            exclude=banned,
            allow=allow,
            logsumexp=wants_sums,
            threads=self.threads,
        )
        sums = top.logsumexp
        if sums is None:
            sums = self.index.logsumexp(queries, threads=self.threads)
        if large is None:
            return top.items[:, :k], top.scores[:, :k].astype(np.float64), sums
        items = np.full((len(owner), k), -1, np.int32)
        scores = np.full((len(owner), k), np.nan)
        left = np.arange(len(owner))
        while True:
            is_open = self._is_open(top.items, large.take(left))
            is_certain = (is_open.sum(axis=1) >= k) | (top.counts < top.items.shape[1])
            for row in np.flatnonzero(is_certain).tolist():
                kept = np.flatnonzero(is_open[row])[:k]
                items[left[row], : len(kept)] = top.items[row, kept]
                scores[left[row], : len(kept)] = top.scores[row, kept]
            left = left[~is_certain]
            if len(left) == 0:
                return items, scores, sums
            width = min(width * WIDER, len(self.index) + 1)
            top = self.ranking.search(
                queries[left],
                width,
                exclude=banned.take(left),
                allow=allow.take(left) if isinstance(allow, Ragged) else allow,
                threads=self.threads,
            )

    def _is_open(self, items: np.ndarray, closed: Ragged) -> np.ndarray:
        """Return which answers are tracks of no closed group."""
        group = self.rules.groups.of_track[items].astype(np.int64)
        count = len(self.rules.groups)
        keys = np.arange(len(items))[:, None] * count + group
        return (items >= 0) & (
            (group < 0) | ~np.isin(keys, closed.row_numbers * count + closed.flat)
        )

    def why_none(self, queries: np.ndarray, owner: np.ndarray, tracks: np.ndarray) -> list[str]:
        """Return why no track may come next in playlists under way; see :meth:`best`."""
        is_groups = np.zeros(len(owner), bool)
        if len(self.rules.groups):
            ungrouped = replace(self.rules, groups=Groups.none(self.rules.n_tracks))
            others = Stepper(self.index, ungrouped, None, self.threads)
            is_groups = others.best(queries, owner, tracks, 1).tracks[:, 0] >= 0
        why = (
            "every track that may be played is in the playlist already",
            "the limits of groups rule out every track that the other rules leave",
        )
        return [f"place {tracks.shape[1]}: {why[each]}" for each in is_groups.tolist()]


def members_of(rules: Rules, groups: Ragged) -> Ragged:
    """Return the tracks of the groups of each row."""
    members = rules.groups.members
    lengths = members.lengths[groups.flat]
    flat = members.values[ranges(members.offsets[:-1][groups.flat], lengths)]
    per_row = np.bincount(groups.row_numbers, weights=lengths, minlength=len(groups))
    return Ragged.from_lengths(flat, per_row.astype(np.int64))


def novelty_penalty(novelty: float, counts: np.ndarray) -> np.ndarray | None:
    """Return ``novelty * log(share of all plays)`` of each track, float32; None for none.

    A track that was never played counts as one that was played once.
    """
    if novelty == 0:
        return None
    plays = np.maximum(counts, 1).astype(np.float64)
    penalty: np.ndarray = (novelty * np.log(plays / plays.sum())).astype(np.float32)
    return penalty
