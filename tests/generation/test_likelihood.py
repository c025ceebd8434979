"""Log-likelihood and perplexity against the probabilities of a net in float64."""

import numpy as np
import pytest

from fastrec.errors import InputError, NotFittedError, UnknownIdError
from fastrec.generation import likelihood
from tests.generation.fakes import FakeModel, MarkovNetwork, TanhNetwork, softmax_logs

NETWORK = TanhNetwork(50, 13)
PLAYLISTS = [[10, 20, 30], [40], [], [490, 10, 10, 20, 480, 0, 30], [70, 80]]


def truth(playlist):
    codes = [track // 10 for track in playlist]
    return [softmax_logs(NETWORK, codes[:step])[codes[step]] for step in range(1, len(codes))]


@pytest.mark.parametrize("at_once", [2, 4096])
def test_log_likelihood_is_that_of_the_softmax(monkeypatch, at_once):
    monkeypatch.setattr(likelihood, "QUERIES_AT_ONCE", at_once)
    model = FakeModel(NETWORK)
    sums = model.log_likelihood(PLAYLISTS)
    np.testing.assert_allclose(sums, [sum(truth(each)) for each in PLAYLISTS], atol=1e-4)
    steps = model.log_likelihood(PLAYLISTS, per_step=True)
    for own, playlist in zip(steps, PLAYLISTS, strict=True):
        np.testing.assert_allclose(own, truth(playlist), atol=1e-5)


def test_perplexity_is_over_the_tracks_of_all_playlists():
    steps = np.concatenate([truth(each) for each in PLAYLISTS])
    assert FakeModel(NETWORK).perplexity(PLAYLISTS) == pytest.approx(
        np.exp(-steps.mean()), rel=1e-5
    )


def test_perplexity_of_a_net_that_knows_nothing_is_the_number_of_tracks():
    model = FakeModel(MarkovNetwork(np.full((64, 64), 1 / 64)))
    assert model.perplexity([[0, 10, 20]]) == pytest.approx(64, rel=1e-6)


def test_what_is_generated_has_the_likelihood_that_is_told():
    model = FakeModel(NETWORK)
    found = model.generate([[10], [20]], 6)
    whole = [[10, *found.to_lists()[0]], [20, *found.to_lists()[1]]]
    np.testing.assert_allclose(model.log_likelihood(whole), found.totals, atol=1e-5)


def test_unknown_tracks_are_refused_or_left_out():
    model = FakeModel(NETWORK)
    with pytest.raises(UnknownIdError, match="7"):
        model.log_likelihood([[10, 7, 20]])
    found = model.log_likelihood([[10, 7, 20]], on_unknown="ignore")
    np.testing.assert_array_equal(found, model.log_likelihood([[10, 20]]))


def test_there_must_be_something_to_predict():
    with pytest.raises(InputError, match="no second track"):
        FakeModel(NETWORK).perplexity([[10], []])
    assert FakeModel(NETWORK).log_likelihood([]).shape == (0,)


def test_a_model_must_be_fitted():
    model = FakeModel(NETWORK)
    model._network = None
    for call in (
        lambda: model.log_likelihood([[10, 20]]),
        lambda: model.generate([[10]], 2),
        model.session,
        lambda: model.session_from_bytes(b""),
    ):
        with pytest.raises(NotFittedError):
            call()
