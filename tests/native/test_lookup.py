"""The compiled lookups, bags, plans and row updates against their reference, at every ISA level."""

import numpy as np
import pytest

from fastrec.nn import SGD, Adagrad, Adam, RowAdagrad
from fastrec.runtime import isa
from fastrec.runtime.arrays import aligned_empty, padded_copy, padded_zeros, stride_of
from fastrec.runtime.threads import run_ranges
from tests.reference import bf16
from tests.reference import lookup as reference

SIZES = (1, 3, 17, 100, 129)
THREADS = (1, 2, 3, 8)
OPTIMIZERS = [
    SGD(rate=0.1),
    SGD(rate=0.1, momentum=0.9, decay=0.1),
    Adagrad(rate=0.1),
    Adagrad(rate=0.1, momentum=0.5, decay=0.1),
    Adam(rate=0.1, decay=0.1),
    RowAdagrad(rate=0.1, decay=0.1),
]


@pytest.fixture(params=isa.available_levels())
def kernel(request):
    return isa.load("lookup", at=request.param)


def normal(rows, dim, seed=0):
    return np.random.default_rng((seed, rows, dim)).standard_normal((rows, dim), dtype=np.float32)


def draw_bags(items, lengths=(3, 0, 1, 40, 2, 0, 9), seed=0):
    """Return ids, offsets and weights of bags, with repetitions."""
    random = np.random.default_rng((seed, items))
    offsets = np.cumsum([0, *lengths])
    ids = random.integers(0, items, offsets[-1]).astype(np.int32)
    return ids, offsets, random.uniform(-1, 2, len(ids)).astype(np.float32)


class Plan:
    """The plan of some ids."""

    def __init__(self, kernel, ids, rows):
        n = len(ids)
        self.rows, self.starts = np.zeros(n, np.int32), np.zeros(n + 1, np.int32)
        self.positions = np.zeros(n, np.int32)
        scratch = aligned_empty((kernel.plan_bytes(n),), np.int8)
        self.groups = kernel.plan(ids, rows, scratch, *self.arrays())

    def arrays(self):
        return self.rows, self.starts, self.positions


def updater(kernel, optimizer, matrix, dim, state, plan, gradients, step=1, scale=1.0, threads=1):
    buffers = aligned_empty((threads, stride_of(dim)))
    settings = optimizer.settings(step)
    return kernel.Update(settings, matrix, dim, state, *plan.arrays(), gradients, scale, buffers)


def as_format(matrix, is_bf16):
    """A matrix as the kernel reads it, read-only, and as it is."""
    numbers = bf16.bits(matrix) if is_bf16 else matrix
    numbers.flags.writeable = False
    return numbers, bf16.rounded(matrix) if is_bf16 else matrix


@pytest.mark.parametrize("is_bf16", [False, True])
@pytest.mark.parametrize("dim", [*SIZES, 1536])
def test_gather_copies_the_rows(kernel, dim, is_bf16):
    numbers, matrix = as_format(normal(50, dim), is_bf16)
    ids = np.random.default_rng(1).integers(0, 50, 97).astype(np.int32)
    out = np.full((97, dim), np.nan, np.float32)
    for start, stop in [(0, 1), (1, 50), (50, 50), (50, 97)]:
        kernel.Gather(numbers, ids, out)(start, stop)
    np.testing.assert_array_equal(out, matrix[ids])


@pytest.mark.parametrize("is_bf16", [False, True])
@pytest.mark.parametrize("dim", [*SIZES, 1536])
@pytest.mark.parametrize("mode", ["sum", "mean", "weighted"])
def test_bags_follow_the_reference(kernel, dim, mode, is_bf16):
    numbers, matrix = as_format(normal(50, dim), is_bf16)
    ids, offsets, weights = draw_bags(50)
    weights = weights if mode == "weighted" else None
    for array in (ids, offsets):
        array.flags.writeable = False
    out = np.full((len(offsets) - 1, dim), np.nan, np.float32)
    kernel.Bags(numbers, ids, offsets, weights, mode == "mean", out)(0, len(out))
    expected = reference.bags(matrix, ids, offsets, weights, "mean" if mode == "mean" else "sum")
    np.testing.assert_allclose(out, expected, atol=2e-5)


