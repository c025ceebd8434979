"""The evaluate loop against plain loops over all scores, and what it says to wrong input."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrec.data import IdMap, Interactions, Queries, Ragged
from fastrec.errors import InputError, UnknownIdError
from fastrec.evaluation import Evaluation, evaluate, loop
from tests.evaluation.fakes import GivenScores
from tests.reference import metrics as reference


def queries_of(targets, n_items, histories=None, exclude_seen=False, item_ids=None):
    """One query a user, in codes that are the ids."""
    return Queries(
        item_ids=item_ids or IdMap.from_ids(np.arange(n_items))[0],
        histories=Ragged.from_lists(histories or [[]] * len(targets)),
        targets=Ragged.from_lists(targets),
        user=np.arange(len(targets), dtype=np.int32),
        user_ids=IdMap.from_ids(np.arange(len(targets)))[0],
        exclude_seen=exclude_seen,
    )


@st.composite
def problems(draw):
    """Scores with many ties, histories, targets with repeats and unknown ids, and a k."""
    n_items = draw(st.integers(1, 12))
    n_queries = draw(st.integers(1, 6))
    levels = draw(st.integers(1, 12))  # few levels: many ties

    def table(number, at_most, at_least=0):
        row = st.lists(number, min_size=at_least, max_size=at_most)
        return draw(st.lists(row, min_size=n_queries, max_size=n_queries))

    return {
        "scores": table(st.integers(0, levels), n_items, n_items),
        "histories": table(st.integers(0, n_items - 1), 4),
        "targets": table(st.integers(-1, n_items - 1), 5),
        "exclude_seen": draw(st.booleans()),
        "k": draw(st.integers(1, 14)),
        "batch_size": draw(st.integers(1, 7)),
        "counts": draw(st.lists(st.integers(0, 50), min_size=n_items, max_size=n_items)),
    }


def expected_values(problem, name, k):
    """Return a query's value or None where it is skipped, for each query."""
    values = []
    for scores, history, targets in zip(
        problem["scores"], problem["histories"], problem["targets"], strict=True
    ):
        excluded = set(history) if problem["exclude_seen"] else set()
        known = {target for target in targets if target >= 0}
        n_targets = len(known) + sum(1 for target in targets if target < 0)
        if n_targets == 0:
            values.append(None)
        elif name == "novelty":
            best = recommended(scores, excluded, k)
            values.append(reference.novelty(best, problem["counts"]))
        else:
            places = reference.hit_places(scores, known, excluded, k)
            values.append(reference.TARGET_METRICS[name](places, n_targets, k))
    return values


def recommended(scores, excluded, k):
    """Return the k best items, equal scores by smaller item."""
    items = [item for item in range(len(scores)) if item not in excluded]
    return sorted(items, key=lambda item: (-scores[item], item))[:k]


def has_an_answer(problem):
    return any(problem["targets"]) and (
        any(problem["histories"]) or any(t >= 0 for row in problem["targets"] for t in row)
    )


@given(problems().filter(has_an_answer))
def test_every_metric_is_that_of_plain_loops(problem):
    k = problem["k"]
    names = [*reference.TARGET_METRICS, "novelty"]
    n_items = len(problem["scores"][0])
    result = evaluate(
        GivenScores(problem["scores"], item_counts=problem["counts"]),
        queries_of(
            problem["targets"], n_items, problem["histories"], exclude_seen=problem["exclude_seen"]
        ),
        [f"{name}@{at}" for name in names for at in (k, k + 3)] + [f"coverage@{k}"],
        batch_size=problem["batch_size"],
    )
    for name in names:
        for at in (k, k + 3):
            expected = expected_values(problem, name, at)
            as_floats = [np.nan if value is None else value for value in expected]
            np.testing.assert_allclose(result.per_query[f"{name}@{at}"], as_floats, rtol=1e-6)
            counted = [value for value in expected if value is not None]
            if len(counted) > 1:
                found = (result[f"{name}@{at}"], *result.interval[f"{name}@{at}"])
                wanted = reference.mean_and_interval(counted)
                np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    lists = [
        recommended(scores, set(history) if problem["exclude_seen"] else set(), k)
        for scores, history, targets in zip(
            problem["scores"], problem["histories"], problem["targets"], strict=True
        )
        if targets
    ]
    assert result[f"coverage@{k}"] == pytest.approx(reference.coverage(lists, n_items))
    assert result.n_queries == sum(1 for targets in problem["targets"] if targets)


