"""Playlists of third order: what is drawn follows the process, and no transition tells it."""

import numpy as np
import pytest

from fastrec.data import Ragged, third_order
from fastrec.data.third_order import CALLED, MOODS, SCENE, third_order_playlists
from fastrec.errors import InputError


@pytest.fixture(scope="module")
def made():
    """A small catalogue, of cells of 25 and 26 tracks."""
    return third_order_playlists(6_000, 610, scenes=6, queries=1_000, seed=3)


def all_chances(made):
    """Return P(next | history) of every track for every query, in the plainest way."""
    process = made.process
    mood, scene = process.cell_of % MOODS, process.cell_of // MOODS
    rows = []
    for history in made.queries.histories:
        first, second, third = history[-3:]
        called = process.calls[mood[first], mood[second], mood[third]]
        chance = (1 - CALLED - SCENE) * process.popularity
        for share, is_in in (
            (SCENE, scene == scene[third]),
            (CALLED, (scene == scene[third]) & (mood == called)),
        ):
            inside = np.where(is_in, process.popularity, 0)
            chance = chance + share * inside / inside.sum()
        assert chance.sum() == pytest.approx(1)
        chance[history] = 0
        rows.append(chance / chance.sum())
    return np.array(rows)


@pytest.mark.parametrize("k", [1, 5, 20, 100, 300, 610, 1_000])
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
    # Four standard deviations of a share of 1,000 draws are less than 0.064.
    assert (rank < 20).mean() == pytest.approx(made.best_recall(20), abs=0.064)


def test_a_playlist_too_short_to_call_a_mood_stays_in_its_scene(made):
    process = made.process
    tracks = np.arange(process.tracks)[None, :]
    for latest in ([-1, -1, 300], [-1, 17, 300]):
        chance = process.probability(np.array([latest]), tracks)[0]
        in_scene = process.cell_of // MOODS == process.cell_of[300] // MOODS
        assert chance.sum() == pytest.approx(1)
        assert chance[in_scene].sum() == pytest.approx(CALLED + SCENE + 0.05 / process.scenes)
        assert np.ptp(chance[in_scene] / process.popularity[in_scene]) < 1e-9


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_the_ceiling_of_short_histories_is_theirs(made, length):
    """No query is shorter than four, but a process can be asked after any track."""
    history = np.array([17, 18, 300, 301][:length], np.int32)
    latest = np.array([[-1] * (3 - len(history[-3:])) + history[-3:].tolist()])
    chance = made.process.probability(latest, np.arange(610)[None, :])[0]
    chance[history] = 0
    expected = np.sort(chance)[-20:].sum() / chance.sum()
    histories = Ragged(history, np.array([0, length]))
    assert made.process.best_sums(histories, 20) == pytest.approx([expected], abs=1e-12)


def test_the_next_track_follows_the_process(made):
    """As many tracks of the log are of the mood called for as the process says."""
    process = made.process
    shares = []
    for row in made.log.sequences():
        latest = np.stack([row[:-3], row[1:-2], row[2:-1]], axis=1)
        called = process.called(latest)
        shares.append(process.cell_of[row[3:]] == called)
    share = np.concatenate(shares).mean()
    expected = CALLED + SCENE / MOODS + (1 - CALLED - SCENE) / (process.scenes * MOODS)
    # Tracks are drawn again when they are in the playlist already, which moves this a little.
    assert share == pytest.approx(expected, abs=0.03)


def test_two_tracks_tell_next_to_nothing_and_three_the_mood(made):
    """Given the moods of the last track or two, all moods are as good as equally likely."""
    mood = made.process.cell_of % MOODS
    counts = np.zeros((MOODS,) * 4)
    for row in made.log.sequences():
        moods = mood[row]
        np.add.at(counts, (moods[:-3], moods[1:-2], moods[2:-1], moods[3:]), 1)
    for unknown in ((0, 1, 2), (0, 1), (0,), ()):  # axes that are summed away
        of_mood = counts.sum(axis=unknown)
        likeliest = (of_mood / of_mood.sum(axis=-1, keepdims=True)).max(axis=-1)
        if unknown:
            assert likeliest.max() < 1 / MOODS + 0.06
        else:
            assert likeliest.min() > CALLED - 0.1


def test_counting_transitions_stays_below_the_ceiling(made):
    follows = np.zeros((610, 610))
    for row in made.log.sequences():
        np.add.at(follows, (row[:-1], row[1:]), 1)
    follows += made.log.item_counts() / (len(made.log) + 1)
    hits = 0
    for history, target in zip(made.queries.histories, made.queries.targets.flat, strict=True):
        scores = follows[history[-1]].copy()
        scores[history] = -1
        hits += target in np.argsort(-scores)[:20]
    assert hits / 1_000 < 0.85 * made.best_recall(20)


def test_playlists_do_not_repeat_a_track(made):
    pairs = np.stack((made.log.session, made.log.item))
    assert np.unique(pairs, axis=1).shape[1] == len(made.log)
    assert made.queries.exclude_seen
    assert len(made.queries) == 1_000
    assert made.log.n_histories == 6_000


def test_moods_of_a_scene_are_equally_popular(made):
    process = made.process
    sums = np.add.reduceat(process.popularity, process.cell_offsets[:-1])
    assert sums == pytest.approx(np.full(24, 1 / 24))
    assert set(np.diff(process.cell_offsets)) == {25, 26}
    # For given moods of the last two, each mood calls for another one.
    assert (np.sort(process.calls, axis=0) == np.arange(MOODS)[:, None, None]).all()
    is_first = process.calls == np.arange(MOODS)[:, None, None]
    assert is_first.sum() == MOODS * (MOODS * MOODS - third_order.TURNED)


def test_names_tell_the_scene_and_no_mood(made):
    assert len(set(made.names)) == 610
    assert {name.split(" - ")[0] for name in made.names} == {f"Scene {n + 1}" for n in range(6)}
    assert made.log.items["scene"][0] == "Scene 1"
    assert sorted(int(name.split()[-1]) for name in made.names[:101]) == list(range(1, 102))
    numbers = np.array([int(name.split()[-1]) for name in made.names[:100]])
    assert abs(np.corrcoef(numbers, made.process.cell_of[:100])[0, 1]) < 0.4


def test_the_same_seed_makes_the_same_playlists():
    made = [third_order_playlists(50, 120, scenes=2, queries=5, seed=seed) for seed in (1, 1, 2)]
    assert made[0].log.item.tolist() == made[1].log.item.tolist()
    assert made[0].log.item.tolist() != made[2].log.item.tolist()
    assert made[0].names.tolist() == made[1].names.tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"playlists": 0}, "playlists must be a whole number"),
        ({"tracks": 100}, "tracks must be at least 60 a scene, 240, got 100"),
        ({"scenes": 2.5}, "scenes must be a whole number"),
        ({"queries": 0}, "queries must be a whole number"),
        ({"seed": -1}, "seed must be a whole number"),
    ],
    ids=str,
)
def test_numbers_that_are_too_small_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        third_order_playlists(**options)


def test_the_smallest_catalogue_has_playlists_of_full_length():
    """A scene has tracks enough for the longest playlist."""
    made = third_order_playlists(300, third_order.FEWEST * MOODS, scenes=1, queries=20)
    assert made.log.sequences().lengths.max() > 20
    assert 0 < made.best_recall(20) < 1
