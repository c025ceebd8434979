"""The compiled skip-gram and CBOW kernel against its float64 reference, at every ISA level."""

import copy
import itertools

import numpy as np
import pytest

from fastrec.runtime import isa
from fastrec.runtime.arrays import aligned_empty, padded_zeros, stride_of
from fastrec.training.negatives import keep_thresholds
from tests.reference import sgns as reference

LEVELS = isa.available_levels()
SIZES = [1, 3, 17, 100, 129]


def make_setup(dim=17, items=23, lengths=(1, 7, 0, 40, 2), seed=0, **options):
    random = np.random.default_rng(seed)
    count = sum(lengths)
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    tokens = random.integers(0, items, count).astype(np.int32)
    counts = np.bincount(tokens, minlength=items)
    table = np.empty(items, np.uint64)
    weights = np.maximum(counts, 1).astype(float) ** 0.75
    isa.load("sgns").build_alias_table(weights, np.empty(items, np.int32), table)
    return reference.Setup(
        tokens=tokens,
        rows=np.arange(items, dtype=np.int32),
        offsets=offsets,
        input=random.normal(size=(items, dim)) * 0.4,
        output=random.normal(size=(items, dim)) * 0.4,
        noise=table,
        **options,
    )


def run_kernel(setup, level, ranges, rates=(0.1, 0.05)):
    """Train the compiled kernel on a copy of the setup; return its matrices and totals."""
    kernel = isa.load("sgns", at=level)
    items, dim = setup.input.shape
    matrices = padded_zeros(items, dim), padded_zeros(items, dim)
    matrices[0][:, :dim], matrices[1][:, :dim] = setup.input, setup.output
    trainer = kernel.Trainer(
        setup.tokens,
        setup.rows,
        setup.offsets,
        *matrices,
        noise=setup.noise,
        keep=setup.keep,
        values=setup.values,
        window=setup.window,
        dynamic_window=setup.dynamic_window,
        past_only=setup.past_only,
        cbow=setup.cbow,
        negatives=setup.negatives,
        group=setup.group,
    )
    trainer.set_epoch(*setup.keys)
    capacity = 3 * len(setup.tokens) + 2 * setup.window
    scratch = aligned_empty((trainer.scratch_bytes(capacity),), np.int8)
    totals = np.zeros(2)
    for start, stop in ranges:
        trainer.train(start, stop, capacity, *rates, scratch, totals)
    return matrices, totals


def assert_follows_reference(setup, level, ranges=None, tolerance=2e-5):
    ranges = ranges or [(0, len(setup.tokens))]
    dim = setup.input.shape[1]
    (got_input, got_output), totals = run_kernel(setup, level, ranges)
    expected = copy.deepcopy(setup)
    loss, weight = np.sum([reference.train(expected, *r, 0.1, 0.05) for r in ranges], axis=0)
    np.testing.assert_allclose(got_input[:, :dim], expected.input, atol=tolerance)
    np.testing.assert_allclose(got_output[:, :dim], expected.output, atol=tolerance)
    assert not got_input[:, dim:].any()
    assert not got_output[:, dim:].any()
    np.testing.assert_allclose(totals, [loss, weight], rtol=1e-5)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dim", SIZES)
@pytest.mark.parametrize("group", [0, 1, 4])
def test_skipgram_follows_the_reference(level, dim, group):
    assert_follows_reference(make_setup(dim=dim, group=group), level)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dim", SIZES)
@pytest.mark.parametrize("group", [1, 4])
def test_cbow_follows_the_reference(level, dim, group):
    assert_follows_reference(make_setup(dim=dim, group=group, cbow=True), level)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("cbow", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"window": 0},
        {"window": 1},
        {"window": 30},
        {"dynamic_window": False},
        {"past_only": True},
        {"negatives": 1},
        {"negatives": 17},
        {"group": 8},
        {"window": 0, "group": 3, "past_only": True},
    ],
    ids=str,
)
def test_each_option_follows_the_reference(level, cbow, options):
    assert_follows_reference(make_setup(cbow=cbow, **options), level)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("group", [0, 2])
def test_values_weight_each_center(level, group):
    setup = make_setup(group=group)
    setup.values = np.random.default_rng(1).uniform(0, 2, len(setup.tokens)).astype(np.float32)
    assert_follows_reference(setup, level)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("cbow", [False, True])
