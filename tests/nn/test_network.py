"""What the net owns and hands on; the arithmetic of its cells is tested with the kernel."""

import dataclasses

import numpy as np
import pytest

from fastrec.data import Ragged
from fastrec.nn.network import GATES, ITEM_INPUTS, Architecture, RecurrentNetwork, StepFeatures

PLAIN = Architecture("gru", 1, 17, "tied", 17, 16.0, False)


def network(items=30, features=4, seed=1, **changes):
    architecture = dataclasses.replace(PLAIN, **changes)
    if architecture.item_inputs == "tied":
        architecture = dataclasses.replace(architecture, dim=architecture.units)
    return RecurrentNetwork.new(architecture, items, features, seed)


def histories(count=70, items=30, seed=0):
    random = np.random.default_rng(seed)
    return Ragged.from_lists(
        [random.integers(0, items, random.integers(0, 9)) for _ in range(count)]
    )


@pytest.mark.parametrize("cell", GATES)
@pytest.mark.parametrize("item_inputs", ITEM_INPUTS)
@pytest.mark.parametrize("layers", [1, 2])
def test_encode_is_advance_event_by_event(cell, item_inputs, layers):
    net = network(cell=cell, item_inputs=item_inputs, layers=layers, dim=5)
    net.features[:, :5] = 0.3
    asked = histories()
    random = np.random.default_rng(3)
    ids = random.integers(-1, 4, (asked.total, 2)).astype(np.int32)
    values = random.normal(size=ids.shape).astype(np.float32)
    states = net.zero_states(len(asked))
    for step in range(max(asked.lengths)):
        is_on = asked.lengths > step
        places = np.where(is_on, asked.offsets[:-1] + step, 0)
        rows = np.where(is_on, asked.values[places], -1).astype(np.int32)
        net.advance(states, rows, StepFeatures(ids[places], values[places]))
    whole = net.encode(asked, StepFeatures(ids, values))
    np.testing.assert_allclose(whole, states, rtol=2e-5, atol=2e-6)
    assert np.abs(whole).max() > 0.01


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_threads_change_no_bit(threads):
    net, asked = network(), histories(300)
    one = net.queries(net.encode(asked, threads=1), threads=1)
    np.testing.assert_array_equal(net.queries(net.encode(asked, threads=threads), threads), one)


def test_a_slice_of_histories_is_encoded_like_the_whole():
    net, asked = network(), histories()
    whole, part = net.encode(asked), net.encode(asked.slice(20, 40))
    np.testing.assert_allclose(part, whole[20:40], rtol=1e-5, atol=1e-6)


def test_an_empty_history_has_the_state_of_nothing_heard():
    net = network()
    states = net.encode(Ragged.from_lists([[], [3]]))
    assert (states[0] == 0).all()
    assert (states[1] != 0).any()
    assert net.encode(Ragged.from_lists([])).shape == (0, states.shape[1])


def test_cosine_queries_have_the_length_of_the_scale():
    net = network(scale=16.0)
    queries = net.queries(net.encode(Ragged.from_lists([[1, 2], [3]])))
    assert queries.shape == (2, 17)
    np.testing.assert_allclose(np.linalg.norm(queries, axis=1), 16, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(net.output_vectors(), axis=1), 1, rtol=1e-5)


def test_dot_products_take_states_and_vectors_as_they_are():
    net = network(scale=0.0)
    states = net.encode(Ragged.from_lists([[1, 2], [3]]))
    np.testing.assert_array_equal(net.queries(states), states[:, :17])
    np.testing.assert_array_equal(net.output_vectors(), net.outputs[:, :17])


@pytest.mark.parametrize("item_inputs", ITEM_INPUTS)
@pytest.mark.parametrize("units", [1, 3, 17, 100, 129])
def test_padding_is_zero_and_the_rest_is_random(item_inputs, units):
    net = network(units=units, item_inputs=item_inputs, dim=7, has_bias=True, items=2000)
    bound = units**-0.5
    assert (net.outputs[:, units:] == 0).all()
    drawn = net.outputs[:, :units]
    assert np.abs(drawn).max() <= bound
    assert np.abs(drawn).max() > 0.98 * bound
    weights = net.weights()
    kept = sum(np.count_nonzero(view) for view in weights.values())
    assert np.count_nonzero(net.dense) == kept  # nothing but what the views show
    assert (weights["layer0.bias"] == 0).all()
    assert ("layer0.input_weights" in weights) == (item_inputs != "gates")
    assert weights["layer0.state_weights"].shape == (units, 3, units)


def test_tied_vectors_are_one_array():
    tied = network()
    assert tied.inputs is tied.outputs
    separate = network(item_inputs="separate", dim=5)
    assert separate.inputs.shape == (30, 16)
    assert network(item_inputs="gates").inputs.shape == (30, 3 * 32)


@pytest.mark.parametrize("item_inputs", ITEM_INPUTS)
def test_a_larger_net_keeps_the_old_rows_and_copies(item_inputs):
    net = network(item_inputs=item_inputs, dim=5, has_bias=True)
    net.bias[:] = 2
    net.features[:] = 3
    larger = net.extended(33, 5, seed=1)
    np.testing.assert_array_equal(larger.outputs[:30], net.outputs)
    np.testing.assert_array_equal(larger.inputs[:30], net.inputs)
    np.testing.assert_array_equal(larger.dense, net.dense)
    assert larger.bias.tolist() == [2] * 30 + [0] * 3
    assert (larger.features[:4] == 3).all()
    assert (larger.features[4] == 0).all()
    assert (larger.outputs[30:, :17] != 0).all()
    for name, array in larger.arrays().items():
        assert not np.shares_memory(array, net.arrays()[name])


@pytest.mark.parametrize("item_inputs", ITEM_INPUTS)
def test_a_net_comes_back_from_its_arrays(item_inputs):
    net = network(item_inputs=item_inputs, dim=5, has_bias=True)
    twin = RecurrentNetwork.restored(net.architecture, net.arrays(), 30)
    asked = histories()
    np.testing.assert_array_equal(twin.encode(asked), net.encode(asked))


def test_arrays_of_another_shape_are_refused():
    net = network()
    with pytest.raises(ValueError, match="item_vectors of shape"):
        RecurrentNetwork.restored(net.architecture, net.arrays(), 31)
    with pytest.raises(KeyError):
        RecurrentNetwork.restored(dataclasses.replace(PLAIN, has_bias=True), net.arrays(), 30)


def test_a_seed_gives_the_same_net():
    np.testing.assert_array_equal(network(seed=5).dense, network(seed=5).dense)
    assert (network(seed=5).dense != network(seed=6).dense).any()


def test_parameters_are_counted():
    for item_inputs in ITEM_INPUTS:
        net = network(item_inputs=item_inputs, dim=5, has_bias=True)
        floats = sum(array.size for array in net.arrays().values())
        assert net.architecture.parameter_floats(30, 4) == floats
