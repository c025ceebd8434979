"""The bonuses of what a history holds and of what occurs with it, against sorting all items."""

import dataclasses

import numpy as np
import pytest

import fastrec as fr
from fastrec.data import Ragged
from fastrec.models import pair_counts
from fastrec.models.bonuses import LATEST, Bonuses, rank
from fastrec.search import TopKIndex

LOG = [np.random.default_rng(seed).integers(0, 40, 2 + seed % 7).tolist() for seed in range(300)]
HISTORIES = [[3], [5, 5, 5], [1, 2, 3, 4, 1, 2], list(range(30)), [], [7, 8]]
BONUSES = [(0.5, 0.0), (3.0, 0.0), (100.0, 0.0), (0.0, 2.0), (3.0, 2.0), (0.5, 100.0)]
ROUNDING = 2e-6  # of the largest numbers that a score is made of


@pytest.fixture(scope="module")
def fitted():
    made = fr.PlaylistRNN(units=16, epochs=2, batch_size=32, negatives=16, neighbour_bonus=1.0)
    return made.fit(LOG)


@pytest.fixture
def model(fitted):
    """Return the model without bonuses, whatever a test has left."""
    return fitted.set_params(repeat_bonus=0.0, neighbour_bonus=0.0)


@pytest.fixture(scope="module")
def neighbours(fitted):
    """Return the score of every item for each history, those of ItemKNN, at most 1."""
    knn = fr.ItemKNN().fit(LOG)
    found = knn.rank(queries_of(knn), len(knn.item_ids))
    scores = np.zeros((len(HISTORIES), len(fitted.item_ids)))
    for row, (items, values) in enumerate(zip(found.items, found.scores, strict=True)):
        ids = knn.item_ids.ids[items[items >= 0]]
        scores[row, fitted.item_ids.encode(ids)] = values[items >= 0]
    return scores / np.maximum(scores.max(axis=1, keepdims=True), 1e-30)


def queries_of(model, exclude_seen=False):
    queries = fr.Queries.from_columns(HISTORIES, [[0]] * len(HISTORIES), exclude_seen=exclude_seen)
    return queries.translate(model.item_ids)


def ranked(model, bonuses, k, exclude_seen=False, **limits):
    model.repeat_bonus, model.neighbour_bonus = bonuses
    return model.rank(queries_of(model, exclude_seen), k, **limits)


def expected(model, neighbours, bonuses, exclude_seen=False, exclude=(), allow=None):
    """The score of every item for each query, NaN where it is no answer."""
    repeat, neighbour = bonuses
    n = len(model.item_ids)
    plain = ranked(model, (0.0, 0.0), n)
    for row, history in enumerate(queries_of(model).histories):
        scores = np.full(n, np.nan)
        found = plain.items[row] >= 0
        scores[plain.items[row][found]] = plain.scores[row][found]
        scores += neighbour * neighbours[row]
        scores[np.unique(history)] += np.nan if exclude_seen else repeat
        scores[list(exclude[row] if isinstance(exclude, Ragged) else exclude)] = np.nan
        if allow is not None:
            allowed = allow[row] if isinstance(allow, Ragged) else allow
            scores[np.setdiff1d(np.arange(n), allowed)] = np.nan
        yield scores


@pytest.mark.parametrize("k", [1, 3, 17, 40, 60])
@pytest.mark.parametrize("bonuses", BONUSES)
@pytest.mark.parametrize("exclude_seen", [False, True])
@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"exclude": np.array([1, 5, 12], np.int32)},
        {"allow": np.array([0, 1, 2, 3, 7, 20], np.int32)},
        {
            "exclude": Ragged.from_lists([[3], [], [2], [0, 1], [1], []]),
            "allow": Ragged.from_lists([[3, 4], [-1, 5], [1, -1, 9], [], [4], [7, 7, 30]]),
        },
    ],
    ids=["all", "exclude", "allow", "lists"],
)
def test_items_rank_by_score_and_bonus(model, neighbours, limits, exclude_seen, bonuses, k):
    top = ranked(model, bonuses, k, exclude_seen, **limits)
    assert top.items.shape == top.scores.shape == (len(HISTORIES), k)
    tolerance = ROUNDING * (16 + sum(bonuses))
    for row, scores in enumerate(expected(model, neighbours, bonuses, exclude_seen, **limits)):
        count = min(k, int((~np.isnan(scores)).sum()))
        found = top.items[row, :count]
        assert top.counts[row] == count
        assert len(set(found.tolist())) == count
        np.testing.assert_allclose(top.scores[row, :count], scores[found], atol=tolerance)
        best = -np.sort(-scores[~np.isnan(scores)])[:count]
        np.testing.assert_allclose(top.scores[row, :count], best, atol=tolerance)
        assert (np.diff(top.scores[row, :count]) <= 0).all()
        assert (top.items[row, count:] == -1).all()
        assert np.isnan(top.scores[row, count:]).all()


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_change_no_bit(model, threads):
    model.repeat_bonus, model.neighbour_bonus = 1.0, 2.0
    histories = [row[: number % 5] for number, row in enumerate(LOG * 3)]
    one, same = (
        model.recommend(histories, 9, exclude_seen=False, threads=count) for count in (1, threads)
    )
    np.testing.assert_array_equal(one.items, same.items)
    np.testing.assert_array_equal(one.scores, same.scores)


