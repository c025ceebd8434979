"""The compiled top-k kernel at every instruction-set level, without the index around it."""

import numpy as np
import pytest

from fastrec.runtime import isa
from fastrec.search.result import TopK
from tests.reference.topk import assert_answers, assert_same, log_sum_exp, scores_of

SIZES = (1, 3, 17, 100, 129)
NO_LISTS = (None, None, None)


@pytest.fixture(params=isa.available_levels())
def kernel(request):
    return isa.load("topk", at=request.param)


def normal(rows, dim, seed=0):
    return np.random.default_rng((seed, rows, dim)).standard_normal((rows, dim), dtype=np.float32)


class Shortlists:
    """The arrays that a scan writes."""

    def __init__(self, kernel, n_queries, capacity):
        self.limits = np.full(-(-n_queries // 32) * 32, np.inf, np.float32)
        self.limits[:n_queries] = -np.inf
        self.keys = np.zeros((n_queries, capacity), np.uint64)
        self.counts = np.zeros(n_queries, np.int64)


def scan(
    kernel,
    items,
    queries,
    k,
    ranges,
    *,
    bias=None,
    rows=None,
    exclude=NO_LISTS,
    lists=None,
    sums=None,
):
    """Scan some ranges of rows and return the shortlists."""
    panels = np.empty(kernel.packed_size(*queries.shape), np.float32)
    kernel.pack(queries, panels)
    scratch = np.empty(kernel.scratch_size(items.shape[1]), np.float32)
    lists = lists or Shortlists(kernel, len(queries), min(len(items), 2 * k + 3))
    for start, stop in ranges:
        kernel.scan(
            items,
            bias,
            rows,
            *exclude,
            panels,
            lists.limits,
            lists.keys,
            lists.counts,
            k,
            scratch,
            *(sums or (None, None, None)),
            start,
            stop,
        )
    return lists


def finish(kernel, lists, k):
    found = TopK.empty(len(lists.counts), k, k)
    kernel.finish(lists.keys, lists.counts, k, found.items, found.scores, found.counts)
    return found


@pytest.mark.parametrize("dim", SIZES)
@pytest.mark.parametrize("n_queries", SIZES)
def test_scan_finds_the_best_at_odd_sizes(kernel, dim, n_queries):
    for n_rows in SIZES:
        items, queries = normal(n_rows, dim), normal(n_queries, dim, seed=1)
        for k in sorted({1, min(17, n_rows), n_rows}):
            found = finish(kernel, scan(kernel, items, queries, k, [(0, n_rows)]), k)
            assert_answers(found, scores_of(items, queries), k)


@pytest.mark.parametrize("n_queries", [1, 3, 7, 13, 50])
def test_cutting_the_rows_does_not_change_a_bit(kernel, n_queries):
    items, queries = normal(1000, 33), normal(n_queries, 33, seed=1)
    whole = finish(kernel, scan(kernel, items, queries, 40, [(0, 1000)]), 40)
    ranges = [(0, 1), (1, 30), (30, 30), (30, 477), (477, 999), (999, 1000)]
    assert_same(finish(kernel, scan(kernel, items, queries, 40, ranges), 40), whole)


@pytest.mark.parametrize("n_queries", [1, 13, 50])
def test_merged_parts_are_the_whole(kernel, n_queries):
    items, queries = normal(1000, 9), normal(n_queries, 9, seed=1)
    whole = finish(kernel, scan(kernel, items, queries, 30, [(0, 1000)]), 30)
    first = scan(kernel, items, queries, 30, [(0, 200), (700, 1000)])
    second = scan(kernel, items, queries, 30, [(200, 700)])
    kernel.merge(first.keys, first.counts, second.keys, second.counts, 30)
    assert_same(finish(kernel, first, 30), whole)


@pytest.mark.parametrize("stride", [20, 36, 64, 1024, 2048])
@pytest.mark.parametrize("n_queries", [2, 11, 40])
def test_rows_may_lie_at_any_stride(kernel, stride, n_queries):
    wide = normal(600, stride)
    items, queries = wide[:, :20], normal(n_queries, 20, seed=1)
    there = finish(kernel, scan(kernel, items, queries, 15, [(0, 600)]), 15)
    copied = np.ascontiguousarray(items)
    assert_same(there, finish(kernel, scan(kernel, copied, queries, 15, [(0, 600)]), 15))


@pytest.mark.parametrize("n_queries", [1, 11, 40])
def test_nothing_outside_the_rows_is_used(kernel, n_queries):
    poisoned = np.full((130, 48), np.nan, np.float32)
    poisoned[:100, :33] = normal(100, 33)
    items, queries = poisoned[:100, :33], normal(n_queries, 33, seed=1)
    found = finish(kernel, scan(kernel, items, queries, 100, [(0, 100)]), 100)
    assert_answers(found, scores_of(items, queries), 100)


@pytest.mark.parametrize("n_queries", [1, 11, 40])
def test_chosen_rows_keep_their_numbers_and_bias(kernel, n_queries):
    items, queries, bias = normal(900, 18), normal(n_queries, 18, seed=1), normal(900, 1)[:, 0]
    chosen = np.arange(4, 900, 7, dtype=np.int32)
    lists = scan(kernel, items, queries, 12, [(0, 50), (50, len(chosen))], bias=bias, rows=chosen)
    scores = scores_of(items, queries, bias=bias)
    assert_answers(finish(kernel, lists, 12), scores, 12, allow=[chosen] * n_queries)


def test_minus_zero_ties_with_zero(kernel):
    items = np.zeros((3, 1), np.float32)
    bias = np.array([-0.0, 0.0, -0.0], np.float32)
    lists = scan(kernel, items, np.ones((1, 1), np.float32), 3, [(0, 3)], bias=bias)
    assert finish(kernel, lists, 3).items.tolist() == [[0, 1, 2]]


def test_sort_lists_sorts_without_repetitions_and_padding(kernel):
    random = np.random.default_rng(0)
    lists = [random.integers(-1, 50, n).astype(np.int32) for n in (0, 1, 2, 31, 33, 500)]
    lists += [np.arange(40, dtype=np.int32), np.full(3, -1, np.int32)]
    flat = np.concatenate(lists)
    offsets = np.cumsum([0, *map(len, lists)])
    ends = np.empty(len(lists), np.int64)
    kernel.sort_lists(flat, offsets, ends, 0, len(lists))
    for number, rows in enumerate(lists):
        expected = np.unique(rows[rows >= 0])
        np.testing.assert_array_equal(flat[offsets[number] : ends[number]], expected)


@pytest.mark.parametrize("broken", [np.nan, -np.nan, np.inf, -np.inf])
def test_largest_bits_tell_what_is_not_finite(kernel, broken):
    matrix = normal(37, 21)
    assert kernel.largest_bits(matrix, 0, 37) == np.abs(matrix).max().view(np.uint32)
    matrix[30, 20] = broken
    assert kernel.largest_bits(matrix, 0, 37) >= 0x7F800000
    assert kernel.largest_bits(matrix, 0, 30) < 0x7F800000


def test_normalise_gives_rows_of_length_one(kernel):
    matrix = normal(20, 11) * np.float32(1e-25)
    matrix[3] = 0
    unit = np.empty((20, 16), np.float32)[:, :11]
    kernel.normalise(matrix, unit, 0, 20)
    lengths = np.linalg.norm(np.float64(unit), axis=1)
    np.testing.assert_allclose(lengths, np.arange(20) != 3, atol=1e-6)


@pytest.mark.parametrize("ahead", [(0, 0), (1024, 0), (1024, 4096)])
def test_read_sees_every_number(kernel, ahead):
    values = np.zeros(1003, np.float32)
    for place in (0, 511, 1000, 1002):
        values[place] = place + 1
        assert kernel.read(values, 0, len(values), *ahead) == place + 1


def summed(kernel, items, queries, ranges, *, bias=None):
    """Return the log of the sum of exponentials of each query's scores."""
    shape = -(-len(items) // kernel.SUM_ROWS), -(-len(queries) // 32) * 32
    sums, peaks = np.full(shape, np.nan), np.full(shape, np.nan, np.float32)
    parts = np.full(shape[1], np.nan, np.float32)
    scan(kernel, items, queries, 1, ranges, bias=bias, sums=(sums, peaks, parts))
    chunks = np.log(sums[:, : len(queries)]) + peaks[:, : len(queries)]
    return np.logaddexp.reduce(chunks, axis=0)


@pytest.mark.parametrize("dim", SIZES)
@pytest.mark.parametrize("n_queries", SIZES)
def test_exponentials_are_summed_at_odd_sizes(kernel, dim, n_queries):
    for n_items in (*SIZES, kernel.SUM_ROWS + 5):
        items, queries = normal(n_items, dim), normal(n_queries, dim, seed=1) / np.float32(dim)
        found = summed(kernel, items, queries, [(0, n_items)])
        np.testing.assert_allclose(found, log_sum_exp(scores_of(items, queries)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("n_queries", [1, 2, 3, 7, 13, 50])
def test_neither_the_batch_nor_the_ranges_change_a_bit_of_a_sum(kernel, n_queries):
    step = kernel.SUM_ROWS
    items, queries = normal(3 * step + 7, 33), normal(50, 33, seed=1)
    whole = summed(kernel, items, queries, [(0, len(items))])
    ranges = [(0, step), (step, step), (step, 3 * step), (3 * step, len(items))]
    part = summed(kernel, items, queries[:n_queries], ranges)
    np.testing.assert_array_equal(part, whole[:n_queries])


@pytest.mark.parametrize("n_queries", [1, 7, 13, 50])
@pytest.mark.parametrize("spread", [1.0, 30.0, 1000.0])
def test_scores_of_any_size_are_summed(kernel, n_queries, spread):
    items = np.sort(normal(3000, 1), axis=0) * np.float32(spread)  # each above the one before
    queries = np.linspace(-1, 1, n_queries, dtype=np.float32)[:, None]
    bias = normal(3000, 1, seed=2)[:, 0]
    found = summed(kernel, items, queries, [(0, 3000)], bias=bias)
    scores = scores_of(items, queries, bias=bias)
    np.testing.assert_allclose(found, log_sum_exp(scores), rtol=3e-7, atol=2e-6)


def test_each_exponential_is_right_to_six_digits(kernel):
    scores = np.linspace(-80, 19.9, 2001, dtype=np.float32)
    for score in scores.tolist():
        items = np.array([[0.0], [score]], np.float32)
        sums, peaks = np.zeros((1, 32)), np.zeros((1, 32), np.float32)
        room = (sums, peaks, np.zeros(32, np.float32))
        one = np.ones((20, 1), np.float32)
        scan(kernel, items, one, 1, [(0, 2)], sums=room)
        exact = 1 + np.exp(np.float64(np.float32(score)))
        assert sums[0, :20] == pytest.approx(np.full(20, exact), rel=3e-7)
