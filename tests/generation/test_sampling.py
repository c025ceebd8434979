"""Sampling: draws follow the softmax, whatever is cut off, and depend on the seed alone."""

import numpy as np
import pytest
from scipy import stats

from fastrec.errors import InputError
from fastrec.generation.sampling import Choice, _picked
from fastrec.runtime.random import mix64, stream_key, uniforms
from tests.generation.fakes import FakeModel, MarkovNetwork, TanhNetwork, softmax_logs


def softmax(scores):
    weights = np.exp(np.float64(scores) - np.max(scores))
    return weights / weights.sum()


def assert_drawn_from(counts, chances):
    """Fail where a chi-square test tells the counts from the chances, p < .001."""
    is_possible = chances > 0
    assert counts[~is_possible].sum() == 0
    expected = chances[is_possible] * counts.sum()
    assert expected.min() > 5
    assert stats.chisquare(counts[is_possible], expected).pvalue > 0.001


def test_a_million_draws_follow_the_softmax():
    random = np.random.default_rng(0)
    chances = softmax(random.standard_normal(100))
    model = FakeModel(MarkovNetwork(np.tile(chances, (100, 1))))
    counts = np.zeros(100, np.int64)
    start = [[0]] * 1000
    found = model.generate(start, 1000, strategy="sample", seed=7, allow_repeats=True)
    counts = np.bincount(found.items.ravel() // 10, minlength=100)
    assert counts.sum() == 10**6
    assert_drawn_from(counts, chances)
    expected = np.log(chances)[found.items // 10]
    np.testing.assert_allclose(found.log_probabilities, expected, atol=2e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.5},
        {"temperature": 2.0},
        {"top_k": 7},
        {"top_p": 0.6},
        {"top_p": 0.6, "top_k": 20, "temperature": 1.5},
        {"top_p": 1.0},
        {"top_k": 1000},
    ],
    ids=str,
)
def test_what_is_drawn_from_is_cut_off_right(options):
    scores = np.float32(np.random.default_rng(1).standard_normal(60) * 0.7)
    chances = softmax(scores / options.get("temperature", 1.0))
    if options.get("top_k", 60) < 60:
        order = np.argsort(-chances)
        chances[order[options["top_k"] :]] = 0
        chances /= chances.sum()
    if options.get("top_p", 1.0) < 1:
        order = np.argsort(-chances)
        below = np.cumsum(chances[order])
        enough = int(np.searchsorted(below, options["top_p"])) + 1
        chances[order[enough:]] = 0
        chances /= chances.sum()
    rows = np.tile(scores / np.float32(options.get("temperature", 1.0)), (50_000, 1))
    picked = _picked(rows, Choice(**options), uniforms(stream_key(3, "test"), np.arange(50_000)))
    assert_drawn_from(np.bincount(picked, minlength=60), chances)


def test_a_wide_nucleus_is_found_in_a_large_catalogue():
    scores = np.float32(np.random.default_rng(2).standard_normal(5000))
    chances = softmax(scores)
    order = np.argsort(-chances)
    enough = int(np.searchsorted(np.cumsum(chances[order]), 0.9)) + 1
    assert enough > 256
    random = uniforms(stream_key(3, "test"), np.arange(2000))
    picked = _picked(np.tile(scores, (2000, 1)), Choice(top_p=0.9), random)
    rank = np.argsort(order)[picked]
    assert rank.max() < enough
    assert rank.max() > 0.9 * enough


