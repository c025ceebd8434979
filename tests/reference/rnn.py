"""A recurrent recommender in float64: one training step over rows of events, and its gradients.

h_t = cell(x_t, h_{t-1}), x_t the input row of the item that was played, score_j = q_t . V_j +
c_j, with q_t made of the top layer's state; Hidasi et al., "Session-based Recommendations with
Recurrent Neural Networks" (2016). Back-propagation through time runs over the whole of a row
and ends at the state that the row began with (Werbos, 1990; truncated where a session is cut).

Parameters are a dict of float64 arrays: the layers' (``layer0.state_weights``, see
``rnn_cells``), ``inputs`` (items, width), ``outputs`` (items, units), missing where the two are
tied, ``bias`` (items,) and ``features`` (n, width) where there are any.
"""

from dataclasses import dataclass

import numpy as np

from tests.reference import rnn_cells, rnn_losses

SHORTEST = 1e-24  # of a squared length that is divided by


@dataclass
class Model:
    """A network: cosine scores where ``scale`` is not 0; ``one_hot``: input rows are gates."""

    cell: str
    layers: int
    parameters: dict
    scale: float = 0.0
    one_hot: bool = False

    @property
    def units(self):
        return len(self.parameters["layer0.state_weights"])

    @property
    def outputs(self):
        return self.parameters.get("outputs", self.parameters["inputs"])

    def layer(self, number):
        """The arrays of one layer by their own names."""
        prefix = f"layer{number}."
        return {
            name.removeprefix(prefix): array
            for name, array in self.parameters.items()
            if name.startswith(prefix)
        }


@dataclass
class Batch:
    """Rows of a step: inputs ``tokens[starts[r] + t]``, t < lengths[r], targets one place on.

    ``states`` (rows, layers, 2, units) is what the rows begin with. All others speak of places
    in ``tokens``: ``weights`` of the targets, features of the inputs (id -1: none), masks (0 or
    1 / (1 - dropout)) of the inputs' columns and of the states that are scored.
    """

    tokens: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    states: np.ndarray
    weights: np.ndarray | None = None
    feature_ids: np.ndarray | None = None
    feature_values: np.ndarray | None = None
    input_masks: np.ndarray | None = None
    state_masks: np.ndarray | None = None

    def weight(self, place):
        return 1.0 if self.weights is None else float(self.weights[place])

    def features(self, place):
        """The (feature row, value) pairs of an input."""
        if self.feature_ids is None:
            return []
        ids = self.feature_ids[place]
        values = np.ones(len(ids)) if self.feature_values is None else self.feature_values[place]
        return [(one, value) for one, value in zip(ids, values, strict=True) if one >= 0]


@dataclass
class Loss:
    """What is minimised: ``log_q`` (items,) holds log(K * q) where the softmax is corrected."""

    name: str = "softmax"
    negatives: np.ndarray | None = None
    log_q: np.ndarray | None = None
    regularization: float = 0.0
    elu: float = 0.0


@dataclass
class Outcome:
    """Sums over the events, gradients of loss / weight, the states left behind (rows, ...)."""

    loss: float
    weight: float
    gradients: dict
    states: np.ndarray
    touched: dict  # rows of inputs, outputs, bias, features that the step used


def unit(v):
    """v at length 1, and its length."""
    length = np.sqrt(max(v @ v, SHORTEST))
    return v / length, length


def unit_back(direction, length, slope):
    """The slope in v from that in its direction; a v that is as good as zero is only divided."""
    if length <= np.sqrt(SHORTEST):
        return slope / length
    return (slope - (slope @ direction) * direction) / length


def input_row(model, batch, place):
    """x of the event at ``place``."""
    x = model.parameters["inputs"][batch.tokens[place]]
    if model.scale and not model.one_hot:
        x, _ = unit(x)
    if batch.input_masks is not None:
        x = x * batch.input_masks[place]
    return x + sum(
        value * model.parameters["features"][one] for one, value in batch.features(place)
    )


def input_row_back(model, batch, place, d_x, gradients):
    """Add the gradients of an event's input row and features."""
    for one, value in batch.features(place):
        gradients["features"][one] += value * d_x
    if batch.input_masks is not None:
        d_x = d_x * batch.input_masks[place]
    item = batch.tokens[place]
    if model.scale and not model.one_hot:
        d_x = unit_back(*unit(model.parameters["inputs"][item]), d_x)
    gradients["inputs"][item] += d_x


def advance(model, state, x):
    """Feed one input row; return the new state (layers, 2, units) and what backward needs."""
    new, memories = np.zeros_like(state), []
    for number in range(model.layers):
        h, c, memory = rnn_cells.forward(model.cell, model.layer(number), x, *state[number])
        new[number, 0], new[number, 1] = h, 0 if c is None else c
        memories.append(memory)
        x = h
    return new, memories


def advance_back(model, memories, d_state, gradients):
    """From slopes in the new state (layers, 2, units) those in the old one and in x."""
    d_old = np.zeros_like(d_state)
    d_below = np.zeros(model.units)
    for number in reversed(range(model.layers)):
        d_h, d_c = d_state[number]
        d_below, d_old_h, d_old_c, found = rnn_cells.backward(
            model.cell, model.layer(number), memories[number], d_h + d_below, d_c
        )
        d_old[number, 0], d_old[number, 1] = d_old_h, 0 if d_old_c is None else d_old_c
        for name, gradient in found.items():
            gradients[f"layer{number}.{name}"] += gradient
    return d_old, d_below


