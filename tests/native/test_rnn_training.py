"""Steps of the compiled trainer: optimizers, lanes, dropout, draws, threads and their end."""

import threading
from itertools import pairwise

import numpy as np
import pytest

from fastrec.runtime.threads import Team
from tests.native.rnn_nets import (
    LEVELS,
    Training,
    as_float32,
    assert_close,
    drawn_negatives,
    dropout_mask,
    noise_table,
)
from tests.reference import rnn
from tests.reference.rnn_setups import make_batch, make_model
from tests.reference.rnn_updates import Optimizer, clipped, update

STEPS = [0, 4, 7, 12]  # rows of three steps
LENGTHS = (4, 3, 2, 1, 3, 3, 1, 5, 2, 2, 1, 1)
OPTIMIZERS = {
    "sgd": Optimizer("sgd"),
    "sgd with momentum": Optimizer("sgd", momentum=0.4, decay=0.1),
    "adagrad": Optimizer("adagrad", epsilon=1e-4),
    "adagrad with momentum": Optimizer("adagrad", momentum=0.4, epsilon=1e-4, decay=0.1),
    "adam": Optimizer("adam", epsilon=1e-4, decay=0.1),
    "row-wise adagrad": Optimizer("row_adagrad", momentum=0.0, epsilon=1e-4),
}
NETWORKS = {
    "tied": {},
    "separate": {"tied": False, "width": 12, "biased": True, "features": 6},
    "gates": {"one_hot": True, "biased": True, "features": 6},
}


def make_case(items=30, negatives=9, lengths=LENGTHS, columns=2, seed=0, units=17, **network):
    """A model, rows of several steps, a loss and the noise that its negatives come from."""
    model = as_float32(make_model("gru", units, items=items, seed=seed, **network))
    has_features = "features" in model.parameters
    batch = make_batch(model, lengths, columns=columns if has_features else 0, begun=False)
    shares = np.random.default_rng(3).dirichlet(np.ones(items))
    log_q = np.float64(np.float32(np.log(negatives * shares)))
    loss = rnn.Loss("sampled_softmax", negatives=np.zeros(negatives, int), log_q=log_q)
    return model, batch, loss, noise_table(shares)


def step_of(batch, rows):
    """The rows of one step as a batch."""
    options = {name: getattr(batch, name) for name in ("weights", "feature_ids", "feature_values")}
    return rnn.Batch(
        batch.tokens, batch.starts[rows], batch.lengths[rows], batch.states[rows], **options
    )


def train_reference(model, batch, loss, noise, optimizer, rate, clip=0.0, steps=STEPS):
    """Train the model in place, step by step; return loss and weight."""
    slots = {name: optimizer.slots(array) for name, array in model.parameters.items()}
    dense = [name for name in model.parameters if name.startswith("layer")]
    by_element = Optimizer(**(vars(optimizer) | {"kind": optimizer.kind.removeprefix("row_")}))
    for name in dense:  # a layer has no rows of its own
        slots[name] = by_element.slots(model.parameters[name])
    total = np.zeros(2)
    for number, (begin, end) in enumerate(pairwise(steps)):
        loss.negatives = drawn_negatives(noise, number, len(loss.negatives))
        outcome = rnn.step(model, step_of(batch, slice(begin, end)), loss)
        total += outcome.loss, outcome.weight
        gradients = clipped(outcome.gradients, dense, clip)
        for name, array in model.parameters.items():
            kind, rows = by_element if name in dense else optimizer, outcome.touched.get(name)
            update(kind, array, slots[name], gradients[name], rate, number + 1, rows)
    return total


def parameters_after(case, *, steps=STEPS, calls=None, **options):
    """The compiled parameters, all bits of them, after the steps in one call or in several."""
    model, batch, loss, noise = case
    training = Training(model, loss, noise=noise, **options)
    calls = calls or [(0, len(steps) - 1)]
    for first, last in calls:
        rows = np.array(steps[first : last + 1])
        part = step_of(batch, slice(rows[0], rows[-1]))
        no_slots = np.full(len(part.starts), -1)
        assert training.run(part, first_step=first, step_rows=rows - rows[0], slots=no_slots)
    return training