@pytest.mark.parametrize("is_bf16", [False, True])
@pytest.mark.parametrize("threads", THREADS)
def test_bags_are_the_same_bits_however_they_are_cut(kernel, threads, is_bf16):
    matrix, _ = as_format(normal(50, 33), is_bf16)
    ids, offsets, weights = draw_bags(50)
    whole, cut = np.zeros((2, len(offsets) - 1, 33), np.float32)
    kernel.Bags(matrix, ids, offsets, weights, False, whole)(0, len(whole))
    run_ranges(kernel.Bags(matrix, ids, offsets, weights, False, cut), len(cut), 1, threads)
    np.testing.assert_array_equal(cut.view(np.uint32), whole.view(np.uint32))


@pytest.mark.parametrize("is_bf16", [False, True])
def test_no_ids_and_no_bags_are_nothing(kernel, is_bf16):
    nothing = np.zeros(0, np.int32)
    matrix, out = as_format(normal(5, 17), is_bf16)[0], np.full((2, 17), np.nan, np.float32)
    kernel.Gather(matrix, nothing, out[:0])(0, 0)
    kernel.Bags(matrix, nothing, np.zeros(1, np.int64), None, False, out[:0])(0, 0)
    kernel.Bags(matrix, nothing, np.zeros(3, np.int64), None, True, out)(0, 2)
    assert not out.any()
    assert Plan(kernel, nothing, 5).groups == 0


