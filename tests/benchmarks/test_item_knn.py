"""The Item-KNN baseline is the cosine of its definition, counted pair by pair."""

import math

import numpy as np
import pytest

import fastrec as fr
from benchmarks import item_knn
from benchmarks.item_knn import ItemKNN

CARTS = [["a", "b", "c"], ["a", "b"], ["b", "c", "d", "b"], ["d"], ["a", "e"]]
ITEMS = "abcde"


@pytest.fixture
def log():
    return fr.Interactions.from_sequences(CARTS)


def similarity_of(one, other, shrinkage=0.0):
    """Count the carts with both and with each, in plain Python."""
    both = sum(one in cart and other in cart for cart in CARTS)
    sizes = [sum(item in cart for cart in CARTS) + shrinkage for item in (one, other)]
    return 0.0 if one == other else both / math.sqrt(sizes[0] * sizes[1])


def best(scores, k):
    """Return the items and scores above 0, best first; equal ones in the order of the ids."""
    ranked = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
    return [(item, score) for item, score in ranked if score > 0][:k]


def answers(model, history, k, exclude_seen=False):
    queries = fr.Queries.from_columns([history], [["a"]], exclude_seen=exclude_seen)
    top = model.rank(queries.translate(model.item_ids), k)
    items = model.item_ids.decode(top.items[0][: top.counts[0]]).tolist()
    return list(zip(items, top.scores[0].tolist(), strict=False))


@pytest.mark.parametrize("shrinkage", [0.0, 3.0])
def test_similarity_is_the_cosine_of_the_columns_of_carts(log, shrinkage):
    model = ItemKNN(shrinkage=shrinkage).fit(log)
    expected = [[similarity_of(i, j, shrinkage) for j in ITEMS] for i in ITEMS]
    order = model.item_ids.encode(list(ITEMS))
    np.testing.assert_allclose(
        model.similarity.toarray()[np.ix_(order, order)], expected, rtol=1e-6
    )


@pytest.mark.parametrize("decay", [0.0, 0.5, 1.0])
def test_a_score_sums_the_similarities_of_the_history_by_age(log, decay):
    history = ["d", "a", "c"]
    scores = {
        item: sum(
            decay**age * similarity_of(seen, item) for age, seen in enumerate(reversed(history))
        )
        for item in ITEMS
    }
    model = ItemKNN(history_decay=decay).fit(log)
    expected = best(scores, 5)
    found = answers(model, history, 5)
    assert [item for item, _ in found] == [item for item, _ in expected]
    assert [score for _, score in found] == pytest.approx([score for _, score in expected])


def test_items_of_the_history_are_left_out_where_the_queries_say_so(log):
    model = ItemKNN().fit(log)
    assert {item for item, _ in answers(model, ["a", "b"], 5, exclude_seen=True)} == {"c", "d", "e"}


def test_items_that_nothing_of_the_history_came_with_are_no_answers(log):
    assert {item for item, _ in answers(ItemKNN().fit(log), ["e"], 5)} == {"a"}


def test_similar_items_are_the_row_of_the_similarity(log):
    model = ItemKNN().fit(log)
    (found,) = model.similar_items(["c"], k=5).to_lists()
    expected = best({item: similarity_of("c", item) for item in ITEMS}, 5)
    assert [item for item, _ in found] == [item for item, _ in expected]


def test_ranking_a_few_rows_at_a_time_changes_nothing(log, monkeypatch):
    queries = fr.Queries.every_prefix(log, exclude_seen=True)
    model = ItemKNN().fit(log)
    at_once = model.rank(queries, 3)
    monkeypatch.setattr(item_knn, "SCORES_AT_ONCE", 2 * len(ITEMS))
    in_parts = model.rank(queries, 3)
    assert np.array_equal(at_once.items, in_parts.items)
