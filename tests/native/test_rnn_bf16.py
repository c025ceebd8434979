"""Training whose products round what they multiply to bfloat16, where a level has it."""

import numpy as np
import pytest

from fastrec.runtime import isa
from tests.native.rnn_nets import BF16_LEVELS, LEVELS, SIZES, Training
from tests.native.test_rnn import LOSSES, case
from tests.native.test_rnn_training import NETWORKS, assert_same_bits, make_case, parameters_after
from tests.reference import rnn_cells
from tests.reference.rnn_updates import Optimizer

SHORT, LONG = (1,) * 40, (9, 9, 7, 4, 4, 2, 1, 1)
# Operands are off by 2^-9 at most. A ReLU's slope jumps where a state is near zero.
ROUNDED, ROUNDED_BEFORE_A_JUMP = 1e-2, 1e-1
EXACT = 1e-4


def norm(arrays):
    """The length of all arrays together."""
    return sum(np.square(array).sum() for array in arrays) ** 0.5


def assert_is_rounded(made, level):
    """The gradient is near that of the reference, but not that of float32."""
    training = made.train(level, is_bf16=True)
    loss, weight = training.trainer.totals
    assert weight == pytest.approx(made.expected.weight, rel=1e-6)
    assert loss == pytest.approx(made.expected.loss, rel=ROUNDED)
    found, expected = training.gradients(), made.expected.gradients
    error = norm(found[name] - array for name, array in expected.items()) / norm(expected.values())
    assert EXACT < error < (ROUNDED_BEFORE_A_JUMP if made.model.cell == "relu" else ROUNDED)


@pytest.mark.parametrize("level", BF16_LEVELS)
@pytest.mark.parametrize("lengths", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("units", SIZES)
@pytest.mark.parametrize("cell", rnn_cells.CELLS)
def test_gradients_are_near_those_of_the_reference(cell, units, lengths, level):
    assert_is_rounded(case(cell=cell, units=units, lengths=lengths, biased=True), level)


@pytest.mark.parametrize("level", BF16_LEVELS)
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_every_loss_are_near_those_of_the_reference(name, tied, level):
    network = {"units": 33, "layers": 2, "tied": tied, "width": 13, "scale": 9.0}
    assert_is_rounded(case(name, weighted=True, **network), level)


@pytest.mark.parametrize("level", BF16_LEVELS)
@pytest.mark.parametrize("threads", [2, 3, 8])
@pytest.mark.parametrize("network", NETWORKS)
def test_threads_train_the_same_model_bit_by_bit(network, threads, level):
    made = make_case(seed=4, **NETWORKS[network])
    options = {"optimizer": Optimizer("adam"), "rate": 0.05, "level": level, "is_bf16": True}
    one = parameters_after(made, **options)
    many = parameters_after(made, threads=threads, calls=[(0, 1), (1, 3)], **options)
    assert_same_bits(one, many)


@pytest.mark.parametrize("level", BF16_LEVELS)
@pytest.mark.parametrize("name", LOSSES)
def test_nan_reaches_the_loss(name, level):
    made = case(name, units=5)
    training = Training(made.model, made.loss, noise=made.noise, level=level, is_bf16=True)
    training.net.inputs[made.batch.tokens[made.batch.starts[0]], 2] = np.nan
    assert training.run(made.batch)
    assert not np.isfinite(training.trainer.totals[0])


@pytest.mark.parametrize("level", [level for level in LEVELS if level not in BF16_LEVELS])
def test_a_level_without_bfloat16_refuses_it(level):
    assert not isa.load("rnn", at=level).HAS_BF16
    made = case(units=5)
    with pytest.raises(ValueError, match="no products of bfloat16"):
        made.train(level, is_bf16=True)