def test_subsampled_and_unknown_items_are_passed_over(level, cbow):
    setup = make_setup(cbow=cbow, lengths=(60, 3, 80), group=2)
    setup.keep = keep_thresholds(np.bincount(setup.tokens, minlength=23), 0.02)
    setup.rows = setup.rows.copy()
    setup.rows[::5] = -1
    assert_follows_reference(setup, level)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("window", [0, 3])
@pytest.mark.parametrize("past_only", [False, True])
def test_pieces_that_cut_a_sequence_reach_over_the_cut(level, window, past_only):
    setup = make_setup(window=window, past_only=past_only)
    cuts = [0, 5, 9, 10, 30, len(setup.tokens)]
    assert_follows_reference(setup, level, list(itertools.pairwise(cuts)))


@pytest.mark.parametrize("level", LEVELS)
def test_a_sequence_of_one_item_trains_nothing(level):
    setup = make_setup(lengths=(1, 1, 1))
    (got_input, _), totals = run_kernel(setup, level, [(0, 3)])
    np.testing.assert_array_equal(got_input[:, :17], setup.input.astype(np.float32))
    assert totals.tolist() == [0, 0]


def test_levels_give_the_same_vectors_to_rounding():
    setup = make_setup(dim=100, items=50, lengths=(200, 300))
    results = [run_kernel(setup, level, [(0, 500)])[0][0] for level in LEVELS]
    for other in results[1:]:
        np.testing.assert_allclose(other, results[0], atol=1e-4)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 100.0])
@pytest.mark.parametrize("level", LEVELS)
def test_loss_is_exact_for_scores_of_any_size(level, scale):
    setup = make_setup(dim=4)
    setup.input *= scale
    _, totals = run_kernel(setup, level, [(0, len(setup.tokens))], rates=(0.0, 0.0))
    setup.input = setup.input.astype(np.float32).astype(float)
    setup.output = setup.output.astype(np.float32).astype(float)
    loss, _ = reference.train(setup, 0, len(setup.tokens), 0.0, 0.0)
    np.testing.assert_allclose(totals[0], loss, rtol=2e-6)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_a_number_that_is_none_reaches_the_loss(level, poison):
    setup = make_setup()
    setup.input[:] = poison
    _, totals = run_kernel(setup, level, [(0, len(setup.tokens))])
    assert not np.isfinite(totals[0])


@pytest.mark.parametrize("cbow", [False, True])
def test_the_step_is_the_gradient_of_the_loss(cbow):
    """Finite differences of the reference's loss in every parameter of one block."""
    random = np.random.default_rng(5)
    inputs, outputs = random.normal(size=(3, 4)), random.normal(size=(4, 4))
    weight = np.array([[1.0, 0, -1, -1], [0, 1, -1, 0], [2, 0, -2, -2]])

    def loss_of(x, y):
        return reference.train_block(range(3), range(4), x.copy(), y.copy(), weight, 0.0)

    x, y = inputs.copy(), outputs.copy()
    change = np.zeros_like(x)
    reference.train_block(range(3), range(4), x, y, weight, 1.0, change=change)
    for matrix, step, is_input in ((inputs, change, True), (outputs, y - outputs, False)):
        for place in np.ndindex(matrix.shape):
            up, down = matrix.copy(), matrix.copy()
            up[place] += 1e-6
            down[place] -= 1e-6
            pair = (up, outputs, down, outputs) if is_input else (inputs, up, inputs, down)
            slope = (loss_of(*pair[:2]) - loss_of(*pair[2:])) / 2e-6
            np.testing.assert_allclose(step[place], -slope, rtol=1e-6, atol=1e-8)


def test_noise_table_draws_its_distribution():
    """The share of each slot of the table, added up exactly, is the weight it was built from."""
    for size in SIZES:
        weights = np.random.default_rng(size).gamma(0.3, size=size)
        table = np.empty(size, np.uint64)
        isa.load("sgns").build_alias_table(weights.copy(), np.empty(size, np.int32), table)
        share = np.zeros(size)
        threshold = (table & np.uint64(0xFFFFFFFF)).astype(float) + 1
        np.add.at(share, np.arange(size), threshold / 2**32)
        np.add.at(share, (table >> np.uint64(32)).astype(int), 1 - threshold / 2**32)
        np.testing.assert_allclose(share / size, weights / weights.sum(), atol=1e-9)


def test_a_stride_is_a_whole_number_of_cache_lines():
    assert [stride_of(dim) for dim in SIZES] == [16, 16, 32, 112, 144]
