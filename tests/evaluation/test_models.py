"""Fitted models, from ids to metrics, against brute force over all their scores."""

import tracemalloc

import numpy as np
import pytest

import fastrec as fr
from tests.contract.recommenders import MODELS, islands
from tests.reference import metrics as reference

HISTORIES = islands()
NAMES = list(reference.TARGET_METRICS)


def float32_scores(model, items):
    """Score the whole catalogue for a history of external ids, by the model's own vectors."""
    if isinstance(model, fr.Popularity):
        return (model.item_counts / model.item_counts.sum()).astype(np.float32)
    known = [model.item_ids.code(item) for item in items if item in model.item_ids]
    if not known:
        return np.full(len(model.item_ids), -np.inf)
    if isinstance(model, fr.PlaylistRNN):
        network = model._network
        states = network.encode(fr.Ragged.from_lists([known]))
        return network.output_vectors().astype(np.float64) @ network.queries(states)[0]
    if isinstance(model, (fr.ItemKNN, fr.SessionKNN)):  # whose scores have references of their own
        answer = model.recommend([items], len(model.item_ids), exclude_seen=False)
        scores = np.empty(len(model.item_ids), np.float32)
        scores[model.item_ids.encode(answer.items[0])] = answer.scores[0]
        return scores
    weights = model.history_decay ** np.arange(len(known))[::-1].astype(np.float64)
    vectors = model.item_vectors.matrix[known].astype(np.float64)
    asked = weights @ vectors / weights.sum()
    return model.context_vectors.matrix.astype(np.float64) @ asked


def expected_value(model, history, targets, name, k, *, exclude_seen):
    scores = float32_scores(model, history)
    codes = {
        item: model.item_ids.code(item) for item in {*history, *targets} if item in model.item_ids
    }
    excluded = {codes[item] for item in history if item in codes} if exclude_seen else set()
    excluded |= set(np.flatnonzero(np.isinf(scores)).tolist())
    wanted = {codes[item] for item in targets if item in codes}
    places = reference.hit_places(scores.tolist(), wanted, excluded, k)
    return reference.TARGET_METRICS[name](places, len(set(targets)), k)


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return MODELS[request.param]().fit(HISTORIES[:180])


@pytest.mark.parametrize("exclude_seen", [False, True])
def test_evaluate_agrees_with_brute_force(model, exclude_seen):
    histories = [row[:-2] for row in HISTORIES[180:]] + [[777, 1], [999], [0, 0, 3]]
    targets = [row[-2:] for row in HISTORIES[180:]] + [[2, 2, 888], [0, 777], [0, 1]]
    queries = fr.Queries.from_columns(histories, targets, exclude_seen=exclude_seen)
    names = [f"{name}@{k}" for name in NAMES for k in (1, 5, 50)]
    result = fr.evaluate(model, queries, names, batch_size=17)
    for name in names:
        metric, k = name.split("@")
        expected = [
            expected_value(model, history, target, metric, int(k), exclude_seen=exclude_seen)
            for history, target in zip(histories, targets, strict=True)
        ]
        np.testing.assert_allclose(result.per_query[name], expected, rtol=1e-6, err_msg=name)
        assert result[name] == pytest.approx(np.mean(expected), rel=1e-6)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_and_batches_do_not_change_the_values(model, threads):
    queries = fr.Queries.every_prefix(fr.Interactions.from_sequences(HISTORIES[180:]))
    names = ("recall@3", "ndcg@5", "novelty@4", "coverage@2")
    expected = fr.evaluate(model, queries, names, threads=1)
    found = fr.evaluate(model, queries, names, threads=threads, batch_size=11)
    assert dict(found) == dict(expected)
    for name, column in expected.per_query.items():
        np.testing.assert_array_equal(found.per_query[name], column)


def test_every_prefix_asks_a_question_an_event(model):
    queries = fr.Queries.every_prefix(fr.Interactions.from_sequences(HISTORIES[180:]))
    assert fr.evaluate(model, queries).n_queries == sum(len(row) - 1 for row in HISTORIES[180:])


def test_a_model_that_was_not_fitted_is_refused():
    queries = fr.Queries.from_columns([[1]], [2])
    with pytest.raises(fr.NotFittedError, match=r"this Popularity has not been fitted; call fit"):
        fr.evaluate(fr.Popularity(), queries)


def test_users_given_as_items_are_refused(model):
    users = np.arange(1000, 1040)
    swapped = fr.Queries.last_item(fr.Interactions.from_arrays(user=np.arange(40) % 20, item=users))
    with pytest.raises(fr.InputError, match="are users given as items"):
        fr.evaluate(model, swapped)


def test_string_ids_asked_of_a_model_of_numbers_are_refused(model):
    queries = fr.Queries.from_columns([["a", "b"]], ["c"])
    with pytest.raises(fr.InputError, match="strings"):
        fr.evaluate(model, queries)


def test_equal_scores_never_flatter_a_model():
    model = fr.Popularity().fit([[item] for item in range(10)])
    queries = fr.Queries.from_columns([[]] * 10, list(range(10)))
    assert fr.evaluate(model, queries, ["hit@9", "hit@10"]) == {"hit@9": 0.0, "hit@10": 1.0}


def test_memory_does_not_grow_with_the_queries():
    model = fr.Popularity().fit(HISTORIES)
    row = HISTORIES[0]

    def peak(count):
        queries = fr.Queries.from_columns([row[:-1] * 10] * count, [row[-1]] * count)
        tracemalloc.start()
        fr.evaluate(model, queries, ["recall@5"], batch_size=64, threads=1)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak(100)  # imports and caches
    few, many = peak(2000), peak(6000)
    assert many - few < 4000 * 50  # the translated histories alone would take 200 bytes a query
