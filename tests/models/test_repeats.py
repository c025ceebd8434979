"""The bonus of items that a history holds, against a ranking of all items."""

import numpy as np
import pytest

import fastrec as fr
from fastrec.data import Ragged

LOG = [np.random.default_rng(seed).integers(0, 40, 2 + seed % 7).tolist() for seed in range(300)]
HISTORIES = [[3], [5, 5, 5], [1, 2, 3, 4, 1, 2], list(range(30)), [], [7, 8]]


@pytest.fixture(scope="module")
def model():
    return fr.PlaylistRNN(units=16, epochs=2, batch_size=32, negatives=16).fit(LOG)


def queries_of(model, exclude_seen=False):
    queries = fr.Queries.from_columns(HISTORIES, [[0]] * len(HISTORIES), exclude_seen=exclude_seen)
    return queries.translate(model.item_ids)


def ranked(model, bonus, k, **limits):
    model.repeat_bonus = bonus
    try:
        return model.rank(queries_of(model), k, **limits)
    finally:
        model.repeat_bonus = 0.0


def expected(model, bonus, k, exclude=(), allow=None):
    """Items and scores of each query, by sorting all of them."""
    n = len(model.item_ids)
    plain = ranked(model, 0.0, n)
    for row, history in enumerate(queries_of(model).histories):
        scores = np.full(n, np.nan, np.float32)
        found = plain.items[row] >= 0
        scores[plain.items[row][found]] = plain.scores[row][found]
        scores[np.unique(history)] += np.float32(bonus)
        scores[list(exclude[row] if isinstance(exclude, Ragged) else exclude)] = np.nan
        if allow is not None:
            allowed = allow[row] if isinstance(allow, Ragged) else allow
            scores[np.setdiff1d(np.arange(n), allowed)] = np.nan
        best = np.argsort(-scores, kind="stable")[:k]
        yield best[~np.isnan(scores[best])], scores


@pytest.mark.parametrize("k", [1, 3, 17, 40, 60])
@pytest.mark.parametrize("bonus", [0.5, 3.0, 100.0])
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
def test_what_was_heard_ranks_by_its_score_and_the_bonus(model, limits, bonus, k):
    top = ranked(model, bonus, k, **limits)
    assert top.items.shape == top.scores.shape == (len(HISTORIES), k)
    for row, (items, scores) in enumerate(expected(model, bonus, k, **limits)):
        count = len(items)
        assert top.counts[row] == count
        assert top.items[row, :count].tolist() == items.tolist()
        np.testing.assert_array_equal(top.scores[row, :count], scores[items])
        assert (top.items[row, count:] == -1).all()
        assert np.isnan(top.scores[row, count:]).all()


def test_answers_without_what_was_seen_do_not_know_of_a_bonus(model):
    asked = queries_of(model, exclude_seen=True)
    before, recommended = model.rank(asked, 9), model.recommend(HISTORIES, 9)
    model.repeat_bonus = 5.0
    after, again = model.rank(asked, 9), model.recommend(HISTORIES, 9)
    model.repeat_bonus = 0.0
    assert recommended.items.tolist() == again.items.tolist()
    np.testing.assert_array_equal(before.items, after.items)
    np.testing.assert_array_equal(before.scores, after.scores)


def test_a_bonus_is_saved_and_evaluated(model, tmp_path):
    model.repeat_bonus = 100.0
    model.save(tmp_path / "m.fastrec")
    model.repeat_bonus = 0.0
    loaded = fr.load(tmp_path / "m.fastrec")
    assert loaded.repeat_bonus == 100.0
    repeated = fr.Queries.from_columns([[3, 9], [8]], [[3], [8]], exclude_seen=False)
    assert fr.evaluate(loaded, repeated, metrics=["recall@2"])["recall@2"] == 1.0


@pytest.mark.parametrize("bonus", [-1, 1e9, float("nan"), "2", None])
def test_a_bonus_that_is_none_is_refused(model, bonus):
    with pytest.raises(fr.InputError, match="repeat_bonus"):
        fr.PlaylistRNN(repeat_bonus=bonus).fit(LOG)
    model.repeat_bonus = bonus
    with pytest.raises(fr.InputError, match="repeat_bonus"):
        model.rank(queries_of(model), 3)
    model.repeat_bonus = 0.0
