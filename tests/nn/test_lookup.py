"""Lookups as they are called: what is refused, what comes out, the same bits for any threads."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrec.errors import InputError
from fastrec.nn import SGD, Adagrad, Adam, BFloat16Rows, Lookup, RowAdagrad, bag, gather
from tests.reference import bf16
from tests.reference import lookup as reference

MATRIX = np.random.default_rng(0).standard_normal((20, 17), dtype=np.float32)
THREADS = (1, 2, 3, 8)


@given(
    st.lists(st.lists(st.integers(0, 19), max_size=12), max_size=9),
    st.sampled_from(["sum", "mean", "weighted"]),
    st.sampled_from(THREADS),
)
def test_bags_of_any_lengths_follow_the_reference(bags, mode, threads):
    ids = np.array([i for own in bags for i in own], np.int64)
    offsets = np.cumsum([0, *map(len, bags)])
    weights = np.linspace(-1, 2, len(ids)) if mode == "weighted" else None
    mode = "sum" if mode == "weighted" else mode
    found = bag(MATRIX, ids, offsets, weights, mode=mode, threads=threads)
    expected = reference.bags(MATRIX, ids, offsets, weights, mode)
    assert found.shape == (len(bags), 17)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@given(
    st.lists(st.lists(st.integers(0, 19), max_size=6), max_size=6),
    st.sampled_from(["sum", "mean"]),
    st.sampled_from([SGD(rate=0.1), Adagrad(rate=0.1), Adam(rate=0.1), RowAdagrad(rate=0.1)]),
)
def test_updates_of_bags_follow_the_reference(bags, mode, optimizer):
    ids = [i for own in bags for i in own]
    offsets = np.cumsum([0, *map(len, bags)])
    table, expected = Lookup(MATRIX, optimizer), np.float64(MATRIX)
    state = reference.State(MATRIX.shape)
    for seed in range(2):
        gradient = np.random.default_rng(seed).standard_normal((len(bags), 17)).astype(np.float32)
        table.update_bags(np.array(ids, np.int32), offsets, gradient, mode=mode)
        sums = reference.id_gradients(gradient, offsets, mode=mode)
        state.update(optimizer, expected, *reference.summed(np.array(ids, int), sums))
    np.testing.assert_allclose(table.matrix, expected, atol=3e-4)


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("clip", [None, 0.5])
def test_any_number_of_threads_gives_the_same_bits(threads, clip):
    random = np.random.default_rng(3)
    matrix = random.standard_normal((3000, 100), dtype=np.float32)
    ids = random.integers(0, 3000, 12_000)
    offsets = np.linspace(0, 12_000, 301).astype(np.int64)
    gradient = random.standard_normal((300, 100))
    tables = [Lookup(matrix, Adam(rate=0.01), threads=count) for count in (1, threads)]
    for table in tables:
        table.update_bags(ids, offsets, gradient * table.bag(ids, offsets), clip=clip)
    np.testing.assert_array_equal(tables[0].matrix, tables[1].matrix)
    np.testing.assert_array_equal(tables[0].state, tables[1].state)


def test_what_is_read_may_be_read_only():
    arrays = MATRIX.copy(), np.array([3, 1], np.int32), np.array([0, 2])
    for array in arrays:
        array.flags.writeable = False
    matrix, ids, offsets = arrays
    np.testing.assert_array_equal(gather(matrix, ids), MATRIX[[3, 1]])
    np.testing.assert_allclose(bag(matrix, ids, offsets)[0], MATRIX[3] + MATRIX[1], rtol=1e-6)
    table = Lookup(matrix, SGD(rate=1.0))
    gradient = MATRIX[:2].copy()
    gradient.flags.writeable = False
    table.update(ids, gradient)
    np.testing.assert_allclose(table.matrix[3], MATRIX[3] - MATRIX[0], atol=1e-6)
    assert np.shares_memory(matrix, table.matrix) is False


def test_columns_of_a_wider_matrix_are_looked_up_in_place():
    wide = np.random.default_rng(1).standard_normal((20, 40), dtype=np.float32)
    np.testing.assert_array_equal(gather(wide[:, 3:20], [5, 5]), wide[[5, 5], 3:20])


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("dim", [0, 1, 17, 32, 129])
def test_rounded_rows_are_looked_up_as_the_matrix_that_they_stand_for(dim, threads):
    matrix = np.random.default_rng(1).standard_normal((2500, dim), dtype=np.float32)
    rows, expected = BFloat16Rows(matrix, threads=threads), bf16.rounded(matrix)
    assert (rows.shape, len(rows), rows.nbytes % 32) == (matrix.shape, 2500, 0)
    np.testing.assert_array_equal(rows.to_float32(), expected)
    ids, offsets = np.array([7, 2499, 7, 0]), [0, 3, 3, 4]
    np.testing.assert_array_equal(gather(rows, ids, threads=threads), expected[ids])
    for mode in ("sum", "mean"):
        found = bag(rows, ids, offsets, mode=mode, threads=threads)
        np.testing.assert_array_equal(found, bag(expected, ids, offsets, mode=mode))


@pytest.mark.parametrize("clip", [None, 0.5])
def test_a_table_that_reads_rounded_rows_learns_in_float32(clip):
    table = Lookup(MATRIX, Adam(rate=1e-3), rows="bfloat16", threads=2)
    whole = Lookup(MATRIX, Adam(rate=1e-3))
    for seed in range(5):
        gradient = np.random.default_rng(seed).standard_normal((4, 17))
        for own in (table, whole):
            own.update_bags([3, 1, 3, 19], [0, 1, 2, 2, 4], gradient, clip=clip)
            own.update([3, 3], gradient[:2], clip=clip)
    np.testing.assert_array_equal(table.matrix, whole.matrix)
    np.testing.assert_array_equal(table.gather(range(20)), bf16.rounded(whole.matrix))
    np.testing.assert_array_equal(
        table.bag([3, 19], [0, 2]), bag(bf16.rounded(whole.matrix), [3, 19], [0, 2])
    )
    assert (table.rows, whole.rows) == ("bfloat16", "float32")
    with pytest.raises(ValueError, match="read-only"):
        table.matrix[3] = 0.0
    whole.matrix[3] = 0.0
    assert not whole.gather([3]).any()


def test_odd_numbers_come_through_rounded_rows():
    matrix = np.float32([[np.nan, np.inf, -np.inf, -0.0, 3.4e38]])
    expected = [np.nan, np.inf, -np.inf, -0.0, np.inf]
    rows = BFloat16Rows(matrix)
    np.testing.assert_array_equal(gather(rows, [0])[0], expected)
    np.testing.assert_array_equal(bag(rows, [0], [0, 1])[0], expected)


def test_clip_bounds_the_norm_of_the_summed_gradient():
    table = Lookup(np.zeros((4, 2), np.float32), SGD(rate=1.0))
    table.update([1, 1, 3], [[3.0, 0.0], [0.0, 0.0], [0.0, 4.0]], clip=1.0)
    np.testing.assert_allclose(table.matrix, [[0, 0], [-0.6, 0], [0, 0], [0, -0.8]], atol=1e-6)
    table.update([0], [[0.5, 0.0]], clip=1.0)
    np.testing.assert_allclose(table.matrix[0], [-0.5, 0], atol=1e-6)


def test_a_rate_of_the_step_takes_the_place_of_the_optimizers():
    table = Lookup(np.zeros((1, 1), np.float32), SGD(rate=1.0))
    table.update([0], [[1.0]], rate=0.25)
    assert table.matrix[0, 0] == -0.25


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gather(MATRIX, [0, 20]), r"ids must be from 0 to 19.* got 20 at place 1"),
        (lambda: gather(MATRIX, [-1]), r"got -1 at place 0"),
        (lambda: gather(MATRIX, np.array([3, -1], np.int32)), r"got -1 at place 1"),
        (lambda: gather(MATRIX, np.array([2**40])), r"got 1099511627776"),
        (lambda: gather(MATRIX[:0], [0]), r"there are no rows"),
        (lambda: gather(MATRIX, [0.5]), r"ids must be whole numbers"),
        (lambda: gather(MATRIX, [[1]]), r"one-dimensional"),
        (lambda: gather(MATRIX.astype(float), [1]), r"matrix must be a float32 array"),
        (lambda: gather(MATRIX.T, [1]), r"side by side"),
        (lambda: bag(MATRIX, [1], [0, 2]), r"offsets must ascend from 0 to 1"),
        (lambda: bag(MATRIX, [1, 2], [0, 2, 1, 2]), r"offsets must ascend"),
        (lambda: bag(MATRIX, [1], []), r"offsets must be whole numbers"),
        (lambda: bag(MATRIX, [1], [0, 1], [1.0, 2.0]), r"weights must be 1 numbers"),
        (lambda: bag(MATRIX, [1], [0, 1], [1.0], mode="mean"), r"divide the weights"),
        (lambda: bag(MATRIX, [1], [0, 1], mode="max"), r"mode must be one of 'sum', 'mean'"),
        (lambda: gather(BFloat16Rows(MATRIX), [20]), r"ids must be from 0 to 19"),
        (lambda: bag(BFloat16Rows(MATRIX), [1], [0, 2]), r"offsets must ascend from 0 to 1"),
        (lambda: BFloat16Rows(MATRIX.astype(float)), r"matrix must be a float32 array"),
        (lambda: BFloat16Rows(BFloat16Rows(MATRIX)), r"got BFloat16Rows; its to_float32\(\)"),
        (lambda: Lookup(BFloat16Rows(MATRIX), SGD(rate=1.0)), r"its to_float32\(\) makes one"),
        (lambda: gather(MATRIX.view(np.uint16), [1]), r"matrix must be a float32 array"),
        (lambda: Lookup(MATRIX, SGD(rate=1.0), rows="half"), r"rows must be one of 'float32'"),
        (lambda: Lookup(MATRIX, "adam"), r"optimizer must be an optimizer, got str"),
        (lambda: Lookup(MATRIX, SGD(rate=1.0)).update([1], [[1.0]]), r"shape \(1, 17\)"),
        (lambda: Lookup(MATRIX, SGD(rate=1.0)).update([20], MATRIX[:1]), r"got 20 at place 0"),
        (lambda: Lookup(MATRIX, SGD(rate=1.0)).update([1], MATRIX[:1], clip=0), r"clip must be"),
        (lambda: SGD(rate=0.0), r"rate must be"),
        (lambda: SGD(rate=0.1, momentum=1.5), r"momentum must be"),
        (lambda: SGD(rate=0.5, decay=3.0), r"decay must be .* from 0 to 2"),
        (lambda: Adagrad(rate=0.1, epsilon=0.0), r"epsilon must be"),
        (lambda: Adam(rate=0.1, beta1=1.0), r"beta1 must be"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize(
    ("optimizer", "slots"),
    [
        (SGD(rate=1.0), 0),
        (SGD(rate=1.0, momentum=0.5), 112),
        (Adagrad(rate=1.0), 112),
        (Adagrad(rate=1.0, momentum=0.5), 224),
        (Adam(rate=1.0), 224),
        (RowAdagrad(rate=1.0), 1),
    ],
)
def test_slots_are_those_of_the_kernel(optimizer, slots):
    from fastrec.runtime import isa

    assert optimizer.slots(100) == slots
    assert isa.load("lookup").slots(optimizer.settings(), 100) == slots


@pytest.mark.parametrize("rows", ["float32", "bfloat16"])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda table: pickle.loads(pickle.dumps(table))])
def test_a_copy_shows_the_rows_that_it_updates(copied, rows):
    table = Lookup(np.zeros((3, 5), np.float32), SGD(rate=0.5), rows=rows)
    other = copied(table)
    other.update([1], np.ones((1, 5), np.float32))
    assert other.matrix[1].tolist() == other.gather([1])[0].tolist() == [-0.5] * 5
    assert not table.matrix.any()