def query(model, state, mask=None):
    """q of a state: dropped out, and of length ``scale`` for cosine scores."""
    top = state[-1, 0] if mask is None else state[-1, 0] * mask
    return model.scale * unit(top)[0] if model.scale else top


def query_back(model, state, mask, d_q):
    """The slope in the top layer's h."""
    if model.scale:
        top = state[-1, 0] if mask is None else state[-1, 0] * mask
        d_q = unit_back(*unit(top), model.scale * d_q)
    return d_q if mask is None else d_q * mask


def output_rows(model, items):
    """The vectors that q is multiplied with, and the biases."""
    rows = model.outputs[items]
    if model.scale:
        rows = rows / np.sqrt(np.maximum((rows**2).sum(axis=1, keepdims=True), SHORTEST))
    bias = model.parameters.get("bias")
    return rows, np.zeros(len(items)) if bias is None else bias[items]


def scores(model, state):
    """The scores of all items in a state."""
    rows, bias = output_rows(model, np.arange(len(model.outputs)))
    return rows @ query(model, state) + bias


def event(model, loss, state, target, mask, share, gradients):
    """Loss of one event; adds ``share`` of its gradients, returns the slope in the top h."""
    everything = np.arange(len(model.outputs))
    others = everything if loss.name == "softmax" else loss.negatives
    items = np.concatenate(([target], others))
    q = query(model, state, mask)
    rows, bias = output_rows(model, items)
    z = rows @ q + bias
    log_q = None
    if loss.log_q is not None and loss.name == "sampled_softmax":
        log_q = loss.log_q[target], loss.log_q[others]
    value, d_target, d_others = rnn_losses.event_loss(
        loss.name,
        z[0],
        z[1:],
        others != target,
        log_q=log_q,
        regularization=loss.regularization,
        alpha=loss.elu,
    )
    d_z = share * np.concatenate(([d_target], d_others))
    outputs = gradients["outputs" if "outputs" in model.parameters else "inputs"]
    for item, row, slope in zip(items, rows, d_z, strict=True):
        d_row = slope * q
        if model.scale:
            d_row = unit_back(row, unit(model.outputs[item])[1], d_row)
        outputs[item] += d_row
        if "bias" in gradients:
            gradients["bias"][item] += slope
    return value, query_back(model, state, mask, d_z @ rows)


def row_forward(model, batch, r):
    """States of a row, the one it begins with first, and the memories of its events."""
    states, memories = [np.float64(batch.states[r])], []
    for t in range(batch.lengths[r]):
        x = input_row(model, batch, batch.starts[r] + t)
        new, memory = advance(model, states[-1], x)
        states.append(new)
        memories.append(memory)
    return states, memories


def row_step(model, batch, loss, r, total, gradients):
    """Weighted loss of a row and the state it leaves; adds its part of the gradients."""
    states, memories = row_forward(model, batch, r)
    value, slopes = 0.0, []
    for t in range(batch.lengths[r]):
        place = batch.starts[r] + t
        weight = batch.weight(place + 1)
        mask = None if batch.state_masks is None else batch.state_masks[place]
        target = batch.tokens[place + 1]
        got, slope = event(model, loss, states[t + 1], target, mask, weight / total, gradients)
        value += weight * got
        slopes.append(slope)
    d_state = np.zeros_like(states[0])
    for t in reversed(range(batch.lengths[r])):
        d_state[-1, 0] += slopes[t]
        d_state, d_x = advance_back(model, memories[t], d_state, gradients)
        input_row_back(model, batch, batch.starts[r] + t, d_x, gradients)
    return value, states[-1]


def places_of(batch):
    """The place of every input of the step."""
    return [s + t for s, n in zip(batch.starts, batch.lengths, strict=True) for t in range(n)]


def touched_rows(model, batch, loss):
    """The rows that a step uses, by array: only these are updated."""
    places = np.array(places_of(batch), dtype=int)
    inputs, targets = batch.tokens[places], batch.tokens[places + 1]
    others = np.arange(len(model.outputs)) if loss.name == "softmax" else loss.negatives
    outputs = np.union1d(targets, others)
    found = {"inputs": np.unique(inputs), "outputs": outputs, "bias": outputs}
    if "outputs" not in model.parameters:
        found["inputs"] = np.union1d(inputs, outputs)
    found["features"] = np.unique([one for p in places for one, _ in batch.features(p)]).astype(int)
    return {name: rows for name, rows in found.items() if name in model.parameters}


def step(model, batch, loss):
    """Loss and gradients of the weighted mean over the events of a step; changes nothing."""
    total = sum(batch.weight(place + 1) for place in places_of(batch))
    gradients = {name: np.zeros_like(array) for name, array in model.parameters.items()}
    value, states = 0.0, np.zeros_like(batch.states, dtype=float)
    for r in range(len(batch.starts)):
        got, states[r] = row_step(model, batch, loss, r, total, gradients)
        value += got
    return Outcome(value, total, gradients, states, touched_rows(model, batch, loss))
