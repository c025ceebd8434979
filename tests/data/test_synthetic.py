"""Playlists from a known process, and the ceiling that it sets."""

import numpy as np
import pytest

from fastrec.data import known_process, synthetic
from fastrec.data.synthetic import synthetic_playlists
from fastrec.errors import InputError


@pytest.fixture(scope="module")
def made():
    """A small catalogue."""
    return synthetic_playlists(3_000, 600, genres=5, queries=400, seed=3)


def all_chances(made):
    """Return P(next | history) of every track for every query, in the plainest way."""
    process, n = made.process, made.process.tracks
    rows = []
    for history in made.queries.histories:
        last = history[-1]
        chance = (1 - synthetic.FOLLOW - synthetic.ARTIST - synthetic.GENRE) * process.popularity
        for share, group in (
            (synthetic.GENRE, process.genre_of),
            (synthetic.ARTIST, process.artist_of),
        ):
            inside = np.where(group == group[last], process.popularity, 0)
            chance = chance + share * inside / inside.sum()
        follow = np.zeros(n)
        follow[process.successors[last]] = process.weights[last]
        chance = chance + synthetic.FOLLOW * follow
        assert chance.sum() == pytest.approx(1)
        chance[history] = 0
        rows.append(chance / chance.sum())
    return np.array(rows)


@pytest.mark.parametrize("k", [1, 5, 20, 100, 600])
def test_the_ceiling_is_the_expected_recall_of_the_true_ranking(made, k):
    best = np.sort(all_chances(made), axis=1)[:, -k:].sum(axis=1).mean()
    assert made.best_recall(k) == pytest.approx(best, abs=1e-12)


def test_the_recall_to_expect_of_lists_sums_their_chances(made):
    chances = all_chances(made)
    lists = np.random.default_rng(1).permuted(
        np.arange(-5, 40)[None].repeat(len(chances), 0), axis=1
    )
    lists = np.maximum(lists, -1)[:, :20]
    expected = np.mean(
        [chance[row[row >= 0]].sum() for chance, row in zip(chances, lists, strict=True)]
    )
    assert made.expected_recall(lists) == pytest.approx(expected, abs=1e-12)
    best = np.argsort(-chances, axis=1)[:, :20]
    assert made.expected_recall(best) == pytest.approx(made.best_recall(20), abs=1e-12)


def test_the_true_ranking_reaches_the_ceiling(made):
    chances = all_chances(made)
    target = made.queries.targets.values
    rank = (chances > chances[np.arange(len(target)), target][:, None]).sum(axis=1)
    # The recall of 400 draws lies within 0.1 of its expectation but for one run in 16,000.
    assert (rank < 20).mean() == pytest.approx(made.best_recall(20), abs=0.1)


def test_popularity_stays_far_below_the_ceiling(made):
    top = np.argsort(-made.log.item_counts())[:20]
    assert np.isin(made.queries.targets.values, top).mean() < made.best_recall(20) / 3


def test_the_next_track_follows_the_process(made):
    """Of the pairs in the log, as many are successors as the process says."""
    sequences, process = made.log.sequences(), made.process
    pairs = np.ones(len(made.log), bool)
    pairs[made.log.history_offsets[1:] - 1] = False
    last, following = sequences.values[:-1][pairs[:-1]], sequences.values[1:][pairs[:-1]]
    is_successor = (process.successors[last] == following[:, None]).any(axis=1)
    expected = process.probability(last, process.successors[last]).sum(axis=1).mean()
    # Tracks are drawn again when they are in the playlist already, which moves this a little.
    assert is_successor.mean() == pytest.approx(expected, abs=0.04)


def test_playlists_do_not_repeat_a_track(made):
    lengths = made.log.sequences().lengths
    pairs = np.stack((made.log.session, made.log.item))
    assert np.unique(pairs, axis=1).shape[1] == len(made.log)
    assert known_process.SHORTEST <= lengths.min() <= lengths.max() <= known_process.LONGEST
    assert lengths.mean() == pytest.approx(known_process.MEAN_LENGTH, abs=0.3)


def test_queries_ask_about_playlists_that_are_not_in_the_log(made):
    assert len(made.queries) == 400
    assert made.queries.exclude_seen
    assert made.queries.item_ids is made.log.item_ids
    assert made.log.n_histories == 3_000


def test_the_same_seed_makes_the_same_playlists():
    made = [synthetic_playlists(50, 120, genres=2, queries=5, seed=seed) for seed in (1, 1, 2)]
    assert made[0].log.item.tolist() == made[1].log.item.tolist()
    assert made[0].log.item.tolist() != made[2].log.item.tolist()


def test_names_can_be_read(made):
    assert made.names[0].startswith("Ambient - Artist 1 - Track 1")
    assert len(set(made.names)) == 600
    assert made.log.item_ids.ids.tolist() == made.names.tolist()
    assert made.log.items["genre"][0] == "Ambient"
    assert made.log.items["artist"][0] == "Ambient - Artist 1"
    assert repr(made).startswith("SyntheticPlaylists(Interactions(")


def test_successors_are_different_tracks_of_the_same_genre(made):
    process = made.process
    own = np.arange(process.tracks)[:, None]
    assert (process.successors != own).all()
    assert (np.diff(np.sort(process.successors, axis=1), axis=1) > 0).all()
    assert (process.genre_of[process.successors] == process.genre_of[own]).all()


def test_there_can_be_more_genres_than_have_a_name():
    made = synthetic_playlists(10, 2_000, genres=40, queries=1)
    assert {name.split(" - ")[0] for name in made.names} >= {"Techno", "Genre 33", "Genre 40"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"playlists": 0}, "playlists must be a whole number"),
        ({"tracks": 100}, "tracks must be at least 50 a genre, 1000, got 100"),
        ({"genres": 2.5}, "genres must be a whole number"),
        ({"queries": 0}, "queries must be a whole number"),
        ({"seed": -1}, "seed must be a whole number"),
    ],
    ids=str,
)
def test_numbers_that_are_too_small_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        synthetic_playlists(**options)


def test_k_must_be_at_least_one(made):
    with pytest.raises(InputError, match="k must be a whole number of at least 1"):
        made.best_recall(0)
