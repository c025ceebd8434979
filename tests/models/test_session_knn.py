"""SessionKNN is the formula of its papers, and compiled."""

import numpy as np
import pytest

import fastrec as fr
from fastrec.models import neighbours
from fastrec.models.neighbours import DistinctItems
from tests.models.test_item_knn import random_log, ranked
from tests.reference.neighbours import AGE, session_scores

PLAIN = {
    "k": 4,
    "sample_size": 9,
    "weighting": "harmonic",
    "idf_weight": 0.0,
    "distance_decay": 1.0,
    "recency": None,
}
CHANGES = [
    *({"weighting": weighting} for weighting in AGE),
    *({"k": k} for k in (1, 3, 17, 100, 129)),
    *({"sample_size": size} for size in (1, 3, 17, 100, 129)),
    {"idf_weight": 1.0},
    {"idf_weight": 2.5, "distance_decay": 0.5, "recency": 20.0, "k": 17, "sample_size": 40},
    {"distance_decay": 0.01},
    {"recency": 0.5},
]
HISTORIES = [[3], [8, 3, 8], [5, 9, 11, 2, 5, 7], [1, 1, 1], list(range(30))]


@pytest.mark.parametrize("change", CHANGES, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_the_reference(change, seed):
    params, rows = PLAIN | change, random_log(seed)
    model = fr.SessionKNN(**params).fit(rows)
    for history in HISTORIES:
        found = ranked(model.recommend([history], 30, exclude_seen=False), 30)
        expected = session_scores(rows, history, 30, **params)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("change", [{}, {"idf_weight": 1.0, "distance_decay": 0.5}], ids=str)
def test_values_weigh_what_sessions_hold(change):
    params, rows = PLAIN | change, random_log(4, sessions=40)
    values = [np.random.default_rng(1).choice([0, 0.5, 3], len(row)).tolist() for row in rows]
    log = fr.Interactions.from_arrays(
        user=np.repeat(np.arange(len(rows)), [len(row) for row in rows]),
        item=np.concatenate(rows),
        value=np.concatenate(values),
    )
    model = fr.SessionKNN(**params).fit(log)
    weights = [0.5, 0.0, 2.0]
    found = model.recommend([[4, 9, 11]], 30, weights=[weights], exclude_seen=False)
    expected = session_scores(rows, [4, 9, 11], 30, values=values, weights=weights, **params)
    np.testing.assert_allclose(ranked(found, 30), expected, rtol=1e-5, atol=1e-9)


def test_sessions_are_as_recent_as_their_last_event():
    rows = [[1, 2], [1, 3], [1, 4]]
    times = [[50, 60], [10, 20], [30, 40]]
    log = fr.Interactions.from_arrays(
        session=np.repeat([0, 1, 2], 2), item=np.ravel(rows), time=np.ravel(times)
    )
    latest = fr.SessionKNN(k=1, sample_size=1).fit(log)
    assert latest.recommend([[1]], 1).items.tolist() == [[2]]
    without_times = fr.SessionKNN(k=1, sample_size=1).fit(rows)
    assert without_times.recommend([[1]], 1).items.tolist() == [[4]]


def test_sessions_that_come_later_count_as_later():
    model = fr.SessionKNN(k=1, sample_size=1).fit([[1, 2], [1, 3]]).partial_fit([[9, 1]])
    assert model.recommend([[1]], 1).items.tolist() == [[9]]


def test_one_fit_is_as_good_as_two():
    rows = random_log(2)
    whole = fr.SessionKNN().fit(rows)
    parts = fr.SessionKNN().fit(rows[:30]).partial_fit(rows[30:])
    for one, other in zip(
        whole.recommend(HISTORIES, 30).to_lists(),
        parts.recommend(HISTORIES, 30).to_lists(),
        strict=True,
    ):
        assert dict(one) == pytest.approx(dict(other))


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_pieces_and_threads_change_no_bit(threads, monkeypatch):
    model = fr.SessionKNN(k=20, sample_size=50).fit(random_log(6, n_items=50, sessions=500))
    histories = [np.random.default_rng(i).integers(0, 50, i % 7).tolist() for i in range(129)]
    expected = model.recommend(histories, 20, threads=1)
    monkeypatch.setattr(neighbours, "SCORES_AT_ONCE", 3 * 50)
    found = model.recommend(histories, 20, threads=threads)
    np.testing.assert_array_equal(found.items, expected.items)
    np.testing.assert_array_equal(found.scores, expected.scores)


def test_items_that_no_neighbour_has_are_last_and_frequent_ones_first():
    model = fr.SessionKNN().fit([[1, 2], [3, 4], [4], [5, 4, 3]])
    answer = model.recommend([[1]], 4)
    assert answer.items.tolist() == [[2, 4, 3, 5]]
    assert answer.scores[0, 1:].tolist() == [0, 0, 0]


def test_answer_parameters_act_without_a_new_fit():
    rows = random_log(1)
    model = fr.SessionKNN().fit(rows)
    change = {"k": 3, "recency": 10.0, "distance_decay": 0.5, "idf_weight": 0.0}
    before = model.recommend(HISTORIES, 9).scores
    after = model.set_params(**change).recommend(HISTORIES, 9).scores
    np.testing.assert_array_equal(
        after, fr.SessionKNN(**change).fit(rows).recommend(HISTORIES, 9).scores
    )
    assert (before != after).any()
    with pytest.raises(fr.InputError, match="weighting"):
        model.set_params(weighting="div", k=5)
    assert model.k == 3


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"k": 0}, "k must be a whole number"),
        ({"sample_size": 1.5}, "sample_size must be a whole number"),
        ({"weighting": "div"}, "weighting must be one of 'harmonic'"),
        ({"idf_weight": -1}, "idf_weight must be a finite number from 0"),
        ({"distance_decay": 0}, "distance_decay must be above 0"),
        ({"distance_decay": 1.5}, "distance_decay must be a finite number from 0 to 1"),
        ({"recency": 0}, "recency must be above 0"),
        ({"recency": "long"}, "recency must be a number"),
    ],
    ids=str,
)
def test_a_parameter_out_of_range_is_refused_by_fit(params, message):
    with pytest.raises(fr.InputError, match=message):
        fr.SessionKNN(**params).fit([[1, 2]])


