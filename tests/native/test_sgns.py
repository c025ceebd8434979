"""The compiled skip-gram and CBOW kernel against its float64 reference, at every ISA level."""

import copy
import itertools

import numpy as np
import pytest

from fastrec.runtime import isa
from fastrec.runtime.arrays import aligned_empty, padded_zeros, stride_of
from fastrec.training.huffman import grown_tree
from fastrec.training.negatives import keep_thresholds
from tests.reference import sgns as reference

LEVELS = isa.available_levels()
SIZES = [1, 3, 17, 100, 129]


def make_setup(dim=17, items=23, lengths=(1, 7, 0, 40, 2), seed=0, layer="noise", **options):
    """A log at random, its matrices, and what centers are predicted with: noise, tree, softmax."""
    random = np.random.default_rng(seed)
    count = sum(lengths)
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    tokens = random.integers(0, items, count).astype(np.int32)
    counts = np.bincount(tokens, minlength=items)
    noise = tree = None
    rows = items
    if layer == "noise":
        noise = np.empty(items, np.uint64)
        weights = np.maximum(counts, 1).astype(float) ** 0.75
        isa.load("sgns").build_alias_table(weights, np.empty(items, np.int32), noise)
    elif layer == "tree":
        grown = grown_tree(counts, [items - 5, 5])
        tree, rows = (grown.paths, grown.nodes, grown.branches), grown.size
    width = 1 + 2 * options.get("window", 5) if options.get("concatenated") else 1
    return reference.Setup(
        tokens=tokens,
        rows=np.arange(items, dtype=np.int32),
        offsets=offsets,
        input=random.normal(size=(items, dim)) * 0.4,
        output=random.normal(size=(rows, width * dim)) * 0.4 / np.sqrt(width),
        noise=noise,
        tree=tree,
        **options,
    )


def with_documents(setup, seed=7):
    random = np.random.default_rng(seed)
    setup.documents = random.normal(size=(len(setup.offsets) - 1, setup.input.shape[1])) * 0.4
    return setup


