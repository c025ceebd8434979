"""The noise distribution and the thresholds of sub-sampling, against their formulas."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrec.training.negatives import keep_thresholds, noise_table

counts_of_items = st.lists(st.integers(0, 10**6), min_size=1, max_size=30).filter(any)


def shares_of(table):
    """Return the probability of each item, by definition of the table.

    An entry holds a threshold in its low half and another item in its high half: an item
    is drawn evenly, and gives way to the other one where 32 bits are above the threshold.
    """
    shares = np.zeros(len(table))
    for item, entry in enumerate(table.tolist()):
        keep, other = ((entry & 0xFFFFFFFF) + 1) / 2**32, entry >> 32
        shares[item] += keep / len(table)
        shares[other] += (1 - keep) / len(table)
    return shares


@given(counts_of_items, st.sampled_from([-1.0, -0.5, 0.0, 0.5, 0.75, 1.0]))
def test_noise_is_drawn_by_a_power_of_the_counts(counts, exponent):
    weights = [count**exponent if count else 0.0 for count in counts]
    expected = np.array(weights) / math.fsum(weights)
    shares = shares_of(noise_table(np.array(counts), exponent))
    np.testing.assert_allclose(shares, expected, atol=1e-8)


def test_items_that_were_not_seen_are_as_good_as_never_drawn():
    shares = shares_of(noise_table(np.array([5, 0, 3, 0]), 0.0))
    assert (shares[[1, 3]] < 2**-32).all()


def test_huge_counts_and_exponents_stay_finite():
    shares = shares_of(noise_table(np.array([10**15, 10**15, 1]), 8.0))
    np.testing.assert_allclose(shares, [0.5, 0.5, 0], atol=1e-8)


def test_without_subsampling_everything_is_kept():
    assert keep_thresholds(np.array([1, 2]), 0.0) is None


@given(counts_of_items, st.floats(1e-6, 1))
def test_occurrences_are_kept_as_in_word2vec(counts, subsample):
    thresholds = keep_thresholds(np.array(counts), subsample)
    assert thresholds.dtype == np.uint32
    for count, threshold in zip(counts, thresholds, strict=True):
        frequency = max(count, 1) / sum(counts)
        kept = math.sqrt(subsample / frequency) + subsample / frequency
        assert threshold / 2**32 == pytest.approx(min(kept, 1), abs=1e-9)
