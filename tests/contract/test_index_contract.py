"""What every index must do: one suite, run on each kind of index at each instruction-set level."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrec.data.ragged import Ragged
from fastrec.errors import InputError
from fastrec.runtime import isa
from fastrec.search import TopKIndex
from tests.reference.topk import assert_answers, assert_same, log_sum_exp, scores_of

KINDS = {"float32": TopKIndex}
SIZES = (1, 3, 17, 100, 129)


@pytest.fixture(scope="module", params=KINDS.values(), ids=KINDS.keys())
def kind(request):
    """How an index is made."""
    return request.param


@pytest.fixture(scope="module", params=isa.available_levels(), autouse=True)
def level(request):
    """The instruction-set level that searches run at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(isa, "level", lambda: request.param)
        yield request.param


def normal(rows, dim, seed=0):
    return np.random.default_rng((seed, rows, dim)).standard_normal((rows, dim), dtype=np.float32)


def small_whole(rows, dim, seed=0):
    """Numbers whose products are exact, with many equal scores."""
    return np.random.default_rng((seed, rows, dim)).integers(-2, 3, (rows, dim)).astype(np.float32)


def lists(n_lists, n_rows, longest, seed=0):
    random = np.random.default_rng(seed)
    return [random.integers(0, n_rows, random.integers(0, longest)) for _ in range(n_lists)]


@pytest.mark.parametrize("dim", [*SIZES, 16, 1024])
def test_answers_are_right_at_every_dim(kind, dim):
    vectors, queries = normal(500, dim), normal(40, dim, seed=1)
    found = kind(vectors).search(queries, 17)
    assert_answers(found, scores_of(vectors, queries), 17)


@pytest.mark.parametrize("n_rows", [*SIZES, 2000])
def test_answers_are_right_for_every_number_of_rows(kind, n_rows):
    vectors, queries = normal(n_rows, 32), normal(5, 32, seed=1)
    found = kind(vectors).search(queries, 10)
    assert_answers(found, scores_of(vectors, queries), 10)


@pytest.mark.parametrize("n_queries", [*SIZES, 2, 4, 8, 9, 16, 33, 600])
def test_answers_are_right_for_every_number_of_queries(kind, n_queries):
    vectors, queries = normal(700, 24), normal(n_queries, 24, seed=1)
    found = kind(vectors).search(queries, 5)
    assert_answers(found, scores_of(vectors, queries), 5)


@pytest.mark.parametrize("k", [*SIZES, 1500])
def test_answers_are_right_for_every_k(kind, k):
    vectors, queries = normal(1000, 16), normal(18, 16, seed=1)
    found = kind(vectors).search(queries, k)
    assert_answers(found, scores_of(vectors, queries), k)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_threads_do_not_change_a_bit(kind, threads):
    vectors, queries = normal(30_000, 64), normal(70, 64, seed=1)
    alone = kind(vectors, threads=1).search(queries, 100)
    assert_same(kind(vectors, threads=threads).search(queries, 100), alone)


@pytest.mark.parametrize("dim", [7, 64])
def test_the_batch_does_not_change_a_bit(kind, dim):
    vectors, queries = normal(300, dim), normal(50, dim, seed=1)
    index = kind(vectors)
    together = index.search(queries, 300)
    for size in (1, 2, 3, 7, 15, 31):
        part = index.search(queries[:size], 300)
        np.testing.assert_array_equal(part.items, together.items[:size])
        np.testing.assert_array_equal(part.scores, together.scores[:size])


@pytest.mark.parametrize("n_queries", [1, 12, 40])
def test_equal_scores_are_ordered_by_the_smaller_row(kind, n_queries):
    vectors, queries = small_whole(3000, 4), small_whole(n_queries, 4, seed=1)
    found = kind(vectors, threads=2).search(queries, 200)
    scores = scores_of(vectors, queries)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :200]
    np.testing.assert_array_equal(found.items, expected)


def test_all_scores_equal_gives_the_first_rows(kind):
    found = kind(np.zeros((40_000, 8), np.float32), threads=2).search(np.ones((3, 8)), 50)
    np.testing.assert_array_equal(found.items, np.tile(np.arange(50), (3, 1)))


