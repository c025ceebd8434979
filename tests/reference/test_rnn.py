"""The whole step of the reference against finite differences and against PyTorch."""

import numpy as np
import pytest

from tests.reference import rnn, rnn_cells
from tests.reference.differences import assert_slopes
from tests.reference.rnn_setups import make_batch, make_loss, make_model

SIZES = [1, 3, 17, 100, 129]
LOSSES = {
    "softmax": {},
    "sampled_softmax": {},
    "bpr_max": {"regularization": 0.7, "elu": 0.5},
    "top1_max": {},
}


def assert_step_follows_differences(model, batch, loss):
    # States that rows begin with are data: the slopes end there.
    outcome = rnn.step(model, batch, loss)

    def value():
        found = rnn.step(model, batch, loss)
        return found.loss / found.weight

    assert_slopes(value, model.parameters, outcome.gradients)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", rnn_cells.CELLS)
def test_layers_follow_finite_differences(cell, layers):
    model = make_model(cell, 3, layers, biased=True)
    assert_step_follows_differences(model, make_batch(model), make_loss("sampled_softmax"))


@pytest.mark.parametrize("scale", [0.0, 7.0])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_follow_finite_differences(name, tied, scale):
    model = make_model("gru", 4, tied=tied, width=3, biased=True, scale=scale)
    batch = make_batch(model, weighted=True)
    assert_step_follows_differences(model, batch, make_loss(name, **LOSSES[name]))


@pytest.mark.parametrize("units", SIZES)
@pytest.mark.parametrize("cell", rnn_cells.CELLS)
def test_odd_sizes_follow_finite_differences(cell, units):
    # Of this seed no ReLU stands so near its corner that a difference would reach across.
    model = make_model(cell, units, items=5, scale=4.0, seed=1)
    batch = make_batch(model, (2, 1))
    assert_step_follows_differences(model, batch, make_loss("sampled_softmax", 5))


@pytest.mark.parametrize("scale", [0.0, 7.0])
@pytest.mark.parametrize("one_hot", [True, False])
@pytest.mark.parametrize("cell", rnn_cells.CELLS)
def test_features_and_dropout_follow_finite_differences(cell, one_hot, scale):
    model = make_model(cell, 4, 2, features=6, one_hot=one_hot, scale=scale, biased=True)
    batch = make_batch(model, columns=3, dropout=(0.3, 0.4), weighted=True)
    assert_step_follows_differences(model, batch, make_loss("sampled_softmax"))


@pytest.mark.parametrize("name", LOSSES)
def test_rows_of_one_event_all_of_whose_negatives_are_masked_change_nothing(name):
    model = make_model("gru", 3, items=4, biased=True)
    batch = make_batch(model, (1, 1))
    batch.tokens[1::2] = 2
    loss = rnn.Loss(name, negatives=np.array([2, 2, 2]))
    outcome = rnn.step(model, batch, loss)
    if name == "softmax":  # over all items: there is no mask but the target's own
        assert outcome.loss > 0
        return
    assert outcome.loss == 0
    assert not any(gradient.any() for gradient in outcome.gradients.values())


def test_a_session_cut_in_two_leaves_the_state_of_the_whole():
    model = make_model("lstm", 4, 2)
    whole = make_batch(model, (6,))
    loss = make_loss("softmax")
    expected = rnn.step(model, whole, loss)
    first = rnn.Batch(whole.tokens, np.array([0]), np.array([2]), whole.states)
    half = rnn.step(model, first, loss)
    second = rnn.Batch(whole.tokens, np.array([2]), np.array([4]), half.states)
    rest = rnn.step(model, second, loss)
    np.testing.assert_allclose(rest.states, expected.states, rtol=1e-12)
    assert half.loss + rest.loss == pytest.approx(expected.loss, rel=1e-12)


@pytest.mark.parametrize("scale", [0.0, 16.0])
@pytest.mark.parametrize(
    ("cell", "name"), [("tanh", "RNN"), ("relu", "RNN"), ("gru", "GRU"), ("lstm", "LSTM")]
)
def test_gradients_are_those_of_pytorch(cell, name, scale):
    torch = pytest.importorskip("torch")
    from tests.reference.rnn_torch import Twin

    model = make_model(cell, 5, 2, biased=True, scale=scale)
    batch, loss = make_batch(model, weighted=True), make_loss("sampled_softmax")
    expected = rnn.step(model, batch, loss)
    twin = Twin(model, dtype=torch.float64)
    assert twin.step(batch, loss) == pytest.approx(expected.loss / expected.weight, rel=1e-12)
    gradients = twin.gradients()
    assert set(gradients) == set(expected.gradients)
    for key, gradient in expected.gradients.items():
        np.testing.assert_allclose(gradients[key], gradient, rtol=1e-9, atol=1e-13, err_msg=key)
