"""The compiled products against float64, at every ISA level: of float32 and of bfloat16 numbers."""

import itertools
import sys

import numpy as np
import pytest

from fastrec.runtime import isa
from tests.reference.bf16 import rounded

LEVELS = isa.available_levels()
FORMATS = [
    pytest.param(level, is_bf16, id=f"{level}-{'bf16' if is_bf16 else 'float32'}")
    for level in LEVELS
    for is_bf16 in (False, True)
    if not is_bf16 or isa.load("product", at=level).HAS_BF16
]
SIZES = [1, 3, 17, 100, 129]
KINDS = ["nn", "tn", "packed_nn", "packed_nt"]


def spaced(rows, columns, seed, gap=5):
    """A matrix at random, whose rows lie ``gap`` numbers apart."""
    wide = np.random.default_rng(seed).normal(size=(rows, columns + gap)).astype(np.float32)
    return wide[:, :columns]


def operands(m, n, k, kind, seed=0):
    """A and B as they lie for a kind of product, and both as (m, k) and (k, n)."""
    a = spaced(k, m, seed) if kind == "tn" else spaced(m, k, seed)
    b = spaced(n, k, seed + 1) if kind.endswith("nt") else spaced(k, n, seed + 1)
    return a, b, a.T if kind == "tn" else a, b.T if kind.endswith("nt") else b


def multiply(level, is_bf16, kind, a, b, c, accumulate=False):
    module = isa.load("product", at=level)
    if kind.startswith("packed"):
        module.Packed(b, kind == "packed_nt", is_bf16).multiply(a, c, accumulate)
    else:
        getattr(module, f"multiply_{kind}")(a, b, c, accumulate, is_bf16)


def assert_is_product(result, a, b, start, is_bf16):
    """Every element is within the rounding of its own k steps, once the operands are rounded."""
    if is_bf16:
        a, b = rounded(a), rounded(b)
    a, b = a.astype(np.float64), b.astype(np.float64)
    bound = np.abs(a) @ np.abs(b) + np.abs(start)
    error = np.abs(result - (a @ b + start))
    assert (error <= 2**-23 * (4 + a.shape[1] ** 0.5) * bound).all()


@pytest.mark.parametrize(("level", "is_bf16"), FORMATS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", SIZES)
def test_product_equals_float64(level, is_bf16, kind, k):
    for m, n in itertools.product(SIZES, SIZES):
        a, b, left, right = operands(m, n, k, kind)
        c = spaced(m, n, seed=2)
        before = c.base.copy()
        for accumulate in (False, True):
            start = c.astype(np.float64) if accumulate else np.zeros((m, n))
            multiply(level, is_bf16, kind, a, b, c, accumulate)
            assert_is_product(c, left, right, start, is_bf16)
        np.testing.assert_array_equal(c.base[:, n:], before[:, n:])


@pytest.mark.parametrize(("level", "is_bf16"), FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_product_of_blocks_equals_float64(level, is_bf16, kind):
    """Sizes at which every block of rows, columns and depth is full once and once not."""
    a, b, left, right = operands(531, 65, 1100, kind)
    c = np.empty((531, 65), np.float32)
    multiply(level, is_bf16, kind, a, b, c)
    assert_is_product(c, left, right, np.zeros(c.shape), is_bf16)


@pytest.mark.parametrize(("level", "is_bf16"), FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_sum_of_nothing_is_zero(level, is_bf16, kind):
    a, b, _, _ = operands(5, 7, 0, kind)
    c = np.full((5, 7), np.nan, np.float32)
    multiply(level, is_bf16, kind, a, b, c)
    np.testing.assert_array_equal(c, 0)


@pytest.mark.parametrize(("level", "is_bf16"), FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_sum_of_nothing_leaves_what_it_is_added_to(level, is_bf16, kind):
    a, b, _, _ = operands(5, 7, 0, kind)
    c = np.full((5, 7), 3, np.float32)
    multiply(level, is_bf16, kind, a, b, c, accumulate=True)
    np.testing.assert_array_equal(c, 3)


@pytest.mark.parametrize(("level", "is_bf16"), FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_product_without_rows_or_columns_writes_nothing(level, is_bf16, kind):
    for m, n in ((0, 7), (5, 0)):
        a, b, _, _ = operands(m, n, 4, kind)
        c = spaced(max(m, 1), max(n, 1), seed=2)
        before = c.copy()
        multiply(level, is_bf16, kind, a, b, c[:m, :n])
        np.testing.assert_array_equal(c, before)


@pytest.mark.parametrize(("level", "is_bf16"), FORMATS)
def test_all_kinds_and_splits_give_the_same_bits(level, is_bf16):
    """Rows and columns cut anywhere, depth cut and accumulated, operands laid out either way."""
    m, n, k = 129, 131, 300
    a, b = spaced(m, k, 0), spaced(k, n, 1)
    laid_out = {
        "nn": (a, b),
        "tn": (a.T.copy(), b),
        "packed_nn": (a, b),
        "packed_nt": (a, b.T.copy()),
    }
    whole = np.empty((m, n), np.float32)
    multiply(level, is_bf16, "nn", a, b, whole)
    for kind, (left, right) in laid_out.items():
        for cut in (0, 1, 7, 16, 50, 100):
            c = np.full((m, n), np.nan, np.float32)
            for rows, columns in itertools.product(
                (slice(0, cut), slice(cut, None)), (slice(0, cut), slice(cut, None))
            ):
                some = left[:, rows] if kind == "tn" else left[rows]
                others = right[columns] if kind.endswith("nt") else right[:, columns]
                for depth in (slice(0, 2 * cut), slice(2 * cut, None)):
                    multiply(
                        level,
                        is_bf16,
                        kind,
                        some[depth] if kind == "tn" else some[:, depth],
                        others[:, depth] if kind.endswith("nt") else others[depth],
                        c[rows, columns],
                        accumulate=depth.start > 0,
                    )
            np.testing.assert_array_equal(c.view(np.int32), whole.view(np.int32))


@pytest.mark.parametrize(("level", "is_bf16"), FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_values_that_are_not_finite_stay_in_their_row_and_column(level, is_bf16, kind):
    a, b, left, right = operands(17, 35, 33, kind)
    left[3, 5] = np.inf
    right[7, 34] = np.nan
    c = np.empty((17, 35), np.float32)
    multiply(level, is_bf16, kind, a, b, c)
    expected = np.isfinite(left.astype(np.float64) @ right.astype(np.float64))
    np.testing.assert_array_equal(np.isfinite(c), expected)


def test_a_level_of_this_machine_has_bfloat16_where_the_processor_does():
    assert {level for level in LEVELS if isa.load("product", at=level).HAS_BF16} <= {"avx512"}
    if sys.platform != "win32":  # whose compiler is not asked for it
        assert ("avx512" in LEVELS) == isa.load("product", at=LEVELS[0]).HAS_BF16


@pytest.mark.parametrize(("level", "is_bf16"), [one for one in FORMATS if one.values[1]])
def test_subnormal_numbers_count_as_zero_among_bfloat16(level, is_bf16):
    a, b = np.float32([[2**-130, 1.0]]), np.float32([[2.0**100], [3.0]])
    c = np.empty((1, 1), np.float32)
    multiply(level, is_bf16, "nn", a, b, c)
    assert c[0, 0] == 3.0
