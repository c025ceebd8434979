"""Every loss of the reference against finite differences, and at its corners."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.reference import rnn_losses
from tests.reference.differences import STEP, assert_slopes

OPTIONS = [
    ("softmax", {}),
    ("sampled_softmax", {}),
    ("sampled_softmax", {"log_q": True}),
    ("bpr_max", {}),
    ("bpr_max", {"regularization": 1.95}),
    ("bpr_max", {"regularization": 0.4, "alpha": 0.5}),
    ("top1_max", {}),
    ("top1_max", {"alpha": 1.0}),
]


@pytest.mark.parametrize(("name", "options"), OPTIONS)
@given(count=st.integers(1, 40), seed=st.integers(0, 1000), spread=st.sampled_from([0.1, 1, 3]))
def test_a_loss_follows_finite_differences(name, options, count, seed, spread):
    random = np.random.default_rng(seed)
    scores = {
        "target": random.normal(size=1) * spread,
        "others": random.normal(size=count) * spread,
    }
    if options.get("alpha"):  # no difference reaches across the corner of an ELU
        assume(all(np.abs(array).min() > 10 * STEP for array in scores.values()))
    kept = random.random(count) < 0.8
    if options.get("log_q"):
        options = options | {"log_q": (random.normal(), random.normal(size=count))}

    def slopes():
        return rnn_losses.event_loss(name, scores["target"][0], scores["others"], kept, **options)

    _, d_target, d_others = slopes()
    found = {"target": np.array([d_target]), "others": d_others}
    assert_slopes(lambda: slopes()[0], scores, found)
    assert not d_others[~kept].any()


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_an_event_whose_negatives_are_all_masked_teaches_nothing(name, options):
    options = options | ({"log_q": (0.5, np.ones(3))} if "log_q" in options else {})
    loss, d_target, d_others = rnn_losses.event_loss(
        name, 0.3, np.array([1.0, 2.0, 3.0]), np.zeros(3, dtype=bool), **options
    )
    assert loss == d_target == 0
    assert not d_others.any()


def test_sampled_softmax_over_all_items_is_the_softmax():
    scores = np.random.default_rng(0).normal(size=9)
    everything = rnn_losses.event_loss("softmax", scores[4], scores, np.arange(9) != 4)
    assert everything[0] == pytest.approx(-np.log(rnn_losses.softmax(scores)[4]))


def test_bpr_max_is_the_pairwise_loss_where_one_negative_is_left():
    loss, *_ = rnn_losses.event_loss("bpr_max", 1.0, np.array([0.25]), np.ones(1, dtype=bool))
    assert loss == pytest.approx(np.log1p(np.exp(-0.75)))


def test_top1_max_of_equal_scores_is_the_mean_over_the_negatives():
    loss, *_ = rnn_losses.event_loss("top1_max", 0.0, np.zeros(4), np.ones(4, dtype=bool))
    assert loss == pytest.approx(1.0)