@pytest.mark.parametrize("n", [1, 2, 17, 1000])
@pytest.mark.parametrize("rows", [1, 3, 100, 2048, 2049, 70_000, 5_000_000, 2**31 - 1])
def test_a_plan_sorts_by_row_and_position(kernel, n, rows):
    ids = np.random.default_rng((n, rows)).integers(0, rows, n).astype(np.int32)
    ids[: n // 2] = ids[n - n // 2 :]
    ids[-1] = rows - 1
    plan = Plan(kernel, ids, rows)
    expected, counts = np.unique(ids, return_counts=True)
    assert plan.groups == len(expected)
    np.testing.assert_array_equal(plan.rows[: plan.groups], expected)
    np.testing.assert_array_equal(np.diff(plan.starts[: plan.groups + 1]), counts)
    np.testing.assert_array_equal(plan.positions, np.argsort(ids, kind="stable"))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
@pytest.mark.parametrize("dim", SIZES)
def test_updates_follow_the_reference(kernel, optimizer, dim):
    expected = np.float64(normal(23, dim))
    matrix, state = padded_copy(expected), optimizer.state(23, dim)
    remembered = reference.State((23, dim))
    for step in range(1, 5):
        ids = draw_bags(17, seed=step)[0]
        gradient = normal(len(ids), dim, seed=step)
        gradients = kernel.Gradients(padded_copy(gradient), None, None, len(ids))
        plan = Plan(kernel, ids, 23)
        updater(kernel, optimizer, matrix, dim, state, plan, gradients, step, 0.5)(0, plan.groups)
        rows, sums = reference.summed(ids, 0.5 * gradient)
        remembered.update(optimizer, expected, rows, sums)
    np.testing.assert_allclose(matrix[:, :dim], expected, atol=2e-5)
    assert not matrix[:, dim:].any()
    np.testing.assert_array_equal(matrix[17:, :dim], np.float32(expected[17:]))


@pytest.mark.parametrize("dim", SIZES)
def test_rows_are_rounded_to_the_nearest(kernel, dim):
    matrix = normal(40, dim)
    halves = np.float32([1 + 2**-8, 1 + 3 * 2**-8, -1 - 2**-8, 2**-140, 3.4e38, -0.0])
    odd = np.float32([np.nan, -np.nan, np.inf, -np.inf])
    matrix[:10, 0] = [*halves, *odd]
    out = np.full((40, dim + 3), 7, np.uint16)
    kernel.round_rows(matrix, out, 0, 25)
    kernel.round_rows(matrix, out, 25, 40)
    np.testing.assert_array_equal(out[:, :dim], bf16.bits(matrix))
    assert (out[:, dim:] == 7).all()
    assert bf16.rounded(halves[:2]).tolist() == [1.0, 1 + 2**-6]  # to the even ones


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
@pytest.mark.parametrize("dim", [17, 100])
def test_rounded_rows_follow_the_matrix(kernel, optimizer, dim):
    matrix, state = padded_copy(normal(60, dim)), optimizer.state(60, dim)
    numbers = np.zeros((60, 128), np.uint16)
    numbers[:, :dim] = bf16.bits(matrix[:, :dim])
    ids = np.random.default_rng(0).integers(0, 40, 100).astype(np.int32)
    gradients = kernel.Gradients(padded_copy(normal(100, dim)), None, None, 100)
    plan, buffers = Plan(kernel, ids, 60), aligned_empty((1, stride_of(dim)))
    args = matrix, dim, state, *plan.arrays(), gradients, 1.0, buffers, numbers
    kernel.Update(optimizer.settings(1), *args)(0, plan.groups)
    assert (matrix[:40, :dim] != normal(60, dim)[:40]).any(axis=1)[np.unique(ids)].all()
    np.testing.assert_array_equal(numbers[:, :dim], bf16.bits(matrix[:, :dim]))
    assert not numbers[:, dim:].any()


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_a_dense_update_is_the_sparse_one_of_all_rows(kernel, optimizer):
    dim, gradient = 17, padded_copy(normal(9, 17, seed=1))
    dense, sparse = padded_copy(normal(9, dim)), padded_copy(normal(9, dim))
    states = optimizer.state(9, dim), optimizer.state(9, dim)
    plan = Plan(kernel, np.arange(9, dtype=np.int32), 9)
    gradients = kernel.Gradients(gradient, None, None, 9)
    updater(kernel, optimizer, sparse, dim, states[1], plan, gradients)(0, 9)
    for start, stop in [(0, 4), (4, 4), (4, 9)]:
        settings = optimizer.settings(1)
        kernel.update_rows(settings, dense, gradient, states[0], dim, 1.0, start, stop)
    np.testing.assert_array_equal(dense, sparse)
    assert (dense[:, :dim] != normal(9, dim)).all()


@pytest.mark.parametrize("mode", ["sum", "mean"])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_gradients_of_bags_and_of_ids_meet_in_one_update(kernel, mode, is_weighted):
    dim, (ids, offsets, weights) = 33, draw_bags(23)
    weights = weights if is_weighted else None
    more = np.random.default_rng(5).integers(0, 23, 31).astype(np.int32)
    of_bags, of_more = normal(len(offsets) - 1, dim), normal(31, dim)
    index, scale = np.zeros(len(ids), np.int32), np.zeros(len(ids), np.float32)
    has_scale = mode == "mean" or is_weighted
    kernel.bag_positions(offsets, weights, mode == "mean", index, scale if has_scale else None)
    second = kernel.Gradients(padded_copy(of_more), None, None, 31)
    padded = padded_copy(of_bags)
    both = kernel.Gradients(padded, index, scale if has_scale else None, len(ids), second)
    all_ids = np.concatenate([ids, more])
    plan, matrix = Plan(kernel, all_ids, 23), padded_zeros(23, dim)
    update = updater(kernel, SGD(rate=1.0), matrix, dim, np.zeros((23, 0), np.float32), plan, both)
    parts = reference.id_gradients(of_bags, offsets, weights, mode), of_more
    rows, sums = reference.summed(all_ids, np.concatenate(parts))
    assert update.squares(0, plan.groups) == pytest.approx((sums**2).sum(), rel=1e-5)
    update(0, plan.groups)
    np.testing.assert_allclose(matrix[rows, :dim], -sums, atol=2e-5)


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_updates_are_the_same_bits_however_they_are_cut(kernel, optimizer, threads):
    dim, ids = 100, np.random.default_rng(0).integers(0, 60, 500).astype(np.int32)
    gradients = kernel.Gradients(padded_copy(normal(500, dim)), None, None, 500)
    plan, moved = Plan(kernel, ids, 60), []
    for grain, workers in [(60, 1), (1, threads)]:
        matrix, state = padded_copy(normal(60, dim)), optimizer.state(60, dim)
        args = (kernel, optimizer, matrix, dim, state, plan, gradients)
        run_ranges(updater(*args, threads=workers), plan.groups, grain, workers)
        moved.append((matrix, state))
    for one, other in zip(*moved, strict=True):
        np.testing.assert_array_equal(one.view(np.uint32), other.view(np.uint32))


def test_a_row_without_a_gradient_stays_finite(kernel):
    for optimizer in OPTIMIZERS:
        matrix, state = padded_copy(normal(1, 3)), optimizer.state(1, 3)
        zeros = padded_zeros(1, 3)
        kernel.update_rows(optimizer.settings(1), matrix, zeros, state, 3, 1.0, 0, 1)
        kept = 1 - optimizer.rate * optimizer.decay
        np.testing.assert_allclose(matrix[:, :3], kept * normal(1, 3), rtol=1e-6)


@pytest.mark.parametrize("broken", [-1, 50, 2**31 - 1, -(2**31)])
def test_the_first_id_outside_is_found(kernel, broken):
    ids = np.arange(50, dtype=np.int32)
    assert kernel.first_outside(ids, 50) == 50
    ids[[20, 33]] = broken
    assert kernel.first_outside(ids, 50) == 20
