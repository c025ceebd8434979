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

import numpy as np

from fastrec.data.build import of_rows
from fastrec.data.id_kinds import range_map
from fastrec.data.ids import IdMap
from fastrec.data.interactions import Interactions
from fastrec.data.queries import Queries
from fastrec.data.ragged import Ragged, offsets_of
from fastrec.errors import InputError
from fastrec.runtime import checks, random

GENRES = (
    *("Ambient", "Bluegrass", "Blues", "Bossa Nova", "Chanson", "Cumbia", "Disco", "Dub"),
    *("Fado", "Flamenco", "Folk", "Funk", "Gospel", "Grunge", "Hip-Hop", "House"),
    *("Jazz", "Klezmer", "Mambo", "Metal", "Opera", "Polka", "Punk", "Ragtime"),
    *("Reggae", "Rock", "Salsa", "Samba", "Ska", "Soul", "Swing", "Techno"),
)
MOST_IDS = 2**31 - 2  # that an id map holds
FOLLOW, ARTIST, GENRE = 0.62, 0.24, 0.1  # what is left, 0.04, goes to all tracks
SUCCESSORS = 8
SCENE_TRACKS, FEWEST = 20, 12  # on average, and at least
ZIPF_EXPONENT = 0.7
SHORTEST, MEAN_LENGTH, LONGEST = 5, 12, 40
CHUNK = 2_048  # queries whose ceiling is computed at once


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
    process : Process
        What they were drawn from.
    """

    log: Interactions
    queries: Queries
    names: np.ndarray
    process: Process

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
            _best_sums(self.process, self.queries.slice(start, start + CHUNK).histories, k)
            for start in range(0, len(self.queries), CHUNK)
        ]
        return float(np.concatenate(sums).mean())

    def __repr__(self) -> str:
        return f"SyntheticPlaylists({self.log!r}, {self.queries!r})"


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
    drawn = _draw(process, playlists + queries, random.generator(seed, "synthetic", "playlists"))
    names = _names(process)
    item_ids, _ = IdMap.from_ids(names)
    items = {
        "genre": np.array([name.split(" - ")[0] for name in names], object),
        "artist": np.array([name.rpartition(" - ")[0] for name in names], object),
    }

    def log_of(part: Ragged) -> Interactions:
        session = part.row_numbers.astype(np.int32)
        maps = {"session": range_map(len(part)), "item": item_ids}
        return of_rows({"session": session, "item": part.flat.copy()}, maps, None, items=items)

    train = log_of(drawn.slice(0, playlists))
    test = log_of(drawn.slice(playlists, playlists + queries))
    return SyntheticPlaylists(train, Queries.last_item(test, exclude_seen=True), names, process)


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


def _draw(process: Process, count: int, rng: np.random.Generator) -> Ragged:
    """Draw playlists, all of them one track further at each step."""
    lengths = SHORTEST + rng.poisson(MEAN_LENGTH - SHORTEST, count)
    lengths = np.minimum(lengths, LONGEST).astype(np.int64)
    order = np.argsort(-lengths, kind="stable")  # so that those still growing come first
    grid = np.full((count, int(lengths.max())), -1, np.int32)
    below = np.concatenate(([0.0], np.cumsum(process.popularity)))
    grid[:, 0] = _popular(below, np.zeros(count), np.ones(count), rng)
    for step in range(1, grid.shape[1]):
        todo = np.arange(int(np.searchsorted(-lengths[order], -step)))
        while len(todo):
            drawn = _next(process, below, grid[todo, step - 1], rng)
            is_new = (grid[todo, :step] != drawn[:, None]).all(axis=1)
            grid[todo[is_new], step] = drawn[is_new]
            todo = todo[~is_new]
    given = np.empty_like(grid)
    given[order] = grid
    return Ragged.from_lengths(given[given >= 0], lengths)


def _next(
    process: Process, below: np.ndarray, last: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
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
    drawn = _popular(below, below[low], below[high], rng)
    drawn = np.clip(drawn, low, high - 1)  # rounding at the ends
    follows = kind < FOLLOW
    steps = np.cumsum(process.weights[0])  # the same for every track
    place = np.searchsorted(steps, rng.random(int(follows.sum())) * steps[-1], "right")
    drawn[follows] = process.successors[last[follows], np.minimum(place, SUCCESSORS - 1)]
    return drawn.astype(np.int32)


def _popular(
    below: np.ndarray, low: np.ndarray, high: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw tracks by popularity between two points of the cumulated popularity."""
    at = low + rng.random(len(low)) * (high - low)
    return np.minimum(np.searchsorted(below, at, "right") - 1, len(below) - 2)


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


def _best_sums(process: Process, histories: Ragged, k: int) -> np.ndarray:
    """Return, for each history, the summed probability of the k most likely next tracks.

    A track that neither follows the last one nor shares its artist is more likely the more
    popular it is, among those of the genre and among all others; so the k best new tracks are
    among the successors, the artist's, and the k + history most popular of genre and catalogue.
    """
    last = histories.values[histories.offsets[1:] - 1]
    width = int(histories.lengths.max())
    seen = np.full((len(histories), width), -1, np.int64)
    seen[np.arange(width) < histories.lengths[:, None]] = histories.flat
    candidates = np.concatenate(
        [
            process.successors[last],
            _top_of(process, process.artist_offsets, process.artist_of[last], k + width),
            _top_of(process, process.genre_offsets, process.genre_of[last], k + width),
            _top_of(process, np.array([0, process.tracks]), np.zeros_like(last), k + width),
        ],
        axis=1,
    )
    candidates.sort(axis=1)
    chance = process.probability(last, np.maximum(candidates, 0))
    chance[candidates < 0] = 0
    chance[:, 1:][candidates[:, 1:] == candidates[:, :-1]] = 0
    for place in range(width):
        chance[candidates == seen[:, place : place + 1]] = 0
    taken = (process.probability(last, np.maximum(seen, 0)) * (seen >= 0)).sum(axis=1)
    best = np.sort(chance, axis=1)[:, -k:]
    return best.sum(axis=1) / (1 - taken)


def _top_of(process: Process, offsets: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """Return the most popular tracks of each group asked for, padded with -1; (n, count)."""
    present, place = np.unique(groups, return_inverse=True)
    top = np.full((len(present), count), -1, np.int64)
    for row, group in enumerate(present):
        start, stop = offsets[group], offsets[group + 1]
        best = np.argsort(-process.popularity[start:stop], kind="stable")[:count]
        top[row, : len(best)] = start + best
    return top[place]
