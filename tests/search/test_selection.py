"""The top-k of given scores."""

import numpy as np
import pytest

from fastrec.data.ragged import Ragged
from fastrec.errors import InputError
from fastrec.runtime import isa
from fastrec.search import select
from tests.reference.topk import assert_answers


@pytest.fixture(params=isa.available_levels(), autouse=True)
def level(request, monkeypatch):
    monkeypatch.setattr(isa, "level", lambda: request.param)
    return request.param


def given_scores(n_queries, n_items, seed=0):
    """Few different numbers, so that there are ties."""
    return np.random.default_rng(seed).integers(0, 9, (n_queries, n_items)).astype(np.float32)


@pytest.mark.parametrize("n_items", [1, 3, 17, 100, 129, 5000])
@pytest.mark.parametrize("k", [1, 3, 17, 129])
def test_select_orders_by_score_and_then_by_column(n_items, k):
    scores = given_scores(20, n_items)
    found = select(scores, k, threads=2)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(found.items[:, :n_items][:, :k], expected)
    assert (found.counts == min(k, n_items)).all()


def test_select_does_not_depend_on_threads(monkeypatch):
    monkeypatch.setattr("fastrec.search.selection.SCORES_AT_ONCE", 1000)
    scores = given_scores(300, 100)
    alone = select(scores, 7, threads=1)
    np.testing.assert_array_equal(select(scores, 7, threads=3).items, alone.items)


def test_select_obeys_lists_for_all_and_for_each():
    scores = np.float32(np.random.default_rng(0).standard_normal((6, 90)))
    allow = [np.arange(q, 90, 2) for q in range(6)]
    found = select(scores, 30, exclude=[4, 7, 11], allow=Ragged.from_lists(allow))
    assert_answers(found, np.float64(scores), 30, exclude=[[4, 7, 11]] * 6, allow=allow)
    found = select(scores, 30, exclude=Ragged.from_lists(allow), allow=np.arange(60))
    assert_answers(found, np.float64(scores), 30, exclude=allow, allow=[np.arange(60)] * 6)


def test_select_of_an_empty_allow_list_is_empty():
    assert select(given_scores(2, 5), 3, allow=[]).counts.tolist() == [0, 0]


def test_minus_infinity_is_no_answer():
    found = select(np.array([[-np.inf, 1.0, -np.inf, np.inf]], np.float32), 4)
    assert found.items.tolist() == [[3, 1, -1, -1]]


def test_nan_is_an_error_that_names_its_row():
    scores = given_scores(9, 40)
    scores[6, 39] = np.nan
    with pytest.raises(InputError, match="NaN, got one in row 6"):
        select(scores, 3)


def test_nan_outside_the_allowed_columns_does_not_matter():
    scores = given_scores(2, 40)
    scores[:, 39] = np.nan
    assert select(scores, 3, allow=np.arange(39)).counts.tolist() == [3, 3]


def test_select_takes_views_and_what_float32_holds_exactly():
    wide = given_scores(8, 64)
    expected = select(np.ascontiguousarray(wide[:, :50]), 5).items
    narrow = wide[:, :50]
    others = [narrow.astype(dtype) for dtype in (np.float16, np.int8, np.uint16, ">f4")]
    for scores in (narrow, np.asfortranarray(narrow), *others):
        np.testing.assert_array_equal(select(scores, 5).items, expected)


@pytest.mark.parametrize("dtype", [np.float64, np.int32, np.uint32, np.int64])
def test_select_refuses_scores_that_it_would_have_to_round(dtype):
    with pytest.raises(InputError, match=r"scores must be float32.*astype\(numpy\.float32\)"):
        select(given_scores(2, 5).astype(dtype), 3)


def test_select_refuses_masked_scores():
    scores = np.ma.array(given_scores(2, 3), mask=[[0, 0, 0], [0, 1, 0]])
    with pytest.raises(InputError, match=r"scores must not be missing.*number 4"):
        select(scores, 3)


@pytest.mark.parametrize("shape", [(0, 5), (3, 0)])
def test_select_of_nothing_is_empty(shape):
    assert select(np.empty(shape, np.float32), 2).items.tolist() == [[-1, -1]] * shape[0]


def test_a_k_beyond_the_columns_leaves_places_empty():
    found = select(given_scores(2, 3), 5)
    assert found.items.shape == found.scores.shape == (2, 5)
    assert found.items[:, 3:].tolist() == [[-1, -1]] * 2
    assert np.isnan(found.scores[:, 3:]).all()
    assert found.counts.tolist() == [3, 3]


def test_the_largest_k_is_refused_with_the_one_to_ask_for():
    with pytest.raises(InputError, match=r"k=2147483647 asks for more than there is.*k=3"):
        select(given_scores(2, 3), 2**31 - 1)
