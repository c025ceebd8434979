"""Gradients of the compiled recurrent nets against the float64 reference and against PyTorch."""

from functools import cache

import numpy as np
import pytest

from tests.native.rnn_nets import (
    KEY,
    LEVELS,
    SIZES,
    Training,
    as_float32,
    assert_close,
    drawn_negatives,
    noise_table,
    set_masks,
)
from tests.reference import rnn, rnn_cells
from tests.reference.rnn_setups import make_batch, make_model

LENGTHS = (6, 5, 5, 3, 2, 2, 2, 1, 1, 1)
LOSSES = {
    "softmax": {},
    "sampled_softmax": {},
    "bpr_max": {"regularization": 0.7, "elu": 0.5},
    "top1_max": {},
}


class Case:
    """A model, a step and the reference's outcome of it."""

    def __init__(
        self, name, negatives, lengths, columns, weighted, dropout, log_q, options, **network
    ):
        network.setdefault("features", 6 if columns else 0)
        self.dropout = dropout
        self.model = as_float32(make_model(**network))
        items = len(self.model.outputs)
        self.batch = make_batch(self.model, lengths, weighted=weighted, columns=columns)
        for array in (self.batch.weights, self.batch.feature_values):
            if array is not None:
                array[:] = np.float32(array)
        shares = np.random.default_rng(2).dirichlet(np.ones(items))
        self.noise = noise_table(shares)
        self.loss = rnn.Loss(name, **options)
        if name != "softmax":
            self.loss.negatives = drawn_negatives(self.noise, 0, negatives)
        if name == "sampled_softmax" and log_q:
            self.loss.log_q = np.float64(np.float32(np.log(negatives * shares)))
        if any(dropout):
            set_masks(self.model, self.batch, 0, dropout)
        self.expected = rnn.step(self.model, self.batch, self.loss)

    def train(self, level=None, **options):
        training = Training(
            self.model, self.loss, noise=self.noise, level=level, dropout=self.dropout, **options
        )
        training.set_states(np.float32(self.batch.states))
        assert training.run(self.batch)
        return training

    def assert_follows(self, level, **options):
        training = self.train(level, **options)
        loss, weight = training.trainer.totals
        assert weight == pytest.approx(self.expected.weight, rel=1e-6)
        assert loss == pytest.approx(self.expected.loss, rel=1e-5, abs=1e-6)
        assert_close(training.gradients(), self.expected.gradients)
        states = {"states": training.states(len(self.batch.starts))}
        assert_close(states, {"states": self.expected.states})
        return training


@cache
def case(
    name="sampled_softmax",
    negatives=23,
    lengths=LENGTHS,
    columns=0,
    weighted=False,
    dropout=(0.0, 0.0),
    log_q=True,
    **network,
):
    """A case, made once for all levels that are compared with it."""
    return Case(
        name, negatives, lengths, columns, weighted, dropout, log_q, LOSSES[name], **network
    )


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("units", SIZES)
@pytest.mark.parametrize("cell", rnn_cells.CELLS)
def test_gradients_of_odd_sizes_are_those_of_the_reference(cell, units, level):
    case(cell=cell, units=units, biased=True).assert_follows(level)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("scale", [0.0, 9.0])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_every_loss_are_those_of_the_reference(name, tied, scale, level):
    network = {"units": 17, "tied": tied, "width": 12, "scale": scale, "biased": not tied}
    case(name, weighted=True, **network).assert_follows(level)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("layers", [2, 3])
@pytest.mark.parametrize("cell", rnn_cells.CELLS)
def test_gradients_of_layers_are_those_of_the_reference(cell, layers, level):
    case(cell=cell, units=19, layers=layers, scale=5.0).assert_follows(level)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("scale", [0.0, 9.0])
@pytest.mark.parametrize("one_hot", [True, False])
@pytest.mark.parametrize("cell", rnn_cells.CELLS)
def test_gradients_of_features_and_dropout_are_those_of_the_reference(cell, one_hot, scale, level):
    network = {"cell": cell, "units": 17, "one_hot": one_hot, "scale": scale}
    case(columns=3, dropout=(0.3, 0.4), weighted=True, **network).assert_follows(level)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("events", [1, 5, 8, 9, 12, 15, 16, 17, 23, 24, 25, 33, 49])
def test_any_number_of_events_is_scored(events, level):
    case(lengths=(1,) * events, units=5).assert_follows(level)


@pytest.mark.parametrize("level", LEVELS)
def test_many_samples_are_scored_part_by_part(level):
    case(negatives=530, units=20, items=40, lengths=(3, 1), biased=True).assert_follows(level)


@pytest.mark.parametrize("level", LEVELS)
def test_many_rows_are_trained_tile_by_tile(level):
    lengths = tuple(sorted(np.random.default_rng(0).integers(1, 13, 60).tolist(), reverse=True))
    case(lengths=lengths, units=17, layers=2, scale=9.0).assert_follows(level)


@pytest.mark.parametrize("level", LEVELS)
def test_without_log_q_scores_are_compared_as_they_are(level):
    case(log_q=False, units=5).assert_follows(level)


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_gradients_do_not_depend_on_threads(threads):
    made = case(units=100, columns=3, weighted=True, biased=True)
    one, many = made.train().gradients(), made.train(threads=threads).gradients()
    for name, gradient in one.items():
        np.testing.assert_array_equal(many[name], gradient, err_msg=name)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", ["sampled_softmax", "bpr_max", "top1_max"])
def test_events_all_of_whose_negatives_are_masked_change_nothing(name, level):
    model = as_float32(make_model("gru", 5, items=4, biased=True))
    batch = make_batch(model, (1, 1))
    batch.tokens[1::2] = 2
    loss = rnn.Loss(name, negatives=np.array([2, 2, 2]))
    training = Training(model, loss, noise=noise_table([0, 0, 1.0, 0]), level=level)
    assert training.run(batch)
    assert training.trainer.totals == (0.0, 2.0)
    for gradient in training.gradients().values():
        assert not gradient.any()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", LOSSES)
def test_nan_reaches_the_loss(name, level):
    made = case(name, units=5)
    training = Training(made.model, made.loss, noise=made.noise, level=level)
    training.net.inputs[made.batch.tokens[made.batch.starts[0]], 2] = np.nan
    assert training.run(made.batch)
    assert not np.isfinite(training.trainer.totals[0])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("scale", [0.0, 16.0])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", ["softmax", "sampled_softmax"])
@pytest.mark.parametrize("cell", rnn_cells.CELLS)
def test_gradients_are_those_of_pytorch(cell, name, layers, scale, level):
    pytest.importorskip("torch")
    from tests.reference.rnn_torch import Twin

    made = case(name, cell=cell, units=24, layers=layers, scale=scale, biased=True)
    training = made.train(level)
    twin = Twin(made.model)
    mean = twin.step(made.batch, made.loss)
    assert np.divide(*training.trainer.totals) == pytest.approx(mean, rel=1e-5)
    assert_close(training.gradients(), twin.gradients())


def test_the_key_of_the_tests_draws_other_negatives_at_other_steps():
    noise = noise_table(np.ones(50))
    one, other = (drawn_negatives(noise, step, 20, KEY) for step in (0, 1))
    assert (one != other).any()
