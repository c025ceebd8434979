"""Sessions that advance: states and queries against the reference, whatever the company."""

import numpy as np
import pytest

from fastrec.runtime.arrays import aligned_empty
from tests.native.rnn_nets import LEVELS, SIZES, Compiled, as_float32, assert_close, narrowed, zeros
from tests.reference import rnn, rnn_cells
from tests.reference.rnn_setups import make_batch, make_model


def scratch_of(net, rows):
    return aligned_empty((net.network.scratch_floats(rows),))


def expected_states(model, batch):
    """The reference's states after all inputs of the rows, and its queries."""
    states = np.array([rnn.row_forward(model, batch, r)[0][-1] for r in range(len(batch.starts))])
    return states, np.array([rnn.query(model, state) for state in states])


def encoded(net, batch, start=0, stop=None):
    states = net.state_rows(np.float32(batch.states))
    net.network.encode(
        np.int32(batch.tokens),
        np.int64(batch.starts),
        np.int64(batch.lengths),
        states,
        start,
        len(batch.starts) if stop is None else stop,
        scratch_of(net, len(batch.starts)),
        None if batch.feature_ids is None else np.int32(batch.feature_ids),
        None if batch.feature_values is None else np.float32(batch.feature_values),
    )
    return states


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("units", SIZES)
@pytest.mark.parametrize("cell", rnn_cells.CELLS)
def test_encode_is_the_reference_and_so_are_the_queries(cell, units, level):
    scale = 7.0 if units % 2 else 0.0
    model = as_float32(make_model(cell, units, 2, scale=scale, features=5))
    batch = make_batch(model, (5, 3, 1, 0, 4), columns=2)
    net = Compiled(model, level)
    states, queries = expected_states(model, batch)
    found = encoded(net, batch)
    out = zeros(len(states), found.shape[1] // (4 if cell == "lstm" else 2))
    net.network.queries(found, out, 0, len(states))
    assert_close(
        {"states": net.states_of(found), "queries": narrowed(out, units)},
        {"states": states, "queries": queries},
    )


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("one_hot", [True, False])
@pytest.mark.parametrize("cell", rnn_cells.CELLS)
def test_advancing_event_by_event_is_encoding(cell, one_hot, level):
    model = as_float32(make_model(cell, 17, 2, one_hot=one_hot, scale=3.0))
    batch = make_batch(model, (4, 3, 1, 0, 2))
    net = Compiled(model, level)
    states = net.state_rows(np.float32(batch.states))
    for t in range(4):
        heard = [
            batch.tokens[start + t] if t < length else -1
            for start, length in zip(batch.starts, batch.lengths, strict=True)
        ]
        net.network.advance(states, np.int32(heard), 0, len(heard), scratch_of(net, len(heard)))
    assert_close({"states": net.states_of(states)}, {"states": expected_states(model, batch)[0]})


@pytest.mark.parametrize("level", LEVELS)
def test_a_service_with_features_advances_as_the_reference(level):
    model = as_float32(make_model("gru", 17, features=5))
    batch = make_batch(model, (1, 1, 1), columns=2)
    net, places = Compiled(model, level), batch.starts
    states = net.state_rows(np.float32(batch.states))
    heard = np.int32(batch.tokens[places])
    features = np.int32(batch.feature_ids[places]), np.float32(batch.feature_values[places])
    net.network.advance(states, heard, 0, 3, scratch_of(net, 3), *features)
    assert_close({"states": net.states_of(states)}, {"states": expected_states(model, batch)[0]})


@pytest.mark.parametrize("level", LEVELS)
def test_only_the_sessions_of_the_range_advance(level):
    model = as_float32(make_model("lstm", 17))
    batch = make_batch(model, (2,) * 40)
    net = Compiled(model, level)
    before, after = net.state_rows(np.float32(batch.states)), encoded(net, batch, 3, 37)
    outside = np.r_[0:3, 37:40]
    np.testing.assert_array_equal(after[outside], before[outside])
    inside = {"states": expected_states(model, batch)[0][3:37]}
    assert_close({"states": net.states_of(after)[3:37]}, inside)


@pytest.mark.parametrize("level", LEVELS)
def test_no_session_is_no_work(level):
    net = Compiled(make_model("gru", 5), level)
    none = zeros(0, net.network.state_floats)
    net.network.advance(none, np.zeros(0, np.int32), 0, 0, scratch_of(net, 1))
    net.network.encode(np.zeros(0, np.int32), *np.zeros((2, 0), np.int64), none, 0, 0, zeros(64))
    net.network.queries(none, zeros(0, 16), 0, 0)