@pytest.fixture
def model():
    return GivenScores([[4, 3, 2, 1], [1, 2, 3, 4], [1, 1, 1, 1]], item_counts=[8, 4, 2, 2])


@pytest.fixture
def queries():
    return queries_of([[0], [1], [2]], 4)


def test_means_are_those_of_the_queries(model, queries):
    result = evaluate(model, queries, ["recall@1", "mrr@4"])
    assert result["recall@1"] == pytest.approx(1 / 3)
    assert result["mrr@4"] == pytest.approx((1 + 1 / 3 + 1 / 4) / 3)


def test_values_per_query_are_float32_and_in_order(model, queries):
    values = evaluate(model, queries, ["mrr@4"], batch_size=2).per_query["mrr@4"]
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, [1, 1 / 3, 1 / 4], rtol=1e-6)


def test_one_more_place_than_asked_is_ranked(model, queries):
    evaluate(model, queries, ["recall@2", "mrr@3"])
    assert model.calls == [(3, 4)]


def test_batches_cover_the_queries(model, queries):
    evaluate(model, queries, ["recall@1"], batch_size=2)
    assert model.calls == [(2, 2), (1, 2)]


def test_batches_are_shorter_where_lists_are_long(model, queries, monkeypatch):
    monkeypatch.setattr(loop, "PLACES_AT_ONCE", 8)
    evaluate(model, queries, ["recall@3"])
    assert model.calls == [(2, 4), (1, 4)]


def test_no_more_places_are_ranked_than_there_are_items(model, queries):
    evaluate(model, queries, ["recall@999999999", "ndcg@999999999"])
    assert model.calls == [(3, 5)]


def test_excluded_history_is_obeyed(model):
    asked = {"targets": [[1]], "n_items": 4, "histories": [[0]]}
    seen = evaluate(model, queries_of(**asked, exclude_seen=False), ["recall@1"])
    unseen = evaluate(model, queries_of(**asked, exclude_seen=True), ["recall@1"])
    assert (seen["recall@1"], unseen["recall@1"]) == (0, 1)


def test_queries_without_targets_are_left_out_and_counted(model):
    result = evaluate(model, queries_of([[0], [], [2]], 4), ["recall@1", "coverage@1"])
    assert (result.n_queries, result.n_skipped) == (2, 1)
    assert np.isnan(result.per_query["recall@1"]).tolist() == [False, True, False]
    assert result["recall@1"] == pytest.approx(1 / 2)
    assert result["coverage@1"] == pytest.approx(1 / 4)  # the list of the skipped one shows item 3


def test_queries_in_other_codes_are_translated():
    ids = IdMap.from_ids(["a", "b", "c"])[0]
    model = GivenScores([[3, 2, 1]], item_ids=ids)
    other = IdMap.from_ids(["x", "c", "a"])[0]
    asked = queries_of([[2, 0]], 3, item_ids=other)  # "a", and "x", which the model does not know
    assert evaluate(model, asked, ["recall@1"])["recall@1"] == pytest.approx(1 / 2)


def test_popular_items_bring_little_novelty(model, queries):
    result = evaluate(model, queries, ["novelty@1"])
    np.testing.assert_allclose(result.per_query["novelty@1"], [1, 3, 1])


def test_an_empty_list_has_no_novelty(model):
    asked = queries_of([[1], [1]], 4, [[0, 1, 2, 3], []], exclude_seen=True)
    result = evaluate(model, asked, ["novelty@2"])
    assert np.isnan(result.per_query["novelty@2"][0])
    assert result["novelty@2"] == pytest.approx(3)


def test_coverage_is_no_column(model, queries):
    result = evaluate(model, queries, ["coverage@1", "recall@1"])
    assert set(result.per_query) == set(result.interval) == {"recall@1"}
    assert result["coverage@1"] == pytest.approx(2 / 4)


def test_a_single_query_has_no_interval(model):
    result = evaluate(model, queries_of([[0]], 4), ["recall@1"])
    assert all(math.isnan(end) for end in result.interval["recall@1"])


def test_lists_longer_than_the_catalogue_are_judged(model, queries):
    assert evaluate(model, queries, ["recall@100"])["recall@100"] == 1


