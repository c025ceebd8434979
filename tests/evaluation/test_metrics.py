"""Metric names, and how targets are found in ranked lists."""

import numpy as np
import pytest

from fastrec.errors import InputError
from fastrec.evaluation.metrics import (
    METRIC_NAMES,
    TARGET_METRICS,
    Metric,
    distinct_targets,
    find_hits,
    parse_metrics,
)


def hits_of(items, scores, targets, n_items=100):
    """Find the targets of one list of ``k + 1`` items."""
    codes = np.array(targets, dtype=np.int32)
    n_targets, keys = distinct_targets(codes, codes, np.array([len(codes)]), n_items)
    return find_hits(
        np.array([items], dtype=np.int32),
        np.array([scores], dtype=np.float32),
        n_targets,
        keys,
        n_items,
    )


def value(name, k, items, scores, targets):
    return float(TARGET_METRICS[name](hits_of(items, scores, targets), k)[0])


# Names


def test_names_are_parsed_in_their_order():
    assert parse_metrics(["recall@20", "ndcg@5"]) == [Metric("recall", 20), Metric("ndcg", 5)]


@pytest.mark.parametrize("name", METRIC_NAMES)
def test_every_metric_has_a_name(name):
    assert str(parse_metrics([f"{name}@7"])[0]) == f"{name}@7"


def test_an_unknown_name_brings_the_nearest_one():
    with pytest.raises(InputError, match="did you mean 'recall@20'"):
        parse_metrics(["recal@20"])


def test_an_unknown_name_brings_the_list_of_names():
    with pytest.raises(InputError, match="expected one of recall, precision, hit"):
        parse_metrics(["auc@20"])


@pytest.mark.parametrize("text", ["recall", "recall@", "recall@0", "recall@-1", "recall@2.5"])
def test_a_name_needs_the_length_of_the_list(text):
    with pytest.raises(InputError, match="needs the length of the list"):
        parse_metrics([text])


@pytest.mark.parametrize("text", ["recall@" + "9" * 30, "recall@٣", "recall@ 5", "recall@05"])
def test_odd_lengths_are_refused(text):
    with pytest.raises(InputError, match="needs the length of the list"):
        parse_metrics([text])


def test_a_repeated_name_is_refused():
    with pytest.raises(InputError, match="recall@20 twice"):
        parse_metrics(["recall@20", "ndcg@20", "recall@20"])


def test_a_single_string_is_refused():
    with pytest.raises(InputError, match=r"write \['recall@20'\]"):
        parse_metrics("recall@20")


def test_no_metric_is_refused():
    with pytest.raises(InputError, match="metrics is empty"):
        parse_metrics([])


def test_what_is_no_name_is_refused():
    with pytest.raises(InputError, match="a metric is a name"):
        parse_metrics([20])


# Values worked out by hand: list 7, 3, 5, 1 with places 1 .. 4, one more item behind it.

LIST = [7, 3, 5, 1, 9]
FALLING = [5.0, 4.0, 3.0, 2.0, 1.0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("recall", 2 / 3),
        ("precision", 2 / 4),
        ("hit", 1.0),
        ("mrr", 1 / 2),
        ("ndcg", (1 / np.log2(3) + 1 / np.log2(5)) / (1 + 1 / np.log2(3) + 1 / np.log2(4))),
        ("map", (1 / 2 + 2 / 4) / 3),
    ],
)
def test_three_targets_of_which_two_are_found(name, expected):
    assert value(name, 4, LIST, FALLING, [3, 1, 50]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", TARGET_METRICS)
def test_no_target_found_is_zero(name):
    assert value(name, 4, LIST, FALLING, [50]) == 0


@pytest.mark.parametrize("name", TARGET_METRICS)
def test_a_target_at_place_k_plus_one_is_a_miss(name):
    assert value(name, 4, LIST, FALLING, [9]) == 0


@pytest.mark.parametrize("name", ["recall", "hit", "mrr", "ndcg", "map"])
def test_a_perfect_list_is_one(name):
    assert value(name, 4, LIST, FALLING, [3, 7]) == pytest.approx(1, rel=1e-12)


def test_recall_divides_by_all_targets_even_beyond_k():
    assert value("recall", 2, LIST, FALLING, [7, 3, 5]) == pytest.approx(2 / 3)


def test_ideal_gain_takes_at_most_k_targets():
    assert value("ndcg", 2, LIST, FALLING, [7, 3, 5, 1]) == pytest.approx(1, rel=1e-12)


# Ties


def test_a_target_comes_last_among_equal_scores():
    assert value("mrr", 4, LIST, [5, 4, 4, 4, 1], [3]) == pytest.approx(1 / 4)


def test_several_targets_take_the_last_places_of_their_group():
    hits = hits_of(LIST, [5, 4, 4, 4, 1], [3, 1])
    assert hits.rank.tolist() == [3, 4]


def test_equal_scores_that_reach_past_the_list_are_misses():
    assert value("recall", 4, LIST, [5, 4, 4, 4, 4], [7, 3, 5]) == pytest.approx(1 / 3)


def test_a_group_that_crosses_a_shorter_list_is_a_miss_there():
    scores = [5, 4, 4, 2, 1]
    assert value("recall", 2, LIST, scores, [3, 5]) == 0
    assert value("recall", 3, LIST, scores, [3, 5]) == 1


def test_a_model_that_scores_all_items_alike_finds_nothing():
    assert value("hit", 4, LIST, [1, 1, 1, 1, 1], LIST) == 0


def test_equal_scores_that_end_with_the_catalogue_are_hits():
    items, scores = [2, 0, 1, -1, -1], [1, 1, 1, np.nan, np.nan]
    assert value("recall", 4, items, scores, [0]) == 1
    assert value("mrr", 4, items, scores, [0]) == pytest.approx(1 / 3)


def test_an_empty_list_has_no_hits():
    assert value("recall", 4, [-1] * 5, [np.nan] * 5, [0]) == 0


# Targets


def test_a_repeated_target_counts_once():
    assert value("recall", 4, LIST, FALLING, [3, 3, 3, 50]) == pytest.approx(1 / 2)


def test_a_target_without_a_code_is_a_miss():
    assert value("recall", 4, LIST, FALLING, [3, -1]) == pytest.approx(1 / 2)


def test_targets_belong_to_their_own_query():
    codes = np.array([1, 2], dtype=np.int32)
    n_targets, keys = distinct_targets(codes, codes, np.array([1, 1]), 10)
    items = np.array([[2, 5], [2, 5]], dtype=np.int32)
    scores = np.array([[2, 1], [2, 1]], dtype=np.float32)
    hits = find_hits(items, scores, n_targets, keys, 10)
    assert TARGET_METRICS["recall"](hits, 1).tolist() == [0, 1]


def test_different_targets_that_the_model_does_not_know_count_each():
    asked = np.array([4, 5, 5, -1, -1], dtype=np.int32)
    known = np.array([0, -1, -1, -1, -1], dtype=np.int32)
    n_targets, keys = distinct_targets(asked, known, np.array([5]), 10)
    assert n_targets.tolist() == [4]
    assert keys.tolist() == [0]