def assert_same_bits(one, other):
    assert one.trainer.totals == other.trainer.totals
    for name, array in one.net.parameters().items():
        np.testing.assert_array_equal(other.net.parameters()[name], array, err_msg=name)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_an_optimizer_is_that_of_the_reference(kind, network, level):
    # A row of gates is averaged with its padding where it has any.
    units = 16 if (kind, network) == ("row-wise adagrad", "gates") else 17
    optimizer, case = OPTIMIZERS[kind], make_case(units=units, **NETWORKS[network])
    model, batch, loss, noise = case
    training = parameters_after(case, optimizer=optimizer, rate=0.05, level=level)
    before = {name: array.copy() for name, array in model.parameters.items()}
    total = train_reference(model, batch, loss, noise, optimizer, 0.05)
    np.testing.assert_allclose(training.trainer.totals, total, rtol=1e-5)
    assert training.trainer.steps_done == 3
    found = training.net.parameters()
    for name, array in model.parameters.items():
        moved = np.abs(array - before[name]).max()
        assert moved > 1e-4
        assert np.abs(found[name] - array).max() <= 2e-4 * moved, name
        untouched = (array == before[name]).reshape(len(array), -1).all(axis=1)
        np.testing.assert_array_equal(found[name][untouched], before[name][untouched])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", ["sampled_softmax", "bpr_max", "top1_max"])
@pytest.mark.parametrize(("items", "negatives"), [(5, 129), (90, 200), (300, 700)])
def test_an_item_that_is_drawn_often_is_updated_once(items, negatives, kind, level):
    # Some of these items are targets or inputs, too, and some are drawn in several chunks.
    model, batch, loss, noise = make_case(items, negatives, **NETWORKS["tied"] | {"biased": True})
    if kind != "sampled_softmax":
        loss = rnn.Loss(kind, negatives=loss.negatives, regularization=0.5)
    case, optimizer = (model, batch, loss, noise), OPTIMIZERS["adagrad with momentum"]
    training = parameters_after(case, optimizer=optimizer, rate=0.05, level=level)
    total = train_reference(*case, optimizer, 0.05)
    np.testing.assert_allclose(training.trainer.totals, total, rtol=1e-5)
    assert_close(training.net.parameters(), model.parameters, 2e-4)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("clip", [0.01, 1000.0])
def test_the_gradient_of_the_layers_is_clipped(clip, level):
    case = make_case()
    training = parameters_after(case, optimizer=Optimizer("sgd"), rate=0.5, clip=clip, level=level)
    train_reference(*case, Optimizer("sgd"), 0.5, clip)
    assert_close(training.net.parameters(), case[0].parameters)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("threads", [2, 3, 8])
@pytest.mark.parametrize("network", NETWORKS)
def test_threads_train_the_same_model_bit_by_bit(network, threads, level):
    case = make_case(seed=4, **NETWORKS[network])
    options = {"optimizer": Optimizer("adam"), "rate": 0.05, "dropout": (0.2, 0.3), "level": level}
    one = parameters_after(case, **options)
    assert_same_bits(one, parameters_after(case, threads=threads, **options))


@pytest.mark.parametrize("threads", [1, 3])
def test_a_call_for_each_step_trains_as_one_call_does(threads):
    case = make_case(**NETWORKS["separate"])
    options = {"optimizer": Optimizer("adam"), "dropout": (0.2, 0.3), "threads": threads}
    whole = parameters_after(case, **options)
    parts = parameters_after(case, calls=[(0, 1), (1, 3)], **options)
    assert_same_bits(whole, parts)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("network", NETWORKS)
def test_trainers_that_take_turns_train_as_each_alone_does(network, threads, level):
    cases = [make_case(seed=seed, **NETWORKS[network]) for seed in (0, 1, 2)]
    alone, turning = [], []
    for model, _, loss, noise in cases:
        options = {"noise": noise, "threads": threads, "level": level, "dropout": (0.2, 0.1)}
        alone.append(Training(model, loss, **options))
        turning.append(Training(model, loss, **options, turns_with=(turning or [None])[0]))
    for first_step in (0, 3, 6):
        for own, shared, (_, batch, *_) in zip(alone, turning, cases, strict=True):
            for training in (own, shared):
                training.run(batch, step_rows=STEPS, first_step=first_step)
    for own, shared in zip(alone, turning, strict=True):
        assert_same_bits(own, shared)
        np.testing.assert_array_equal(own.trainer.lane_states, shared.trainer.lane_states)


