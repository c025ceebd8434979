"""ItemKNN is the cosine of its definition, however it is counted and asked."""

import numpy as np
import pytest

import fastrec as fr
from fastrec.models import neighbours, pair_counts
from tests.contract.recommenders import islands
from tests.reference.neighbours import item_scores, item_similarity

CARTS = [["a", "b", "c"], ["a", "b"], ["b", "c", "d", "b"], ["d"], ["a", "e"]]
ITEMS = "abcde"
NUMBERS = [[ITEMS.index(item) for item in cart] for cart in CARTS]


def ranked(answer, n_items=5):
    """The scores of the one row of an answer, by the item's number."""
    scores = np.full(n_items, np.nan)
    for item, score in answer.to_lists()[0]:
        scores[ITEMS.index(item) if isinstance(item, str) else item] = score
    return scores


def random_log(seed, n_items=30, sessions=80):
    random = np.random.default_rng(seed)
    rows = [random.integers(0, n_items, random.integers(1, 9)).tolist() for _ in range(sessions)]
    return [*rows, list(range(n_items))]  # every item has its number


@pytest.mark.parametrize("shrinkage", [0, 3.5])
@pytest.mark.parametrize("decay", [0.25, 1.0])
@pytest.mark.parametrize("items", [None, 1, 2])
def test_scores_are_those_of_the_reference(shrinkage, decay, items):
    model = fr.ItemKNN(shrinkage=shrinkage, history_items=items, history_decay=decay)
    similarity = item_similarity(NUMBERS, 5, shrinkage)
    found = ranked(model.fit(CARTS).recommend([["d", "a", "c"]], 5, exclude_seen=False))
    np.testing.assert_allclose(
        found, item_scores(similarity, [3, 0, 2], decay, items), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("at_once", [1, 1 << 21])
def test_larger_logs_are_counted_as_in_the_reference(seed, at_once, monkeypatch):
    monkeypatch.setattr(pair_counts, "PAIRS_AT_ONCE", at_once)
    rows = random_log(seed)
    model = fr.ItemKNN(shrinkage=2, history_decay=0.5).fit(rows)
    expected = item_scores(item_similarity(rows, 30, 2), [3, 8, 8, 5], 0.5)
    found = ranked(model.recommend([[3, 8, 8, 5]], 30, exclude_seen=False), 30)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@pytest.fixture
def valued():
    """A log with values, and the same as lists of rows and of values."""
    rows = random_log(7, sessions=40)
    values = [np.random.default_rng(1).choice([0, 0.5, 3], len(row)).tolist() for row in rows]
    log = fr.Interactions.from_arrays(
        user=np.repeat(np.arange(len(rows)), [len(row) for row in rows]),
        item=np.concatenate(rows),
        value=np.concatenate(values),
    )
    return log, rows, values


def test_values_are_what_the_columns_hold(valued):
    log, rows, values = valued
    model = fr.ItemKNN(shrinkage=1, history_decay=0.5).fit(log)
    similarity = item_similarity(rows, 30, 1, values)
    weights = [0.5, 2.0, 0.0]
    found = model.recommend([[4, 9, 11]], 30, weights=[weights], exclude_seen=False)
    expected = item_scores(similarity, [4, 9, 11], 0.5, weights=weights)
    np.testing.assert_allclose(ranked(found, 30), expected, rtol=1e-5, atol=1e-9)


def test_values_beyond_what_sums_can_hold_are_refused():
    log = fr.Interactions.from_arrays(user=[1, 1], item=[2, 3], value=[1.0, 1e30])
    with pytest.raises(fr.InputError, match="at most 1e"):
        fr.ItemKNN().fit(log)


def test_one_fit_is_as_good_as_two():
    rows = random_log(2)
    whole = fr.ItemKNN().fit(rows)
    parts = fr.ItemKNN().fit(rows[:30]).partial_fit(rows[30:])
    histories = [[3, 8], [1], list(range(10))]
    for one, other in zip(
        whole.recommend(histories, 30).to_lists(),
        parts.recommend(histories, 30).to_lists(),
        strict=True,
    ):
        assert dict(one) == pytest.approx(dict(other))


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_a_fit_gives_the_same_bits_for_any_number_of_threads(threads, monkeypatch):
    monkeypatch.setattr(pair_counts, "PAIRS_AT_ONCE", 50)
    one, other = (fr.ItemKNN(threads=count).fit(random_log(5)) for count in (1, threads))
    for name, array in one._parameters().items():
        np.testing.assert_array_equal(array, other._parameters()[name])


def test_ranking_a_few_rows_at_a_time_changes_nothing(monkeypatch):
    model, histories = fr.ItemKNN().fit(islands()), [[i % 24, (i * 5) % 24] for i in range(100)]
    at_once = model.recommend(histories, 24)
    monkeypatch.setattr(neighbours, "SCORES_AT_ONCE", 1)
    one_by_one = model.recommend(histories, 24)
    np.testing.assert_array_equal(at_once.items, one_by_one.items)
    np.testing.assert_array_equal(at_once.scores, one_by_one.scores)


def test_items_that_never_came_along_are_last_and_frequent_ones_first():
    answer = fr.ItemKNN().fit(CARTS).recommend([["e"]], 4)
    assert answer.items.tolist() == [["a", "b", "c", "d"]]
    assert answer.scores[0, 1:].tolist() == [0, 0, 0]


@pytest.mark.parametrize("item", ITEMS)
def test_similar_items_are_the_row_of_the_similarity(item):
    (found,) = fr.ItemKNN(shrinkage=3).fit(CARTS).similar_items([item], k=5).to_lists()
    row = item_similarity(NUMBERS, 5, 3)[ITEMS.index(item)]
    assert dict(found) == pytest.approx({ITEMS[i]: row[i] for i in np.flatnonzero(row)})
    assert [score for _, score in found] == sorted(dict(found).values(), reverse=True)


def test_similar_items_of_an_unknown_item_are_refused():
    with pytest.raises(fr.UnknownIdError, match="zzz"):
        fr.ItemKNN().fit(CARTS).similar_items(["zzz"])


def test_answer_parameters_act_without_a_new_fit():
    model = fr.ItemKNN(shrinkage=0, history_decay=1.0).fit(CARTS)
    model.set_params(shrinkage=20, history_items=1)
    other = fr.ItemKNN(shrinkage=20, history_items=1, history_decay=1.0).fit(CARTS)
    np.testing.assert_array_equal(
        model.recommend([["a", "d"]], 5).scores, other.recommend([["a", "d"]], 5).scores
    )
    with pytest.raises(fr.InputError, match="shrinkage"):
        model.set_params(shrinkage=-1)
    assert model.shrinkage == 20


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"shrinkage": -1}, "shrinkage must be a finite number of at least 0"),
        ({"shrinkage": "20"}, "shrinkage must be a number"),
        ({"history_items": 0}, "history_items must be a whole number"),
        ({"history_decay": 0}, "history_decay must be above 0"),
        ({"history_decay": 2}, "history_decay must be a finite number from 0 to 1"),
        ({"threads": 0}, "threads must be a whole number"),
    ],
    ids=str,
)
def test_a_parameter_out_of_range_is_refused_by_fit(params, message):
    with pytest.raises(fr.InputError, match=message):
        fr.ItemKNN(**params).fit(CARTS)


def test_histories_with_more_pairs_than_are_kept_are_refused(monkeypatch):
    monkeypatch.setattr(pair_counts, "MOST_PAIRS", 8)
    with pytest.raises(fr.InputError, match=r"up to 20 pairs of items \(the longest has 3"):
        fr.ItemKNN().fit(CARTS + [["a", "b", "c"]] * 3)


def test_the_loss_is_the_share_of_events_that_were_alone():
    assert fr.ItemKNN().fit(CARTS).history[-1]["loss"] == pytest.approx(1 / 12)


def test_memory_covers_what_the_model_keeps():
    log = fr.Interactions.from_sequences(random_log(3))
    memory = fr.ItemKNN().memory(log)
    kept = sum(array.nbytes for array in fr.ItemKNN().fit(log)._parameters().values())
    assert kept <= memory["parameters"]
    assert memory["total"] == memory["parameters"] + memory["log"] + memory["work"]


def test_a_log_of_single_events_knows_its_items_and_nothing_else():
    model = fr.ItemKNN().fit([[1], [2], [2]])
    assert model.recommend([[1]], 2).to_lists() == [[(2, 0.0)]]
    assert model.similar_items([2]).counts.tolist() == [0]