def padded(matrix, dim):
    """A float32 copy whose runs of ``dim`` columns begin at multiples of the stride."""
    wide = padded_zeros(len(matrix), stride_of(dim) * (matrix.shape[1] // dim))
    wide.reshape(len(matrix), -1, stride_of(dim))[:, :, :dim] = matrix.reshape(len(matrix), -1, dim)
    return wide


def unpadded(wide, dim):
    """The columns of ``padded``; the others must have stayed zero."""
    runs = wide.reshape(len(wide), -1, stride_of(dim))
    assert not runs[:, :, dim:].any()
    return runs[:, :, :dim].reshape(len(wide), -1)


def make_trainer(setup, level, writeable=True, **options):
    """Return the compiled trainer on copies of the setup's matrices, and the copies by name."""
    dim = setup.input.shape[1]
    matrices = {"input": padded(setup.input, dim), "output": padded(setup.output, dim)}
    for matrix in matrices.values():
        matrix.flags.writeable = writeable
    if setup.documents is not None:
        matrices["documents"] = padded(setup.documents, dim)
    trainer = isa.load("sgns", at=level).Trainer(
        setup.tokens,
        setup.rows,
        setup.offsets,
        matrices["input"],
        matrices["output"],
        noise=setup.noise,
        tree=setup.tree,
        keep=setup.keep,
        values=setup.values,
        window=setup.window,
        dynamic_window=setup.dynamic_window,
        past_only=setup.past_only,
        cbow=setup.cbow,
        concatenated=setup.concatenated,
        negatives=setup.negatives,
        group=setup.group,
        apart=setup.apart,
        documents=matrices.get("documents"),
        document_rows=np.arange(len(setup.offsets) - 1, dtype=np.int32),
        documents_only=setup.documents_only,
        frozen=setup.frozen,
        **options,
    )
    return trainer, matrices


def run_kernel(setup, level, ranges, rates=(0.1, 0.05), **options):
    """Train the compiled kernel on a copy of the setup; return its matrices and totals."""
    trainer, matrices = make_trainer(setup, level, **options)
    trainer.set_epoch(*setup.keys)
    capacity = 3 * len(setup.tokens) + 2 * setup.window
    scratch = aligned_empty((trainer.scratch_bytes(capacity),), np.int8)
    totals = np.zeros(2)
    for start, stop in ranges:
        trainer.train(np.array([start]), stop - start, capacity, *rates, scratch, totals)
    return matrices, totals


def assert_follows_reference(setup, level, ranges=None, tolerance=2e-5, **options):
    ranges = ranges or [(0, len(setup.tokens))]
    dim = setup.input.shape[1]
    matrices, totals = run_kernel(setup, level, ranges, **options)
    expected = copy.deepcopy(setup)
    loss, weight = np.sum([reference.train(expected, *r, 0.1, 0.05) for r in ranges], axis=0)
    for name, matrix in matrices.items():
        got, wanted = unpadded(matrix, dim), getattr(expected, name)
        np.testing.assert_allclose(got, wanted, atol=tolerance, err_msg=name)
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
@pytest.mark.parametrize("dim", SIZES)
@pytest.mark.parametrize("group", [1, 3, 8])
def test_cbow_with_noise_for_each_center_follows_the_reference(level, dim, group):
    assert_follows_reference(make_setup(dim=dim, group=group, cbow=True, apart=True), level)


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
@pytest.mark.parametrize("group", [1, 8])
@pytest.mark.parametrize("negatives", [1, 5, 17])
@pytest.mark.parametrize(
    "options",
    [
        {"documents_only": True},
        {"cbow": True},
        {"cbow": True, "window": 0, "past_only": True},
        {"cbow": True, "window": 2, "dynamic_window": False, "concatenated": True},
    ],
    ids=str,
)
def test_documents_with_noise_for_each_center_follow_the_reference(
    level, group, negatives, options
):
    setup = make_setup(apart=True, group=group, negatives=negatives, lengths=(9, 30, 1), **options)
    setup.values = np.random.default_rng(1).uniform(0, 2, len(setup.tokens)).astype(np.float32)
    cuts = list(itertools.pairwise([0, 5, 20, 40]))
    assert_follows_reference(with_documents(setup), level, cuts)
    assert_follows_reference(setup, level, cuts, hot_rows=9, hot_centers=3)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("hot_rows", [0, 9])
@pytest.mark.parametrize("cbow", [False, True])
def test_pieces_of_one_call_follow_each_other(level, hot_rows, cbow):
    setup = make_setup(cbow=cbow, group=2)
    trainer, matrices = make_trainer(setup, level, hot_rows=hot_rows, hot_centers=3)
    trainer.set_epoch(*setup.keys)
    scratch, totals = aligned_empty((trainer.scratch_bytes(60),), np.int8), np.zeros(2)
    grain, length = 13, len(setup.tokens)
    starts = np.arange(0, length, grain)[[2, 0, 1, *range(3, -(-length // grain))]]
    trainer.train(starts, grain, 60, 0.1, 0.05, scratch, totals)
    rates = np.linspace(0.1, 0.05, len(starts) + 1)
    got = [
        reference.train(setup, start, min(start + grain, length), *rates[i : i + 2])
        for i, start in enumerate(starts)
    ]
    np.testing.assert_allclose(totals, np.sum(got, axis=0), rtol=1e-5)
    for name, matrix in matrices.items():
        np.testing.assert_allclose(matrix[:, :17], getattr(setup, name), atol=2e-5)


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
    matrices, totals = run_kernel(setup, level, [(0, 3)])
    np.testing.assert_array_equal(matrices["input"][:, :17], setup.input.astype(np.float32))
    assert totals.tolist() == [0, 0]


def test_levels_give_the_same_vectors_to_rounding():
    setup = make_setup(dim=100, items=50, lengths=(200, 300))
    results = [run_kernel(setup, level, [(0, 500)])[0]["input"] for level in LEVELS]
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


GRADIENT_CASES = {
    "noise": (np.array([[1.0, 0, -1, -1], [0, 1, -1, 0], [2, 0, -2, -2]]), None),
    "softmax": (np.array([1.0, 0.5, 2.0]), 2),
}


@pytest.mark.parametrize("case", GRADIENT_CASES)
def test_the_step_is_the_gradient_of_the_loss(case):
    """Finite differences of the reference's loss in every parameter of one block."""
    random = np.random.default_rng(5)
    inputs, outputs = random.normal(size=(3, 4)), random.normal(size=(4, 4))
    weight, target = GRADIENT_CASES[case]

    def loss_of(x, y):
        return reference.train_block(list(x.copy()), list(y.copy()), weight, 0.0, target=target)

    x, y = inputs.copy(), outputs.copy()
    change = np.zeros_like(x)
    reference.train_block(list(x), list(y), weight, 1.0, change=change, target=target)
    for matrix, step, is_input in ((inputs, change, True), (outputs, y - outputs, False)):
        for place in np.ndindex(matrix.shape):
            up, down = matrix.copy(), matrix.copy()
            up[place] += 1e-6
            down[place] -= 1e-6
            pair = (up, outputs, down, outputs) if is_input else (inputs, up, inputs, down)
            slope = (loss_of(*pair[:2]) - loss_of(*pair[2:])) / 2e-6
            np.testing.assert_allclose(step[place], -slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dim", SIZES)
@pytest.mark.parametrize("cbow", [False, True])
@pytest.mark.parametrize("layer", ["tree", "softmax"])
def test_trees_and_softmax_follow_the_reference(level, dim, cbow, layer):
    assert_follows_reference(make_setup(dim=dim, cbow=cbow, layer=layer), level)


FREEZABLE_CASES = [
    {"documents_only": True},
    {"cbow": True},
    {"cbow": True, "concatenated": True, "dynamic_window": False, "window": 3},
    {"cbow": True, "concatenated": True, "window": 2, "past_only": True},
]
PARAGRAPH_CASES = [
    {},
    {"window": 30},
    *FREEZABLE_CASES,
    *({"frozen": True, **case} for case in FREEZABLE_CASES),
]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("layer", ["noise", "tree", "softmax"])
@pytest.mark.parametrize("options", PARAGRAPH_CASES, ids=str)
def test_paragraph_vectors_follow_the_reference(level, layer, options):
    setup = with_documents(make_setup(layer=layer, **options))
    assert_follows_reference(setup, level)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("group", [0, 1, 4, 8])
@pytest.mark.parametrize("documents_only", [False, True])
def test_paragraph_vectors_share_noise_as_words_do(level, group, documents_only):
    setup = make_setup(group=group, documents_only=documents_only, lengths=(9, 30, 1))
    setup.values = np.random.default_rng(1).uniform(0, 2, len(setup.tokens)).astype(np.float32)
    cuts = [0, 5, 20, 40]
    assert_follows_reference(with_documents(setup), level, list(itertools.pairwise(cuts)))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dim", SIZES)
@pytest.mark.parametrize("cbow", [False, True])
def test_hot_rows_are_trained_as_the_others(level, dim, cbow):
    setup = make_setup(dim=dim, cbow=cbow, group=2)
    assert_follows_reference(setup, level, hot_rows=9, hot_centers=3)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("layer", ["noise", "noise apart", "tree", "softmax"])
@pytest.mark.parametrize("cbow", [False, True])
def test_inference_trains_each_document_by_itself(level, layer, cbow):
    layer, apart = layer.split()[0], {"group": 8, "apart": True} if "apart" in layer else {}
    setup = make_setup(layer=layer, cbow=cbow, documents_only=not cbow, frozen=True, **apart)
    with_documents(setup)
    trainer, matrices = make_trainer(setup, level)
    keys = np.random.default_rng(0).integers(0, 2**63, (4, 3)).astype(np.uint64)
    scratch = aligned_empty((trainer.scratch_bytes(80),), np.int8)
    count = len(setup.offsets) - 1
    for begin, end in ((0, 3), (3, 4)):
        for first, last in ((0, 2), (2, count)):
            trainer.infer(first, last, begin, end, 4, keys, 0.1, 0.02, 16, 80, scratch, np.zeros(2))
    for document in range(count):
        span = slice(*setup.offsets[document : document + 2])
        alone = copy.deepcopy(setup)
        alone.tokens = setup.tokens[span]
        alone.offsets = np.array([0, len(alone.tokens)])
        alone.documents = setup.documents[document : document + 1].copy()
        for epoch, key in enumerate(keys):
            alone.keys = tuple(map(int, key))
            rate = 0.1 + (0.02 - 0.1) * epoch / 4
            for start in range(0, len(alone.tokens), 16):
                reference.train(alone, start, min(start + 16, len(alone.tokens)), rate, rate)
        got = matrices["documents"][document, :17]
        np.testing.assert_allclose(got, alone.documents[0], atol=2e-5)
    np.testing.assert_array_equal(matrices["output"], padded(setup.output, 17))
    np.testing.assert_array_equal(matrices["input"], padded(setup.input, 17))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("options", FREEZABLE_CASES, ids=str)
def test_only_a_frozen_trainer_takes_matrices_that_are_read_only(level, options):
    """As a memory-mapped model has them."""
    setup = with_documents(make_setup(frozen=True, **options))
    results = []
    for writeable in (True, False):
        trainer, matrices = make_trainer(setup, level, writeable=writeable)
        trainer.set_epoch(1, 2, 3)
        scratch = aligned_empty((trainer.scratch_bytes(150),), np.int8)
        trainer.train(np.array([0]), len(setup.tokens), 150, 0.1, 0.1, scratch, np.zeros(2))
        results.append(matrices["documents"])
    np.testing.assert_array_equal(*results)
    setup.frozen = False
    with pytest.raises(ValueError, match="read-only"):
        make_trainer(setup, level, writeable=False)


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