def test_rising_scores_are_searched_right(kind):
    vectors = np.arange(50_000, dtype=np.float32)[:, None]
    found = kind(vectors, threads=2).search([[1.0]], 3)
    assert found.items.tolist() == [[49_999, 49_998, 49_997]]


@pytest.mark.parametrize("n_queries", [1, 6, 11, 40])
def test_bias_is_added(kind, n_queries):
    vectors, queries, bias = normal(900, 20), normal(n_queries, 20, seed=1), normal(900, 1)[:, 0]
    found = kind(vectors, bias=bias).search(queries, 30)
    assert_answers(found, scores_of(vectors, queries, bias=bias), 30)


def test_cosine_is_the_dot_product_of_normalised_rows(kind):
    vectors, queries = normal(400, 30), normal(9, 30, seed=1)
    vectors[5], queries[2] = 0, 0
    found = kind(vectors, metric="cosine").search(queries, 20)
    assert_answers(found, scores_of(vectors, queries, "cosine"), 20)


def test_cosine_of_zeros_is_zero(kind):
    found = kind(np.zeros((3, 4)), metric="cosine").search(np.ones((1, 4)), 2)
    assert found.scores.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("n_excluded", [0, 1, 40, 900])
def test_one_exclude_list_serves_all_queries(kind, n_excluded):
    vectors, queries = normal(1200, 12), normal(20, 12, seed=1)
    exclude = np.random.default_rng(2).permutation(1200)[:n_excluded]
    found = kind(vectors).search(queries, 25, exclude=exclude)
    assert_answers(found, scores_of(vectors, queries), 25, exclude=[exclude] * 20)


@pytest.mark.parametrize("n_queries", [1, 5, 20, 600])
def test_each_query_has_its_own_exclude_list(kind, n_queries):
    vectors, queries = normal(800, 12), normal(n_queries, 12, seed=1)
    exclude = lists(n_queries, 800, 300)
    found = kind(vectors, threads=2).search(queries, 25, exclude=Ragged.from_lists(exclude))
    assert_answers(found, scores_of(vectors, queries), 25, exclude=exclude)


@pytest.mark.parametrize("n_queries", [1, 20])
@pytest.mark.parametrize("n_allowed", [0, 1, 50, 700])
def test_one_allow_list_serves_all_queries(kind, n_queries, n_allowed):
    vectors, queries = normal(1200, 12), normal(n_queries, 12, seed=1)
    allow = np.random.default_rng(2).permutation(1200)[:n_allowed]
    found = kind(vectors).search(queries, 60, allow=allow)
    assert_answers(found, scores_of(vectors, queries), 60, allow=[allow] * n_queries)


@pytest.mark.parametrize("dim", [3, 64, 1024])
def test_each_query_has_its_own_allow_list(kind, dim):
    vectors, queries = normal(400, dim), normal(30, dim, seed=1)
    allow = lists(30, 400, 90)
    found = kind(vectors, threads=2).search(queries, 20, allow=Ragged.from_lists(allow))
    assert_answers(found, scores_of(vectors, queries), 20, allow=allow)


def test_an_allowed_row_has_the_score_of_a_plain_search(kind):
    vectors, queries = normal(400, 50), normal(30, 50, seed=1)
    index = kind(vectors, bias=normal(400, 1)[:, 0])
    everything = Ragged.from_lists([np.arange(400)] * 30)
    assert_same(index.search(queries, 20, allow=everything), index.search(queries, 20))


@pytest.mark.parametrize("exclude_each", [False, True])
@pytest.mark.parametrize("allow_each", [False, True])
def test_exclude_and_allow_work_together(kind, exclude_each, allow_each):
    vectors, queries = normal(500, 12), normal(10, 12, seed=1)
    exclude, allow = lists(10, 500, 200), lists(10, 500, 200, seed=1)
    if not exclude_each:
        exclude = [exclude[0]] * 10
    if not allow_each:
        allow = [allow[1]] * 10
    found = kind(vectors).search(
        queries,
        30,
        exclude=Ragged.from_lists(exclude) if exclude_each else exclude[0],
        allow=Ragged.from_lists(allow) if allow_each else allow[0],
    )
    assert_answers(found, scores_of(vectors, queries), 30, exclude=exclude, allow=allow)


