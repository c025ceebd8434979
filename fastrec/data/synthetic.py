"""Playlists drawn from a known process, with the best recall that any model could reach on them.

A catalogue has genres, a genre has scenes, a scene two artists, an artist some
tracks; popularity falls as a power of the rank (Zipf). Every track has a few
successors, which are of its scene. A playlist begins with any track, by
popularity; each further one is drawn until it is new to the playlist, given the
track before it,

    P(next | last) = follow * successors of last        (by their weights)
                   + artist * tracks of the same artist (by popularity)
                   + genre  * tracks of the same genre  (by popularity)
                   + rest   * all tracks                (by popularity)

Nothing is hidden: a track tells its genre and artist, so this conditional, with
the tracks of the playlist taken out and the rest scaled up, is all that there is
to know, and the best ranking sorts by it.
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
    popular,
    popular_between,
    popularity_below,
    sums_of_best,
)
from fastrec.data.ragged import Ragged, offsets_of
from fastrec.errors import InputError
from fastrec.runtime import checks, random

GENRES = (
    *("Ambient", "Bluegrass", "Blues", "Bossa Nova", "Chanson", "Cumbia", "Disco", "Dub"),
    *("Fado", "Flamenco", "Folk", "Funk", "Gospel", "Grunge", "Hip-Hop", "House"),
    *("Jazz", "Klezmer", "Mambo", "Metal", "Opera", "Polka", "Punk", "Ragtime"),
    *("Reggae", "Rock", "Salsa", "Samba", "Ska", "Soul", "Swing", "Techno"),
)
FOLLOW, ARTIST, GENRE = 0.62, 0.24, 0.1  # what is left, 0.04, goes to all tracks
SUCCESSORS = 8
SCENE_TRACKS, FEWEST = 20, 12  # on average, and at least
ZIPF_EXPONENT = 0.7


@dataclass(frozen=True)
class Process:
    """The process that playlists are drawn from; tracks are codes in order of genre and artist.

    Attributes
    ----------
    popularity : ndarray of float64, shape (tracks,)
        Sums to 1.
    genre_of, artist_of : ndarray of int32, shape (tracks,)
        Artists are numbered through all genres.
    genre_offsets, artist_offsets : ndarray of int64
        Where the tracks of each begin.
    successors : ndarray of int32, shape (tracks, SUCCESSORS)
        Different tracks for each, none itself.
    weights : ndarray of float64, shape (tracks, SUCCESSORS)
        Rows sum to 1.
    """

    popularity: np.ndarray
    genre_of: np.ndarray
    artist_of: np.ndarray
    genre_offsets: np.ndarray
    artist_offsets: np.ndarray
    successors: np.ndarray
    weights: np.ndarray

    @property
    def tracks(self) -> int:
        """The number of tracks."""
        return len(self.popularity)

    def probability(self, last: np.ndarray, tracks: np.ndarray) -> np.ndarray:
        """Return P(track | last) before the playlist's own tracks are taken out.

        Parameters
        ----------
        last : ndarray of int, shape (n,)
        tracks : ndarray of int, shape (n, m)

        Returns
        -------
        ndarray of float64, shape (n, m)
        """
        popularity = self.popularity[tracks]
        chance = popularity * (1 - FOLLOW - ARTIST - GENRE)
        for share, group_of, offsets in (
            (GENRE, self.genre_of, self.genre_offsets),
            (ARTIST, self.artist_of, self.artist_offsets),
        ):
            whole = np.add.reduceat(self.popularity, offsets[:-1])[group_of[last]]
            together = group_of[tracks] == group_of[last][:, None]
            chance += share * popularity * together / whole[:, None]
        for place in range(SUCCESSORS):
            follows = self.successors[last, place][:, None] == tracks
            chance += FOLLOW * self.weights[last, place][:, None] * follows
        return chance

    @cached_property
    def below(self) -> np.ndarray:
        """The popularity of all tracks before each, and of all; float64, shape (tracks + 1,)."""
        return popularity_below(self.popularity)

    def first(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw any track for each playlist, by popularity."""
        return popular(self.below, np.zeros(count), np.ones(count), rng)

    def following(self, before: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw from P(next | last), one for each row."""
        return _next(self, before[:, -1], rng)

    def best_sums(self, histories: Ragged, k: int) -> np.ndarray:
        """Return, for each history, the summed probability of the k most likely new tracks.

        A track that neither follows the last one nor shares its artist is more likely the more
        popular it is, among those of the genre and among all others; so the k best new tracks are
        among the successors, the artist's, and the k + history most popular of genre and catalogue.
        """
        last = histories.values[histories.offsets[1:] - 1]
        many = k + int(histories.lengths.max())
        candidates = np.concatenate(
            [
                self.successors[last],
                _top_of(self, self.artist_offsets, self.artist_of[last], many),
                _top_of(self, self.genre_offsets, self.genre_of[last], many),
                _top_of(self, np.array([0, self.tracks]), np.zeros_like(last), many),
            ],
            axis=1,
        )
        return sums_of_best(lambda of: self.probability(last, of), candidates, histories, k)

    def sums_of(self, tracks: np.ndarray, histories: Ragged) -> np.ndarray:
        """Return, for each history, the summed probability of the new ones of a row of tracks."""
        last = histories.values[histories.offsets[1:] - 1]
        return sums_of_best(
            lambda of: self.probability(last, of), tracks, histories, tracks.shape[1]
        )


def synthetic_playlists(
    playlists: int = 50_000,
    tracks: int = 10_000,
    *,
    genres: int = 20,
    queries: int = 5_000,
    seed: int = 0,
) -> SyntheticPlaylists:
    """Return playlists drawn from a known process, the same ones for the same arguments.

    Cost: about a second for 100,000 playlists.

    Parameters
    ----------
    playlists : int
        How many there are to train on; 12 tracks long on average, 5 to 40.
    tracks : int
        The size of the catalogue, at least 50 a genre.
    genres : int
        How many genres there are.
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
    >>> made = synthetic_playlists(2_000, 500, genres=5, queries=100)
    >>> made.log
    Interactions(24065 rows, 2000 sessions, 500 items, items(genre, artist))
    >>> 0 < made.best_recall(5) < made.best_recall(20) < 1
    True
    """
    checks.whole_number("playlists", playlists, maximum=MOST_IDS)
    checks.whole_number("queries", queries, maximum=MOST_IDS)
    checks.whole_number("genres", genres, maximum=MOST_IDS)
    checks.whole_number("seed", seed, 0)
    if checks.whole_number("tracks", tracks, maximum=MOST_IDS) < 50 * genres:
        raise InputError(f"tracks must be at least 50 a genre, {50 * genres}, got {tracks}")
    process = _process(tracks, genres, random.generator(seed, "synthetic", "process"))
    drawn = draw(process, playlists + queries, random.generator(seed, "synthetic", "playlists"))
    names = _names(process)
    items = {
        "genre": np.array([name.split(" - ")[0] for name in names], object),
        "artist": np.array([name.rpartition(" - ")[0] for name in names], object),
    }
    return asked_for_the_last(process, drawn, playlists, names, items)


def _process(tracks: int, genres: int, rng: np.random.Generator) -> Process:
    """Draw a catalogue: sizes of genres and artists, popularity, successors and their weights."""
    genre_sizes = _shares(tracks, genres, rng, 2 * FEWEST)
    scene_sizes = np.concatenate(
        [_shares(int(size), max(1, int(size) // SCENE_TRACKS), rng, FEWEST) for size in genre_sizes]
    )
    first_artists = rng.binomial(scene_sizes - 2, 0.5) + 1
    artist_sizes = np.stack((first_artists, scene_sizes - first_artists), axis=1).ravel()
    genre_offsets, artist_offsets = offsets_of(genre_sizes), offsets_of(artist_sizes)
    popularity = np.arange(1, tracks + 1) ** -ZIPF_EXPONENT
    rng.shuffle(popularity)
    popularity /= popularity.sum()

    # Each track has different scene mates at random as successors, from the heaviest on.
    size = np.repeat(scene_sizes, scene_sizes)
    start = np.repeat(offsets_of(scene_sizes)[:-1], scene_sizes)
    keys = rng.random((tracks, int(scene_sizes.max()) - 1))
    keys[np.arange(keys.shape[1]) >= size[:, None] - 1] = 2
    steps = np.argsort(keys, axis=1)[:, :SUCCESSORS] + 1
    places = np.arange(tracks) - start
    successors = start[:, None] + (places[:, None] + steps) % size[:, None]
    weights = 1 / np.arange(1.0, SUCCESSORS + 1)
    return Process(
        popularity=popularity,
        genre_of=np.repeat(np.arange(genres, dtype=np.int32), genre_sizes),
        artist_of=np.repeat(np.arange(len(artist_sizes), dtype=np.int32), artist_sizes),
        genre_offsets=genre_offsets,
        artist_offsets=artist_offsets,
        successors=successors.astype(np.int32),
        weights=np.broadcast_to(weights / weights.sum(), (tracks, SUCCESSORS)),
    )


def _shares(total: int, parts: int, rng: np.random.Generator, minimum: int) -> np.ndarray:
    """Return ``parts`` whole numbers of at least ``minimum`` that sum to ``total``."""
    draws = rng.multinomial(total - parts * minimum, rng.dirichlet(np.full(parts, 4.0)))
    return draws.astype(np.int64) + minimum


def _next(process: Process, last: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw from P(next | last), one for each."""
    kind = rng.random(len(last))
    artist, genre = process.artist_of[last], process.genre_of[last]
    low, high = np.zeros(len(last), np.int64), np.full(len(last), process.tracks)
    is_artist = kind < FOLLOW + ARTIST
    is_genre = ~is_artist & (kind < FOLLOW + ARTIST + GENRE)
    for chosen, group, offsets in (
        (is_artist, artist, process.artist_offsets),
        (is_genre, genre, process.genre_offsets),
    ):
        low[chosen], high[chosen] = offsets[group[chosen]], offsets[group[chosen] + 1]
    drawn = popular_between(process.below, low, high, rng)
    follows = kind < FOLLOW
    steps = np.cumsum(process.weights[0])  # the same for every track
    place = np.searchsorted(steps, rng.random(int(follows.sum())) * steps[-1], "right")
    drawn[follows] = process.successors[last[follows], np.minimum(place, SUCCESSORS - 1)]
    return drawn.astype(np.int32)


def _names(process: Process) -> np.ndarray:
    """Return the names of the tracks, an array of str objects."""
    count = len(process.genre_offsets) - 1
    genres = [*GENRES, *(f"Genre {number + 1}" for number in range(len(GENRES), count))]
    first_artist = process.artist_of[process.genre_offsets[:-1]]
    names = [
        f"{genres[genre]} - Artist {artist - first_artist[genre] + 1} - "
        f"Track {track - process.artist_offsets[artist] + 1}"
        for track, (genre, artist) in enumerate(
            zip(process.genre_of.tolist(), process.artist_of.tolist(), strict=True)
        )
    ]
    return np.array(names, object)


def _top_of(process: Process, offsets: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """Return the most popular tracks of each group asked for, padded with -1; (n, count)."""
    present, place = np.unique(groups, return_inverse=True)
    top = np.full((len(present), count), -1, np.int64)
    for row, group in enumerate(present):
        start, stop = offsets[group], offsets[group + 1]
        best = np.argsort(-process.popularity[start:stop], kind="stable")[:count]
        top[row, : len(best)] = start + best
    return top[place]
