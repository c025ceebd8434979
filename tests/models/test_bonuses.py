"""The bonuses of what a history holds and of what occurs with it, against sorting all items."""

import numpy as np
import pytest

import fastrec as fr
from fastrec.data import Ragged

LOG = [np.random.default_rng(seed).integers(0, 40, 2 + seed % 7).tolist() for seed in range(300)]
HISTORIES = [[3], [5, 5, 5], [1, 2, 3, 4, 1, 2], list(range(30)), [], [7, 8]]
BONUSES = [(0.5, 0.0), (3.0, 0.0), (100.0, 0.0), (0.0, 2.0), (3.0, 2.0), (0.5, 100.0)]
ROUNDING = 2e-6  # of the largest numbers that a score is made of


@pytest.fixture(scope="module")
def model():
    made = fr.PlaylistRNN(units=16, epochs=2, batch_size=32, negatives=16, neighbour_bonus=1.0)
    return made.fit(LOG).set_params(neighbour_bonus=0.0)


@pytest.fixture(scope="module")
def neighbours(model):
    """Return the score of every item for each history, those of ItemKNN, at most 1."""
    knn = fr.ItemKNN().fit(LOG)
    found = knn.rank(queries_of(knn), len(knn.item_ids))
    scores = np.zeros((len(HISTORIES), len(model.item_ids)))
    for row, (items, values) in enumerate(zip(found.items, found.scores, strict=True)):
        ids = knn.item_ids.ids[items[items >= 0]]
        scores[row, model.item_ids.encode(ids)] = values[items >= 0]
    return scores / np.maximum(scores.max(axis=1, keepdims=True), 1e-30)


def queries_of(model, exclude_seen=False):
    queries = fr.Queries.from_columns(HISTORIES, [[0]] * len(HISTORIES), exclude_seen=exclude_seen)
    return queries.translate(model.item_ids)


def ranked(model, bonuses, k, exclude_seen=False, **limits):
    model.repeat_bonus, model.neighbour_bonus = bonuses
    try:
        return model.rank(queries_of(model, exclude_seen), k, **limits)
    finally:
        model.repeat_bonus = model.neighbour_bonus = 0.0


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
            "allow": Ragged.from_lists([[3, 4], [1, 5], [1, 2, 9], [], [4], [7, 7, 30]]),
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


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_threads_change_no_bit(model, threads):
    one, same = (ranked(model, (1.0, 2.0), 9, threads=n) for n in (1, threads))
    np.testing.assert_array_equal(one.items, same.items)
    np.testing.assert_array_equal(one.scores, same.scores)


def test_a_query_has_the_same_answer_alone_and_among_others(model):
    model.repeat_bonus, model.neighbour_bonus = 1.0, 2.0
    histories = [HISTORIES[number % 6] for number in range(1000)]
    many = model.recommend(histories, 5, exclude_seen=False)
    for row in (0, 63, 64, 65, 998):
        alone = model.recommend([histories[row]], 5, exclude_seen=False)
        assert many.items[row].tolist() == alone.items[0].tolist()
        np.testing.assert_array_equal(many.scores[row], alone.scores[0])
    model.repeat_bonus = model.neighbour_bonus = 0.0


def test_answers_without_what_was_seen_do_not_know_of_a_repeat_bonus(model):
    before, after = (ranked(model, (bonus, 0.0), 9, exclude_seen=True) for bonus in (0.0, 5.0))
    np.testing.assert_array_equal(before.items, after.items)
    np.testing.assert_array_equal(before.scores, after.scores)


def test_long_histories_count_by_their_latest_items(model):
    heard = [[*range(40)] * 2500 + [3, 4]]
    model.neighbour_bonus = 2.0
    found = model.recommend(heard, 10, exclude_seen=False)
    assert np.isfinite(found.scores).all()
    model.neighbour_bonus = 0.0


@pytest.mark.parametrize("mmap", [False, True])
def test_bonuses_are_saved_and_evaluated(model, tmp_path, mmap):
    model.repeat_bonus, model.neighbour_bonus = 100.0, 2.0
    model.save(tmp_path / "m.fastrec")
    before = model.recommend(HISTORIES, 9, exclude_seen=False)
    model.repeat_bonus = model.neighbour_bonus = 0.0
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
    ours, theirs = model._pairs._square().toarray(), knn._pairs._square().toarray()
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
    model.fit(LOG)
    assert model.rank(queries_of(model), 3).counts[0] == 3
    model.set_params(neighbour_bonus=0.0).fit(LOG)
    assert model._pairs is None


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
    setattr(model, name, 0.0)