def test_minus_one_and_repetitions_in_lists_are_padding(kind):
    index = kind(np.eye(4, dtype=np.float32))
    found = index.search(
        [[4, 3, 2, 1]],
        4,
        exclude=[0, -1, 0, -1],
        allow=Ragged.from_lists([[3, -1, 0, 1, 1, 3]]),
    )
    assert found.items.tolist() == [[1, 3, -1, -1]]


def test_everything_excluded_leaves_short_rows(kind):
    found = kind(normal(5, 3)).search(normal(2, 3), 4, exclude=np.arange(5))
    assert found.counts.tolist() == [0, 0]
    assert (found.items == -1).all()


def test_more_answers_than_rows_leaves_short_rows(kind):
    vectors, queries = normal(5, 3), normal(2, 3, seed=1)
    assert_answers(kind(vectors).search(queries, 9), scores_of(vectors, queries), 9)


def test_an_index_without_rows_has_no_answers(kind):
    found = kind(np.empty((0, 8), np.float32)).search(normal(3, 8), 2)
    assert found.items.tolist() == [[-1, -1]] * 3
    assert found.counts.tolist() == [0, 0, 0]


def test_no_queries_have_no_answers(kind):
    found = kind(normal(5, 8)).search(np.empty((0, 8)), 2)
    assert found.items.shape == (0, 2)


def test_index_tells_its_size(kind, level):
    index = kind(normal(5, 8))
    assert (len(index), index.dim, index.isa) == (5, 8, level)


@pytest.mark.parametrize("k", [0, -1, 2.0, True, None])
def test_k_must_be_a_whole_number_of_at_least_one(kind, k):
    with pytest.raises(InputError, match="k must be"):
        kind(normal(5, 8)).search(normal(1, 8), k)


def test_a_k_beyond_the_rows_works_as_if_it_were_their_number(kind):
    index, queries = kind(normal(9, 8)), normal(3, 8)
    wide, narrow = index.search(queries, 100_000), index.search(queries, 9)
    assert wide.items.shape == wide.scores.shape == (3, 100_000)
    np.testing.assert_array_equal(wide.items[:, :9], narrow.items)
    assert (wide.items[:, 9:] == -1).all()
    assert wide.counts.tolist() == [9, 9, 9]


def test_the_largest_k_is_refused_before_anything_is_allocated(kind):
    with pytest.raises(InputError, match=r"k=2147483647 .*ask for k=9"):
        kind(normal(9, 8)).search(normal(3, 8), 2**31 - 1)


def test_a_result_that_has_no_room_is_refused(kind, monkeypatch):
    def full(shape, *_, **__):
        raise MemoryError(shape)

    index, queries = kind(normal(9, 8)), normal(3, 8)
    monkeypatch.setattr("fastrec.search.result.np.full", full)
    with pytest.raises(InputError, match="no memory for 3 queries with k=5"):
        index.search(queries, 5)


def test_queries_of_another_width_are_refused(kind):
    with pytest.raises(InputError, match="queries must have 8 columns"):
        kind(normal(5, 8)).search(normal(1, 9), 1)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_a_query_that_is_not_finite_is_refused(kind, broken):
    queries = normal(3, 8)
    queries[1, 7] = broken
    with pytest.raises(InputError, match=r"queries must be finite .* row 1"):
        kind(normal(5, 8)).search(queries, 1)