def test_rules_leave_the_softmax_of_what_may_be_played():
    network = TanhNetwork(40, 9)
    model = FakeModel(network)
    groups = {code * 10: code % 5 for code in range(40)}
    starts = [[20, 30]] * 20_000
    found = model.generate(
        starts,
        1,
        strategy="sample",
        seed=5,
        exclude=[40, 50],
        allow=np.arange(1, 36) * 10,
        groups=groups,
        max_in_row=1,
        max_per_group=1,
    )
    logs = softmax_logs(network, [2, 3])
    open_ = [code for code in range(1, 36) if code not in (2, 3, 4, 5) and code % 5 not in (2, 3)]
    chances = np.zeros(40)
    chances[open_] = np.exp(logs[open_])
    counts = np.bincount(found.items[:, 0] // 10, minlength=40)
    likely = chances / chances.sum() > 5e-4
    assert counts[chances == 0].sum() == 0
    counts, chances = counts * likely, np.where(likely, chances, 0)
    assert_drawn_from(counts, chances / chances.sum())
    np.testing.assert_allclose(
        found.log_probabilities[:, 0], logs[found.items[:, 0] // 10], atol=1e-5
    )


def test_novelty_is_taken_off_the_scores_that_are_drawn_from():
    scores = np.random.default_rng(1).standard_normal(30)
    plays = np.arange(1, 31) ** 2
    model = FakeModel(MarkovNetwork(np.tile(softmax(scores), (30, 1))), counts=plays)
    found = model.generate(
        [[0]] * 1000, 50, strategy="sample", novelty=0.5, allow_repeats=True, temperature=2.0
    )
    chances = softmax((scores - 0.5 * np.log(plays)) / 2.0)
    assert_drawn_from(np.bincount(found.items.ravel() // 10, minlength=30), chances)


def test_the_seed_decides_what_is_drawn():
    model = FakeModel(TanhNetwork(300, 9))
    starts = [[10], [10], [20]]
    one = model.generate(starts, 12, strategy="sample", seed=1)
    again = model.generate(starts, 12, strategy="sample", seed=1)
    other = model.generate(starts, 12, strategy="sample", seed=2)
    np.testing.assert_array_equal(one.items, again.items)
    assert (one.items != other.items).any()
    assert one.to_lists()[0] != one.to_lists()[1]
    zero = model.generate(starts, 12, strategy="sample", seed=0)
    np.testing.assert_array_equal(zero.items, model.generate(starts, 12, strategy="sample").items)


def test_a_track_that_nearly_all_probability_lies_on_can_be_ruled_out():
    chances = np.full((5, 5), 1e-30)
    chances[:, 1] = 1
    chances[:, 2] = 3e-30
    model = FakeModel(MarkovNetwork(chances))
    found = model.generate([[10]] * 4000, 1, strategy="sample")
    counts = np.bincount(found.items[:, 0] // 10, minlength=5)
    assert_drawn_from(counts, np.array([1, 0, 3, 1, 1]) / 6)


def test_a_low_temperature_is_greedy():
    model = FakeModel(TanhNetwork(300, 9))
    found = model.generate([[10], [20]], 8, strategy="sample", temperature=1e-4)
    np.testing.assert_array_equal(found.items, model.generate([[10], [20]], 8).items)


@pytest.mark.parametrize("loss", ["bpr_max", "top1_max"])
def test_ranking_losses_give_no_probabilities(loss):
    model = FakeModel(TanhNetwork(30, 9), loss=loss)
    with pytest.raises(InputError, match=f"loss='{loss}' ranks .* draws tracks"):
        model.generate([[10]], 3, strategy="sample")
    with pytest.raises(InputError, match="knows how likely a playlist is"):
        model.log_likelihood([[10, 20]])
    with pytest.raises(InputError, match="train with loss='sampled_softmax'"):
        model.perplexity([[10, 20]])
    assert model.generate([[10]], 3).counts.tolist() == [3]


def test_uniforms_are_numbers_of_the_stream():
    key = stream_key(5, "somewhere")
    found = uniforms(key, np.array([0, 3, 10**9]))
    for place, number in zip((0, 3, 10**9), found, strict=True):
        value = mix64((key + (place + 1) * 0x9E3779B97F4A7C15) % 2**64)
        assert number == (value >> 11) * 2.0**-53


def test_the_ends_of_the_unit_interval_draw_tracks_that_have_a_weight():
    scores = np.full((2, 6), -np.inf, np.float32)
    scores[:, 1:5] = 0.3, -200, 0.1, -200
    largest = np.array([0.0, 1 - 2.0**-53])
    assert _picked(scores, Choice(), largest).tolist() == [1, 3]
    assert _picked(scores, Choice(top_k=3), largest).tolist() == [1, 3]
    assert _picked(scores, Choice(top_p=1.0), largest).tolist() == [1, 3]
    assert _picked(np.full((1, 6), -np.inf, np.float32), Choice(), largest[:1]).tolist() == [-1]