def test_similar_items_are_refused():
    with pytest.raises(fr.InputError, match="no item vectors"):
        fr.SessionKNN().fit([[1, 2]]).similar_items([1])


def test_memory_covers_what_the_model_keeps():
    log = fr.Interactions.from_sequences(random_log(3))
    memory = fr.SessionKNN().memory(log)
    kept = sum(array.nbytes for array in fr.SessionKNN().fit(log)._parameters().values())
    assert kept <= memory["parameters"] + 16
    assert memory["total"] == memory["parameters"] + memory["log"] + memory["work"]


@pytest.mark.parametrize("mmap", [False, True])
def test_a_loaded_model_compiles_nothing_anew(mmap, tmp_path):
    from fastrec.kernels import session_knn as kernel

    model = fr.SessionKNN().fit([[1, 2], [2, 3]])
    model.recommend([[1]])
    compiled = len(kernel.score.signatures)
    model.save(tmp_path / "m.fastrec")
    fr.load(tmp_path / "m.fastrec", mmap=mmap).recommend([[1]])
    assert len(kernel.score.signatures) == compiled


def test_distinct_items_keep_the_last_place_and_the_largest_value():
    histories = fr.Ragged.from_lists([[4, 2, 4], [], [2]])
    value = np.array([5, 1, 3, 2], np.float32)
    found = DistinctItems.of(histories, 5, value)
    assert found.offsets.tolist() == [0, 2, 2, 3]
    assert found.items.tolist() == [2, 4, 2]
    assert found.places.tolist() == [1, 2, 0]
    assert found.values.tolist() == [1, 5, 2]