@pytest.mark.parametrize("n_queries", [1, 3, 7, 17, 100])
@pytest.mark.parametrize("n_rows", [*SIZES, 4500])
def test_exponentials_of_all_scores_are_summed_in_the_same_pass(kind, n_queries, n_rows):
    vectors, queries = normal(n_rows, 24), normal(n_queries, 24, seed=1)
    bias = normal(n_rows, 1)[:, 0]
    index = kind(vectors, bias=bias, threads=2)
    found, plain = index.search(queries, 5, logsumexp=True), index.search(queries, 5)
    assert_same(found, plain)
    assert plain.logsumexp is None
    expected = log_sum_exp(scores_of(vectors, queries, bias=bias))
    np.testing.assert_allclose(found.logsumexp, expected, atol=5e-6)
    np.testing.assert_array_equal(index.logsumexp(queries), found.logsumexp)


def test_the_sum_of_exponentials_is_that_of_cosines(kind):
    vectors, queries = normal(400, 30), normal(9, 30, seed=1)
    found = kind(vectors, metric="cosine").logsumexp(queries)
    np.testing.assert_allclose(found, log_sum_exp(scores_of(vectors, queries, "cosine")), atol=1e-6)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("n_queries", [1, 70, 1100])
def test_threads_do_not_change_a_bit_of_the_sums(kind, threads, n_queries):
    vectors, queries = normal(30_000, 32), normal(n_queries, 32, seed=1)
    alone = kind(vectors, threads=1).search(queries, 10, logsumexp=True).logsumexp
    found = kind(vectors, threads=threads).search(queries, 10, logsumexp=True).logsumexp
    np.testing.assert_array_equal(found, alone)


def test_the_batch_does_not_change_a_bit_of_the_sums(kind):
    vectors, queries = normal(20_000, 16), normal(50, 16, seed=1)
    index = kind(vectors)
    together = index.logsumexp(queries)
    for size in (1, 2, 3, 7, 15, 31):
        np.testing.assert_array_equal(index.logsumexp(queries[:size]), together[:size])


@pytest.mark.parametrize("n_listed", [1, 40, 900])
@pytest.mark.parametrize("is_shared", [True, False])
def test_sums_of_exponentials_run_over_rows_that_are_no_answers(kind, n_listed, is_shared):
    vectors, queries = normal(1200, 12), normal(20, 12, seed=1)
    index = kind(vectors)
    rows = np.random.default_rng(2).permutation(1200)[:n_listed]
    listed = rows if is_shared else Ragged.from_lists([rows] * 20)
    expected, scores = index.logsumexp(queries), scores_of(vectors, queries)
    without = index.search(queries, 25, exclude=listed, logsumexp=True)
    assert_answers(without, scores, 25, exclude=[rows] * 20)
    np.testing.assert_array_equal(without.logsumexp, expected)
    within = index.search(queries, 25, allow=listed, logsumexp=True)
    assert_answers(within, scores, 25, allow=[rows] * 20)
    np.testing.assert_array_equal(within.logsumexp, expected)


def test_the_sum_of_no_exponentials_is_zero(kind):
    index = kind(np.empty((0, 8), np.float32))
    assert index.search(normal(3, 8), 2, logsumexp=True).logsumexp.tolist() == [-np.inf] * 3
    assert index.logsumexp(normal(3, 8)).tolist() == [-np.inf] * 3
    assert kind(normal(5, 8)).logsumexp(np.empty((0, 8))).shape == (0,)


def test_logsumexp_must_be_a_boolean(kind):
    with pytest.raises(InputError, match="logsumexp must be True or False"):
        kind(normal(5, 8)).search(normal(1, 8), 1, logsumexp=1)


@given(
    shape=st.tuples(st.integers(0, 60), st.integers(1, 40), st.integers(0, 40)),
    k=st.integers(1, 70),
    seed=st.integers(0, 1000),
    share=st.floats(0, 1),
)
def test_any_shape_gives_exact_answers(kind, shape, k, seed, share):
    n_rows, dim, n_queries = shape
    random = np.random.default_rng(seed)
    vectors, queries = small_whole(n_rows, dim, seed), small_whole(n_queries, dim, seed + 1)
    exclude = [np.flatnonzero(random.random(n_rows) < share) for _ in range(n_queries)]
    found = kind(vectors, threads=2).search(queries, k, exclude=Ragged.from_lists(exclude))
    assert_answers(found, scores_of(vectors, queries), k, exclude=exclude, tolerance=0)
