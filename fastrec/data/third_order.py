"""Playlists in which the last three tracks say what comes next, and the last one alone does not.

A catalogue has scenes, and every track one of a few hidden moods; within a scene
all moods are equally popular, and tracks of a mood fall in popularity as a power of
the rank (Zipf). A playlist begins with any track, by popularity; each further one is
drawn until it is new to the playlist, given the three tracks before it,

    P(next | last three) = called * tracks of the last one's scene, of the mood called for
                         + scene  * tracks of the last one's scene
                         + rest   * all tracks

each by popularity. The mood called for is that of the track three before it, but for
a quarter of the pairs of moods that the two tracks in between may have: after those
it is another one, some steps further round. While there are fewer than three tracks,
the scene takes the share. For given moods of the last two tracks, each mood of the one
before them calls for another mood. So all triples of moods are equally frequent (but
for what playlists do not repeat), and given the moods of the last two tracks, all
moods are equally likely: whoever counts transitions learns the scene, and no more.

Names tell no mood. Still nothing is hidden from who reads enough playlists, as each
track has one mood for good: the conditional is all that there is to know.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fastrec.data.known_process import (
    MOST_IDS,
    SyntheticPlaylists,
    asked_for_the_last,
    draw,
    popular_between,
    popularity_below,
    sums_of_best,
)
from fastrec.data.ragged import Ragged, offsets_of
from fastrec.errors import InputError
from fastrec.runtime import checks, random

MOODS = 4
ORDER = 3  # tracks that say what comes next
CALLED, SCENE = 0.85, 0.1  # what is left, 0.05, goes to all tracks
TURNED = MOODS * MOODS // 4  # pairs of moods after which another one is called for
ZIPF_EXPONENT = 1.0
FEWEST = 15  # tracks of a mood in a scene: a playlist of one scene must be able to go on


@dataclass(frozen=True)
class ThirdOrderProcess:
    """The process that playlists are drawn from; tracks are codes in order of scene and mood.

    Attributes
    ----------
    popularity : ndarray of float64, shape (tracks,)
        Sums to 1, and to the same for each scene and for each mood in it.
    cell_offsets : ndarray of int64, shape (scenes * MOODS + 1,)
        Where the tracks of each mood of each scene begin.
    calls : ndarray of int64, shape (MOODS, MOODS, MOODS)
        The mood called for by three moods; ``calls[:, b, c]`` is a permutation.
    """

    popularity: np.ndarray
    cell_offsets: np.ndarray
    calls: np.ndarray

    @property
    def tracks(self) -> int:
        """The number of tracks."""
        return len(self.popularity)

    @property
    def scenes(self) -> int:
        """The number of scenes."""
        return len(self.cell_offsets) // MOODS

    @cached_property
    def cell_of(self) -> np.ndarray:
        """``scene * MOODS + mood`` of each track, int64."""
        return np.repeat(np.arange(len(self.cell_offsets) - 1), np.diff(self.cell_offsets))

    @cached_property
    def below(self) -> np.ndarray:
        """The popularity of all tracks before each, and of all; float64, shape (tracks + 1,)."""
        return popularity_below(self.popularity)

    def called(self, latest: np.ndarray) -> np.ndarray:
        """Return the cell that is called for: of the last track's scene, of the mood called for.

        Parameters
        ----------
        latest : ndarray of int, shape (n, ORDER)
            The last tracks, oldest first.
        """
        moods = self.cell_of[latest] % MOODS
        scene = self.cell_of[latest[:, -1]] // MOODS
        return scene * MOODS + self.calls[moods[:, 0], moods[:, 1], moods[:, 2]]

    def probability(self, latest: np.ndarray, tracks: np.ndarray) -> np.ndarray:
        """Return P(track | latest) before the playlist's own tracks are taken out.

        Parameters
        ----------
        latest : ndarray of int, shape (n, ORDER)
            Oldest first; -1 where the playlist is shorter.
        tracks : ndarray of int, shape (n, m)

        Returns
        -------
        ndarray of float64, shape (n, m)
        """
        popularity, cell = self.popularity[tracks], self.cell_of[tracks]
        is_whole = (latest >= 0).all(axis=1)
        follow = np.where(is_whole, CALLED, 0)
        called = self.called(latest)
        is_scene = cell // MOODS == called[:, None] // MOODS
        is_called = cell == called[:, None]
        chance = (1 - CALLED - SCENE) * popularity
        # A scene has 1 / scenes of all popularity, and a mood 1 / MOODS of that.
        chance += (CALLED + SCENE - follow)[:, None] * popularity * is_scene * self.scenes
        chance += follow[:, None] * popularity * is_called * self.scenes * MOODS
        return chance

    def first(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw any track for each playlist, by popularity."""
        low = np.zeros(count, np.int64)
        return popular_between(self.below, low, low + self.tracks, rng)

    def following(self, before: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw from P(next | last three), one for each row of tracks, oldest first."""
        kind = rng.random(len(before))
        scene = self.cell_of[before[:, -1]] // MOODS
        low, high = scene * MOODS, (scene + 1) * MOODS  # cells
        if before.shape[1] >= ORDER:
            called = self.called(before[:, -ORDER:])
            low = np.where(kind < CALLED, called, low)
            high = np.where(kind < CALLED, called + 1, high)
        is_any = kind >= CALLED + SCENE
        low = self.cell_offsets[np.where(is_any, 0, low)]
        high = self.cell_offsets[np.where(is_any, -1, high)]
        return popular_between(self.below, low, high, rng).astype(np.int32)

    def best_sums(self, histories: Ragged, k: int) -> np.ndarray:
        """Return, for each history, the summed probability of the k most likely new tracks.

        Tracks of one cell are the more likely the more popular they are, and so are all that are
        not of the last track's scene. So the k best are among the k + history most popular ones of
        each mood of the scene, or as many of all other scenes.
        """
        latest = _latest(histories)
        many = k + int(histories.lengths.max())
        sizes = np.diff(self.cell_offsets)
        width = min(many, int(sizes.max()))
        by_cell = np.lexsort((-self.popularity, self.cell_of))
        places = self.cell_offsets[:-1, None] + np.arange(width)
        tops = by_cell[np.minimum(places, self.tracks - 1)]
        tops[np.arange(width) >= sizes[:, None]] = -1
        flat = tops[tops >= 0]
        # At most MOODS * many of these are of the scene.
        best = flat[np.argsort(-self.popularity[flat], kind="stable")[: (MOODS + 1) * many]]
        scene = self.cell_of[latest[:, -1]] // MOODS
        of_scene = tops.reshape(self.scenes, -1)[scene]
        candidates = np.concatenate(
            [of_scene, np.broadcast_to(best, (len(of_scene), len(best)))], axis=1
        )
        return sums_of_best(lambda of: self.probability(latest, of), candidates, histories, k)

    def sums_of(self, tracks: np.ndarray, histories: Ragged) -> np.ndarray:
        """Return, for each history, the summed probability of the new ones of a row of tracks."""
        latest = _latest(histories)
        return sums_of_best(
            lambda of: self.probability(latest, of), tracks, histories, tracks.shape[1]
        )


def third_order_playlists(
    playlists: int = 200_000,
    tracks: int = 20_000,
    *,
    scenes: int = 4,
    queries: int = 20_000,
    seed: int = 0,
) -> SyntheticPlaylists:
    """Return playlists whose next track depends on the last three, for a model of order.

    The same ones for the same arguments. What a model learns from the last track alone stays far
    below :meth:`SyntheticPlaylists.best_recall`. Cost: about a second for 100,000 playlists.

    Parameters
    ----------
    playlists : int
        How many there are to train on; 12 tracks long on average, 5 to 40.
    tracks : int
        The size of the catalogue, at least 60 a scene.
    scenes : int
        How many scenes there are.
    queries : int
        How many playlists are held out, to be asked for their last track.
    seed : int
        Of all that is drawn.

    Raises
    ------
    InputError
        Numbers too small.

    Examples
    --------
    >>> made = third_order_playlists(2_000, 600, scenes=6, queries=100)
    >>> made.log
    Interactions(23939 rows, 2000 sessions, 600 items, items(scene))
    >>> 0 < made.best_recall(5) < made.best_recall(20) < 1
    True
    """
    checks.whole_number("playlists", playlists, maximum=MOST_IDS)
    checks.whole_number("queries", queries, maximum=MOST_IDS)
    checks.whole_number("scenes", scenes, maximum=MOST_IDS)
    checks.whole_number("seed", seed, 0)
    fewest = FEWEST * MOODS * scenes
    if checks.whole_number("tracks", tracks, maximum=MOST_IDS) < fewest:
        raise InputError(
            f"tracks must be at least {FEWEST * MOODS} a scene, {fewest}, got {tracks}"
        )
    rng = random.generator(seed, "third order", "process")
    process = _process(tracks, scenes, rng)
    drawn = draw(process, playlists + queries, random.generator(seed, "third order", "playlists"))
    scene_of = process.cell_of // MOODS
    places = np.empty(tracks, np.int64)  # of each track in its scene, so that it tells no mood
    places[np.lexsort((rng.random(tracks), scene_of))] = np.arange(tracks)
    places -= process.cell_offsets[scene_of * MOODS]
    scene_names = np.array([f"Scene {scene + 1}" for scene in scene_of.tolist()], object)
    names = np.array(
        [f"{scene} - Track {at + 1}" for scene, at in zip(scene_names, places, strict=True)], object
    )
    return asked_for_the_last(process, drawn, playlists, names, {"scene": scene_names})


def _latest(histories: Ragged) -> np.ndarray:
    """Return the last ORDER tracks of each, oldest first, -1 where there are fewer."""
    latest = np.full((len(histories), ORDER), -1, np.int64)
    for place in range(ORDER):
        rows = np.flatnonzero(histories.lengths > place)
        latest[rows, ORDER - 1 - place] = histories.values[histories.offsets[1:][rows] - 1 - place]
    return latest


def _process(tracks: int, scenes: int, rng: np.random.Generator) -> ThirdOrderProcess:
    """Draw a catalogue, with cells as even as can be, and the table of what calls for what."""
    cells = scenes * MOODS
    offsets = offsets_of(np.diff(np.arange(cells + 1) * tracks // cells))
    popularity = np.empty(tracks)
    for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        shares = np.arange(1, stop - start + 1) ** -ZIPF_EXPONENT
        popularity[start:stop] = rng.permutation(shares / shares.sum()) / cells
    turns = np.zeros(MOODS * MOODS, np.int32)
    turns[rng.permutation(len(turns))[:TURNED]] = rng.integers(1, MOODS, TURNED)
    calls = (np.arange(MOODS)[:, None] + turns) % MOODS
    return ThirdOrderProcess(popularity, offsets, calls.reshape((MOODS,) * ORDER))