def test_a_query_has_the_same_answer_alone_and_among_others(model):
    model.repeat_bonus, model.neighbour_bonus = 1.0, 2.0
    histories = [HISTORIES[number % 6] for number in range(1000)]
    many = model.recommend(histories, 5, exclude_seen=False)
    whole = fr.Queries.from_columns(histories, [[0]] * 1000, exclude_seen=False)
    part = model.rank(whole.translate(model.item_ids).slice(600, 800), 5)
    np.testing.assert_array_equal(part.scores, many.scores[600:800])
    assert (part.items >= 0).any()
    for row in (0, 63, 64, 65, 998):
        alone = model.recommend([histories[row]], 5, exclude_seen=False)
        assert many.items[row].tolist() == alone.items[0].tolist()
        np.testing.assert_array_equal(many.scores[row], alone.scores[0])


def test_histories_stay_as_they_are_and_may_be_read_only(model):
    flat = np.array([5, 5, 5, 3, 1, 2, 1], np.int32)
    flat.flags.writeable = False
    asked = queries_of(model)
    asked = dataclasses.replace(
        asked.slice(0, 2), histories=Ragged(flat, np.array([0, 3, 7], np.int64))
    )
    model.repeat_bonus, model.neighbour_bonus = 1.0, 2.0
    model.rank(asked, 5)
    assert flat.tolist() == [5, 5, 5, 3, 1, 2, 1]


def test_equal_scores_are_ordered_by_the_smaller_row(model):
    index = TopKIndex(np.ones((40, 4), np.float32))
    bonuses = Bonuses(1.0, 0.0, None)
    found = rank(index, queries_of(model), np.ones((6, 4)), 40, None, None, bonuses, 2)
    for row, history in enumerate(queries_of(model).histories):
        heard = np.unique(history)
        expected = [*heard, *np.setdiff1d(np.arange(40), heard)]
        assert found.items[row].tolist() == expected


def test_counts_of_any_size_give_the_same_bonus(model):
    scaled = dataclasses.replace(model._pairs, counts=model._pairs.counts * np.float32(1e-40))
    few, many = (
        Bonuses(0.0, 2.0, pairs).of(queries_of(model), 40)(0, 6).toarray()
        for pairs in (scaled, model._pairs)
    )
    assert np.isfinite(few).all()
    np.testing.assert_allclose(few, many, atol=0.02)  # tiny numbers have few digits


def test_answers_without_what_was_seen_do_not_know_of_a_repeat_bonus(model):
    before, after = (ranked(model, (bonus, 0.0), 9, True) for bonus in (0.0, 5.0))
    np.testing.assert_array_equal(before.items, after.items)
    np.testing.assert_array_equal(before.scores, after.scores)


def test_long_histories_count_by_their_latest_items(model):
    latest = [number % 40 for number in range(LATEST)]
    long, short = (
        Bonuses(0.0, 2.0, model._pairs).of(asked.translate(model.item_ids), 40)(0, 1).toarray()
        for asked in (
            fr.Queries.from_columns([history], [[0]])
            for history in ([39, 38, 37] * 10_000 + latest, latest)
        )
    )
    np.testing.assert_array_equal(long, short)
    assert long.max() == 2.0


@pytest.mark.parametrize("mmap", [False, True])
def test_bonuses_are_saved_and_evaluated(model, tmp_path, mmap):
    model.repeat_bonus, model.neighbour_bonus = 100.0, 2.0
    model.save(tmp_path / "m.fastrec")
    before = model.recommend(HISTORIES, 9, exclude_seen=False)
    loaded = fr.load(tmp_path / "m.fastrec", mmap=mmap)
    assert (loaded.repeat_bonus, loaded.neighbour_bonus) == (100.0, 2.0)
    after = loaded.recommend(HISTORIES, 9, exclude_seen=False)
    np.testing.assert_array_equal(before.items, after.items)
    np.testing.assert_array_equal(before.scores, after.scores)
    repeated = fr.Queries.from_columns([[3, 9], [8]], [[3], [8]], exclude_seen=False)
    assert fr.evaluate(loaded, repeated, metrics=["recall@2"])["recall@2"] == 1.0