def test_trainers_of_other_limits_cannot_take_turns():
    model, _, loss, noise = make_case()
    with pytest.raises(ValueError, match="another kind"):
        Training(
            model, loss, noise=noise, max_events=999, turns_with=Training(model, loss, noise=noise)
        )


def test_another_key_draws_other_negatives():
    model, batch, loss, noise = make_case()
    one, other = (Training(model, loss, noise=noise) for _ in range(2))
    one.run(batch, key=1)
    other.run(batch, key=2)
    assert one.trainer.totals != other.trainer.totals


@pytest.mark.parametrize("level", LEVELS)
def test_a_lane_goes_on_where_it_was_left(level):
    model, batch, loss, noise = make_case(lengths=(6,), columns=0)
    still = {"optimizer": Optimizer("sgd"), "rate": 0.0, "level": level}
    whole, lane = (Training(model, loss, noise=noise, **still) for _ in range(2))
    whole.run(batch, slots=[0])
    parts = rnn.Batch(
        batch.tokens, batch.starts[0] + np.array([0, 1, 3]), np.array([1, 2, 3]), batch.states
    )
    lane.run(parts, step_rows=[0, 1, 2, 3], slots=[5, 5, 5], fresh=[1, 0, 0])
    assert_close({"states": lane.states(6)[5]}, {"states": whole.states(1)[0]}, 1e-6)
    # A lane that begins anew forgets what was there, and one without a slot knows of nothing.
    lane.run(batch, slots=[5], fresh=[1])
    np.testing.assert_array_equal(lane.states(6)[5], whole.states(1)[0])
    before = lane.states(6)
    lane.run(batch, slots=[-1])
    np.testing.assert_array_equal(lane.states(6), before)


def test_dropout_drops_its_share_and_keeps_the_mean():
    masks = np.array([dropout_mask(2, 0, row, 0, 128, 0.3) for row in range(300)])
    assert set(np.unique(masks)) == {0, 65536 / (65536 - round(0.3 * 65536))}
    share = (masks == 0).mean()
    assert abs(share - 0.3) < 5 * np.sqrt(0.21 / masks.size)
    by_place = np.abs((masks == 0).mean(axis=0) - 0.3)
    assert by_place.max() < 5 * np.sqrt(0.21 / len(masks))


@pytest.mark.parametrize("dropout", [(0.4, 0.0), (0.0, 0.4)])
def test_dropout_changes_the_loss_and_none_does_not(dropout):
    case = make_case(seed=2)
    plain, dropped = parameters_after(case), parameters_after(case, dropout=dropout)
    assert plain.trainer.totals[0] != dropped.trainer.totals[0]
    assert np.isfinite(dropped.trainer.totals[0])
    assert_same_bits(dropped, parameters_after(case, dropout=dropout))


def test_events_of_no_weight_change_nothing():
    model, batch, loss, noise = make_case()
    batch.weights = np.zeros(len(batch.tokens))
    training = Training(model, loss, noise=noise)
    assert training.run(batch)
    assert training.trainer.totals == (0.0, 0.0)
    for gradient in training.gradients().values():
        assert not gradient.any()


def test_no_steps_are_done_at_once():
    model, batch, loss, noise = make_case()
    training = Training(model, loss, noise=noise)
    nothing = step_of(batch, slice(0, 0))
    assert training.run(nothing, step_rows=[0])
    assert training.trainer.steps_done == 0


def test_an_abort_frees_the_ranks_that_wait_for_one_that_never_comes():
    model, batch, loss, noise = make_case()
    training = Training(model, loss, noise=noise, threads=2)
    arguments = np.int32(batch.tokens), np.int64(batch.starts), np.int32(batch.lengths)
    slots, fresh = np.full(len(batch.starts), -1, np.int32), np.ones(len(batch.starts), np.uint8)
    steps = np.array([0, len(batch.starts)], np.int64)
    outcome, inside = [], threading.Event()

    def task(rank):
        if rank == 1:
            inside.wait()
            training.trainer.abort()
            return
        inside.set()
        outcome.append(training.trainer.run(0, *arguments, slots, fresh, steps, 0, 1, 0.1))

    with Team(2) as team:
        team.run(task)
    assert outcome == [False]
    training.trainer.reset(2)
    assert training.run(batch)