def test_slices_of_queries_are_judged_by_their_own_targets(model, queries):
    result = evaluate(model, queries.slice(1, 3), ["mrr@4"])
    np.testing.assert_allclose(result.per_query["mrr@4"], [1 / 3, 1 / 4], rtol=1e-6)


def test_a_result_is_a_mapping(model, queries):
    result = evaluate(model, queries, ["recall@1", "mrr@4"])
    assert list(result) == ["recall@1", "mrr@4"]
    assert len(result) == 2
    assert "recall@1" in result
    assert dict(result)["recall@1"] == result["recall@1"]


def test_a_metric_that_was_not_evaluated_is_named(model, queries):
    result = evaluate(model, queries, ["recall@1"])
    assert result.get("recall@2") is None
    with pytest.raises(KeyError, match="'recall@2' was not evaluated"):
        result["recall@2"]


def test_a_result_turns_into_json(model):
    result = evaluate(model, queries_of([[0], []], 4), ["recall@1", "coverage@1"])
    content = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert content["metrics"] == {"recall@1": 1.0, "coverage@1": 0.25}
    assert content["interval"] == {"recall@1": [None, None]}
    assert (content["n_queries"], content["n_skipped"]) == (1, 1)
    assert content["queries_per_second"] > 0


def test_a_result_prints_as_a_table():
    result = Evaluation(
        {"recall@20": 0.25, "coverage@20": 0.5},
        {"recall@20": np.zeros(3, dtype=np.float32)},
        {"recall@20": (0.2, 0.3)},
        n_queries=3,
        n_skipped=1,
        seconds=2.0,
    )
    assert repr(result).splitlines() == [
        "metric         mean  95 % interval",
        "recall@20    0.2500  0.2000 .. 0.3000",
        "coverage@20  0.5000  -",
        "3 queries (1 without a target left out) in 2.00 s, 2 queries/s",
    ]


def test_queries_of_another_catalogue_are_refused(model):
    asked = queries_of([[0], [1]], 2, item_ids=IdMap.from_ids(np.array([70, 80]))[0])
    with pytest.raises(InputError, match="users given as items"):
        evaluate(model, asked, ["recall@1"])


def test_users_and_items_swapped_are_noticed():
    model = GivenScores(np.ones((20, 30)), item_ids=IdMap.from_ids(np.arange(100, 130))[0])
    items_as_users = np.repeat(np.arange(100, 130), 2)
    swapped = Interactions.from_arrays(user=items_as_users, item=np.arange(60) % 20)
    with pytest.raises(InputError, match="users and items look swapped"):
        evaluate(model, Queries.last_item(swapped), ["recall@1"])


def test_targets_that_nobody_can_name_are_refused(model):
    with pytest.raises(InputError, match="not one of 2 items asked about is among the 4 known"):
        evaluate(model, queries_of([[-1], [-1]], 4), ["recall@1"])


def test_queries_without_any_target_are_refused(model):
    with pytest.raises(InputError, match="none of the 2 queries has a target"):
        evaluate(model, queries_of([[], []], 4), ["recall@1"])


def test_questions_without_targets_are_refused(model):
    asked = Queries.from_columns([[1, 2]], item_ids=model.item_ids)
    with pytest.raises(InputError, match="evaluation needs targets"):
        evaluate(model, asked, ["recall@1"])


def test_a_log_is_no_queries(model):
    log = Interactions.from_sequences([[1, 2], [3]])
    with pytest.raises(InputError, match=r"got Interactions; make them with Queries\.last_item"):
        evaluate(model, log, ["recall@1"])


def test_what_cannot_rank_is_no_model(queries):
    with pytest.raises(InputError, match="model must be a fitted recommender"):
        evaluate(object(), queries, ["recall@1"])


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, True])
def test_a_batch_holds_a_query_or_more(model, queries, batch_size):
    with pytest.raises(InputError, match="batch_size"):
        evaluate(model, queries, ["recall@1"], batch_size=batch_size)


def test_errors_of_the_model_reach_the_caller(model, queries):
    def broken(*_, **__):
        raise UnknownIdError("gone")

    model.rank = broken
    with pytest.raises(UnknownIdError, match="gone"):
        evaluate(model, queries, ["recall@1"])