def small(**params):
    return fr.PlaylistRNN(units=16, epochs=1, batch_size=32, negatives=16, **params)


def assert_same_pairs(model, knn):
    """The model counts what ItemKNN counts, whatever the order of their items."""
    assert set(model.item_ids.ids) <= set(knn.item_ids.ids)
    order = knn.item_ids.encode(model.item_ids.ids)
    ours, theirs = model._pairs.matrix().toarray(), knn._pairs.matrix().toarray()
    np.testing.assert_array_equal(ours, theirs[np.ix_(order, order)])
    np.testing.assert_array_equal(model._pairs.mass, knn._pairs.mass[order])


@pytest.mark.parametrize("min_count", [1, 40])
def test_pairs_are_those_of_item_knn_also_where_rare_items_are_left_out(min_count):
    model = small(neighbour_bonus=1.0, min_count=min_count).fit(LOG)
    assert (len(model.item_ids) < 40) == (min_count > 1)
    assert_same_pairs(model, fr.ItemKNN().fit(LOG))


def test_partial_fit_counts_on():
    model, knn = small(neighbour_bonus=1.0).fit(LOG), fr.ItemKNN().fit(LOG)
    for part in ([[1, 99, 2]] * 5, [[99, 98]]):
        model.partial_fit(part)
        knn.partial_fit(part)
        assert_same_pairs(model, knn)


def test_values_weigh_pairs_as_those_of_item_knn():
    columns = {"user": [0, 0, 1, 1, 1], "item": [1, 2, 2, 1, 3], "value": [1.0, 2.0, 0.5, 3.0, 1.0]}
    log = fr.Interactions.from_arrays(**columns)
    assert_same_pairs(small(neighbour_bonus=1.0).fit(log), fr.ItemKNN().fit(log))


def test_a_bonus_of_neighbours_needs_counted_pairs():
    model = small().fit(LOG)
    assert model._pairs is None
    model.neighbour_bonus = 2.0
    with pytest.raises(fr.InputError, match=r"neighbour_bonus is 2\.0, but .* fitted with 0"):
        model.rank(queries_of(model), 3)
    with pytest.raises(fr.InputError, match="fitted with 0"):
        model.partial_fit(LOG)
    model.fit(LOG)
    assert model.rank(queries_of(model), 3).counts[0] == 3
    model.set_params(neighbour_bonus=0.0).fit(LOG)
    assert model._pairs is None


def test_more_pairs_than_are_kept_are_refused(monkeypatch):
    monkeypatch.setattr(pair_counts, "MOST_PAIRS", 8)
    with pytest.raises(fr.InputError, match=r"pairs of items .* neighbour_bonus=0"):
        small(neighbour_bonus=1.0).fit(LOG)
    assert small().fit(LOG)._pairs is None


def test_a_checkpoint_holds_the_pairs(tmp_path):
    path = tmp_path / "run.fastrec"
    whole = small(neighbour_bonus=2.0).fit(LOG, callbacks=[fr.Checkpoint(path)])
    resumed = small(neighbour_bonus=2.0).fit(LOG, callbacks=[fr.Checkpoint(path)], resume=path)
    found = [made.recommend(HISTORIES, 9, exclude_seen=False) for made in (whole, resumed)]
    np.testing.assert_array_equal(found[0].scores, found[1].scores)


def test_memory_counts_the_pairs():
    without, counted = (small(neighbour_bonus=bonus).memory(LOG) for bonus in (0.0, 1.0))
    pairs = small(neighbour_bonus=1.0).fit(LOG)._pairs
    took = sum(array.nbytes for array in pairs.arrays().values())
    assert counted["parameters"] - without["parameters"] >= took
    assert counted["total"] > without["total"]


@pytest.mark.parametrize("bonus", [-1, 1e9, float("nan"), "2", None])
@pytest.mark.parametrize("name", ["repeat_bonus", "neighbour_bonus"])
def test_a_bonus_that_is_none_is_refused(model, name, bonus):
    with pytest.raises(fr.InputError, match=name):
        fr.PlaylistRNN(**{name: bonus}).fit(LOG)
    setattr(model, name, bonus)
    with pytest.raises(fr.InputError, match=name):
        model.rank(queries_of(model), 3)
