"""What a playlist may hold: which tracks, how many of one group, and which stand where.

Rules are in the model's codes. They are read anew at each step from what a playlist
holds so far, so a search that takes a branch back has nothing to undo.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastrec.data import Ragged
from fastrec.errors import InputError
from fastrec.generation.groups import Groups

NO_LIMIT = 1 << 30


@dataclass(frozen=True, eq=False)
class Rules:
    """The rules of ``n`` playlists.

    Attributes
    ----------
    starts : Ragged of int32, n rows
        What each begins with.
    fixed : int32 ndarray, shape (n, length)
        Tracks that stand at a place, -1 where any may.
    groups : Groups
        Of all tracks there are.
    repeats : bool
        Whether a track may come again.
    exclude : int32 ndarray, Ragged or None
        Tracks that are never played; one list for all or one for each.
    allow : int32 ndarray, Ragged or None
        The only tracks that are.
    most_in_row, most_in_all : int
        Tracks of one group, one after the other and in the whole playlist, its start included.
    """

    starts: Ragged
    fixed: np.ndarray
    groups: Groups
    repeats: bool = False
    exclude: Any = None
    allow: Any = None
    most_in_row: int = NO_LIMIT
    most_in_all: int = NO_LIMIT

    def __len__(self) -> int:
        """Return the number of playlists."""
        return len(self.starts)

    @property
    def n_tracks(self) -> int:
        """Tracks there are."""
        return len(self.groups.of_track) - 1

    @property
    def length(self) -> int:
        """Tracks that each playlist gets beyond its start."""
        return self.fixed.shape[1]

    def banned(self, owner: np.ndarray, tracks: np.ndarray) -> Ragged:
        """Return the tracks that are ruled out one by one, for each playlist under way.

        Parameters
        ----------
        owner : int64 ndarray, shape (h,)
            Of whose rules each is.
        tracks : int32 ndarray, shape (h, step)
            What each has played after its start.
        """
        lists = []
        if not self.repeats:
            lists += [self.starts.take(owner), _rows_from(tracks)]
            lists.append(_rows_from(self.fixed[owner, tracks.shape[1] :]))
        if isinstance(self.exclude, Ragged):
            lists.append(self.exclude.take(owner))
        elif self.exclude is not None:
            count = len(self.exclude)
            same = np.tile(self.exclude, len(owner))
            lists.append(Ragged.from_lengths(same, np.full(len(owner), count)))
        return joined(lists, len(owner))

    def closed_groups(self, owner: np.ndarray, tracks: np.ndarray) -> Ragged:
        """Return the groups of which the next track must not be, for each playlist under way.

        Takes what :meth:`banned` does. Tracks that are fixed at later places count: room for
        them is kept, in all and in a row.
        """
        lists = []
        if self.most_in_all < NO_LIMIT:
            lists.append(self._full_groups(owner, tracks))
        if self.most_in_row < NO_LIMIT:
            lists.append(self._running_groups(owner, tracks))
        return joined(lists, len(owner))

    def _full_groups(self, owner: np.ndarray, tracks: np.ndarray) -> Ragged:
        """Return the groups that have as many tracks as they may."""
        later = _rows_from(self.fixed[owner, tracks.shape[1] :])
        heard = joined([self.starts.take(owner), _rows_from(tracks), later], len(owner))
        group = self.groups.of_track[heard.flat]
        keys = heard.row_numbers * len(self.groups) + group
        found, counts = np.unique(keys[group >= 0], return_counts=True)
        found = found[counts >= self.most_in_all]
        lengths = np.bincount(found // len(self.groups), minlength=len(owner))
        return Ragged.from_lengths((found % len(self.groups)).astype(np.int32), lengths)

    def _running_groups(self, owner: np.ndarray, tracks: np.ndarray) -> Ragged:
        """Return the groups whose run, one track longer, would be too long."""
        step, most = tracks.shape[1], self.most_in_row
        before = self.groups.of_track[np.hstack([self._tails()[owner], tracks])]
        last, run = run_at_end(before, most)
        after = self.groups.of_track[self.fixed[owner, step + 1 : step + 1 + most]]
        coming, ahead = run_at_end(after[:, ::-1], most)
        is_same = last == coming
        pairs = np.stack([last, coming], axis=1)
        is_closed: np.ndarray = np.asarray(pairs >= 0)
        is_closed[:, 0] &= run + 1 + np.where(is_same, ahead, 0) > most
        is_closed[:, 1] &= ahead + 1 + np.where(is_same, run, 0) > most
        return Ragged.from_lengths(pairs[is_closed], is_closed.sum(axis=1))

    def _tails(self) -> np.ndarray:
        """Return the last tracks of each start, as many as matter for a run."""
        lengths = self.starts.lengths
        width = min(self.most_in_row, int(lengths.max(initial=0)))
        places = self.starts.offsets[1:, None] - np.arange(width, 0, -1)
        is_there = places >= self.starts.offsets[:-1, None]
        if not self.starts.total:
            return np.full((len(self), width), -1, np.int32)
        tails = self.starts.values[np.where(is_there, places, self.starts.offsets[0])]
        return np.where(is_there, tails, -1).astype(np.int32)

    def check(self, name_of: Any) -> None:
        """Raise where the rules contradict one another; ``name_of(code)`` is for the message.

        Raises
        ------
        InputError
            Nothing is allowed, or a fixed track breaks another rule.
        """
        self._check_allowed()
        for row, place in np.argwhere(self.fixed >= 0).tolist():
            self._check_fixed(row, place, int(self.fixed[row, place]), name_of)
        for row in np.flatnonzero((self.fixed >= 0).any(axis=1)).tolist():
            self._check_fixed_groups(row, name_of)

    def _check_allowed(self) -> None:
        """Raise where the lists alone leave no track to any place that is free."""
        rows = np.flatnonzero((self.fixed < 0).any(axis=1)).tolist()
        if not isinstance(self.allow, Ragged) and not isinstance(self.exclude, Ragged):
            rows = rows[:1]  # the lists of all
        for row in rows:
            allowed, banned = of_row(self.allow, row), of_row(self.exclude, row)
            stays = np.full(self.n_tracks, allowed is None)
            stays[[] if allowed is None else allowed] = True
            stays[[] if banned is None else banned] = False
            if not stays.any():
                raise InputError(
                    f"exclude and allow leave no track at all to playlist {row}; allow more "
                    "tracks that the model knows, or exclude fewer"
                )

    def _check_fixed(self, row: int, place: int, code: int, name_of: Any) -> None:
        """Raise where a fixed track is banned, or comes twice."""
        why = None
        banned, allowed = of_row(self.exclude, row), of_row(self.allow, row)
        if banned is not None and code in banned:
            why = "exclude bans it"
        elif allowed is not None and code not in allowed:
            why = "allow does not hold it"
        elif not self.repeats and code in self.starts[row]:
            why = "the start holds it already; allow_repeats=True lets it come again"
        elif not self.repeats and (self.fixed[row] == code).sum() > 1:
            why = "another place holds it too; allow_repeats=True lets it come again"
        if why is not None:
            raise InputError(
                f"track {name_of(code)!r} is fixed at place {place} of playlist {row}, but {why}"
            )

    def _check_fixed_groups(self, row: int, name_of: Any) -> None:
        """Raise where the start and the fixed tracks alone break the limits of a group."""
        whole = np.concatenate([self.starts[row], self.fixed[row]])
        groups = self.groups.of_track[whole]
        first = len(self.starts[row])
        run = 0
        for place, group in enumerate(groups.tolist()):
            run = run + 1 if place and group >= 0 and group == groups[place - 1] else 1
            if place < first or group < 0:
                continue
            total = int((groups == group).sum())
            for limit, name, found in (
                (self.most_in_row, "max_in_row", run),
                (self.most_in_all, "max_per_group", total),
            ):
                if found > limit:
                    raise InputError(
                        f"track {name_of(int(whole[place]))!r} is fixed at place {place - first} "
                        f"of playlist {row}, which makes {found} tracks of its group, but "
                        f"{name}={limit}; fix other tracks or raise it"
                    )


def of_row(lists: Any, row: int) -> np.ndarray | None:
    """Return the list of one playlist: its own, or the one for all."""
    found: np.ndarray | None = lists[row] if isinstance(lists, Ragged) else lists
    return found


def joined(lists: list[Ragged], rows: int) -> Ragged:
    """Return the rows of several lists one behind the other; empty rows of none."""
    if not lists:
        return Ragged(np.empty(0, np.int32), np.zeros(rows + 1, np.int64))
    whole = lists[0]
    for other in lists[1:]:
        whole = whole.joined(other)
    return whole


def run_at_end(groups: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the group of the last column and how many columns from there on are the same.

    Groups of -1 are none and run not at all; runs are counted up to ``most``.
    """
    if groups.shape[1] == 0:
        return np.full(len(groups), -1, np.int32), np.zeros(len(groups), np.int64)
    last = groups[:, -1]
    same = groups[:, ::-1][:, :most] == last[:, None]
    run = np.cumprod(same, axis=1).sum(axis=1)
    return last, np.where(last >= 0, run, 0)


def _rows_from(matrix: np.ndarray) -> Ragged:
    """Return the rows of a matrix without its -1."""
    is_there = matrix >= 0
    return Ragged.from_lengths(matrix[is_there].astype(np.int32), is_there.sum(axis=1))
