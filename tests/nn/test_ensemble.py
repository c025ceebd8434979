"""Nets side by side: their scores are the mean of those of each."""

import numpy as np
import pytest

from fastrec.nn.ensemble import Ensemble, seed_of
from fastrec.nn.network import Architecture, RecurrentNetwork, StepFeatures
from tests.nn.test_network import histories

ITEMS, FEATURES = 30, 4


def ensemble(members, *, cell="gru", scale=16.0, has_bias=False, item_inputs="tied", seed=1):
    dim = 17 if item_inputs == "tied" else 5
    architecture = Architecture(cell, 1, 17, item_inputs, dim, scale, has_bias)
    nets = Ensemble.new(architecture, members, ITEMS, FEATURES, seed)
    for member, net in enumerate(nets.members):
        net.features[:, :5] = 0.1 * (member + 1)
        if net.bias is not None:
            net.bias[:] = np.random.default_rng(member).normal(size=ITEMS)
    return nets


def features_of(asked):
    random = np.random.default_rng(3)
    ids = random.integers(-1, FEATURES, (asked.total, 2)).astype(np.int32)
    return StepFeatures(ids, random.normal(size=ids.shape).astype(np.float32))


def scores_of(net, asked):
    states = net.encode(asked, features_of(asked))
    scores = net.queries(states).astype(np.float64) @ net.output_vectors().astype(np.float64).T
    return scores if net.bias is None else scores + net.bias


@pytest.mark.parametrize("members", [1, 2, 3])
@pytest.mark.parametrize("scale", [16.0, 0.0])
@pytest.mark.parametrize("has_bias", [False, True])
def test_scores_are_the_mean_of_the_members(members, scale, has_bias):
    nets, asked = ensemble(members, scale=scale, has_bias=has_bias), histories()
    each = [scores_of(net, asked) for net in nets.members]
    np.testing.assert_allclose(scores_of(nets, asked), np.mean(each, axis=0), rtol=1e-4, atol=1e-5)
    assert nets.output_vectors().shape == (ITEMS, members * 17)


def test_members_are_random_each_for_itself_and_the_first_is_the_single_net():
    nets = ensemble(3)
    alone = RecurrentNetwork.new(nets.architecture, ITEMS, FEATURES, 1)
    np.testing.assert_array_equal(nets.members[0].outputs, alone.outputs)
    np.testing.assert_array_equal(nets.members[0].dense, alone.dense)
    assert len({net.outputs.tobytes() for net in nets.members}) == 3
    assert len({net.dense.tobytes() for net in nets.members}) == 3
    assert seed_of(7, 0) == 7
    assert len({seed_of(seed, member) for seed in range(9) for member in range(9)}) == 81


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_encode_is_advance_event_by_event(members, cell):
    nets, asked = ensemble(members, cell=cell), histories()
    features = features_of(asked)
    states = nets.zero_states(len(asked))
    for step in range(max(asked.lengths)):
        is_on = asked.lengths > step
        places = np.where(is_on, asked.offsets[:-1] + step, 0)
        rows = np.where(is_on, asked.values[places], -1).astype(np.int32)
        nets.advance(states, rows, StepFeatures(*(part[places] for part in features)))
    np.testing.assert_allclose(nets.encode(asked, features), states, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_threads_change_no_bit(threads):
    nets, asked = ensemble(3), histories(300)
    one = nets.queries(nets.encode(asked, threads=1), threads=1)
    np.testing.assert_array_equal(nets.queries(nets.encode(asked, threads=threads), threads), one)


@pytest.mark.parametrize("item_inputs", ["tied", "separate", "gates"])
def test_nets_come_back_from_their_arrays(item_inputs):
    nets = ensemble(3, item_inputs=item_inputs, has_bias=True)
    again = Ensemble.restored(nets.architecture, 3, nets.arrays(), ITEMS)
    asked = histories()
    np.testing.assert_array_equal(scores_of(again, asked), scores_of(nets, asked))
    assert again.arrays().keys() == nets.arrays().keys()
    assert "item_vectors" in nets.arrays()
    assert "member2.item_vectors" in nets.arrays()


def test_arrays_of_a_member_that_are_missing_or_of_another_shape_are_refused():
    nets = ensemble(2)
    arrays = nets.arrays()
    with pytest.raises(ValueError, match="item_vectors of shape"):
        Ensemble.restored(
            nets.architecture,
            2,
            arrays | {"member1.item_vectors": arrays["item_vectors"][:-1]},
            ITEMS,
        )
    del arrays["member1.weights"]
    with pytest.raises(KeyError, match="weights"):
        Ensemble.restored(nets.architecture, 2, arrays, ITEMS)


def test_larger_nets_keep_the_old_rows_and_copy():
    nets = ensemble(2, has_bias=True)
    larger = nets.extended(ITEMS + 5, FEATURES + 1, 1)
    for net, old in zip(larger.members, nets.members, strict=True):
        np.testing.assert_array_equal(net.outputs[:ITEMS], old.outputs)
        np.testing.assert_array_equal(net.dense, old.dense)
        assert not np.shares_memory(net.outputs, old.outputs)
    new = [net.outputs[ITEMS:].tobytes() for net in larger.members]
    assert new[0] != new[1]


def test_a_single_net_is_used_as_it_is():
    nets, asked = ensemble(1, scale=0.0), histories()
    net = nets.members[0]
    assert np.shares_memory(nets.output_vectors(), net.outputs)
    assert np.shares_memory(nets.item_vectors(), net.outputs)
    np.testing.assert_array_equal(nets.encode(asked), net.encode(asked))
