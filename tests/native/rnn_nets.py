"""The compiled recurrent nets beside their reference: the same arrays in the kernel's layout."""

from dataclasses import dataclass

import numpy as np

from fastrec.runtime import isa
from fastrec.runtime.arrays import aligned_zeros, stride_of
from fastrec.runtime.random import GOLDEN, mix64
from fastrec.runtime.threads import Team
from tests.reference import rnn, rnn_cells
from tests.reference.rnn_updates import Optimizer
from tests.reference.sgns import MASK, Stream, draw_noise

LEVELS = isa.available_levels()
BF16_LEVELS = [level for level in LEVELS if isa.load("rnn", at=level).HAS_BF16]
SIZES = [1, 3, 17, 100, 129]
KEY = 0x0123456789ABCDEF
INPUT_STREAM, STATE_STREAM = 2, 3  # of dropout, below the key of a step
GRADIENT = 2e-5  # error of a gradient, of the largest one
# The momentum of the first step is the gradient itself, without the rounding of a parameter.
SHOWS_GRADIENTS = Optimizer("sgd", momentum=0.5)


def zeros(*shape):
    return aligned_zeros(shape)


def widened(array, size):
    """Rows whose runs of ``size`` columns begin at multiples of the stride, float32, aligned."""
    rows = np.atleast_2d(array)
    wide = zeros(len(rows), rows.shape[1] // size * stride_of(size))
    runs = wide.reshape(len(rows), -1, stride_of(size))
    runs[:, :, :size] = rows.reshape(len(rows), -1, size)
    return wide


def narrowed(wide, size):
    """The columns of ``widened``; the others must have stayed zero."""
    runs = wide.reshape(len(wide), -1, stride_of(size))
    assert not runs[:, :, size:].any()
    return np.float64(runs[:, :, :size].reshape(len(wide), -1))


def substream(key, label):
    return mix64(((key ^ label) + GOLDEN) & MASK)


def drawn_negatives(noise, step, count, key=KEY):
    """The items that the kernel compares the events of a step with."""
    stream = Stream(substream(substream(key, step), 1))
    return np.array([draw_noise(noise, stream) for _ in range(count)])


def dropout_mask(stream, step, row, time, size, share, runs=1, key=KEY):
    """0 or 1 / (1 - share), for ``runs`` runs of ``size`` numbers that begin at strides."""
    place = substream(substream(substream(key, step), stream), (row << 32) | time)
    width = runs * stride_of(size)
    draws = [mix64((place + (i // 4 + 1) * GOLDEN) & MASK) >> 16 * (i % 4) for i in range(width)]
    keep = int(65536 * (1 - share) + 0.5)
    mask = np.array([(draw & 0xFFFF) < keep for draw in draws]) * 65536 / keep
    return mask.reshape(runs, -1)[:, :size].ravel()


def set_masks(model, batch, step, dropout):
    """Give a batch the masks that the kernel draws for it."""
    runs = rnn_cells.GATES[model.cell] if model.one_hot else 1
    width = model.parameters["inputs"].shape[1] // runs
    batch.input_masks = np.zeros((len(batch.tokens), runs * width))
    batch.state_masks = np.zeros((len(batch.tokens), model.units))
    for row, (start, length) in enumerate(zip(batch.starts, batch.lengths, strict=True)):
        for t in range(length):
            place = INPUT_STREAM, step, row, t, width, dropout[0], runs
            batch.input_masks[start + t] = dropout_mask(*place)
            place = STATE_STREAM, step, row, t, model.units, dropout[1]
            batch.state_masks[start + t] = dropout_mask(*place)


def noise_table(shares):
    """The alias table of a distribution."""
    table = np.empty(len(shares), np.uint64)
    isa.load("sgns").build_alias_table(
        np.array(shares, dtype=float), np.empty(len(shares), np.int32), table
    )
    return table


class Compiled:
    """A reference model's arrays in float32, and the compiled network on them."""

    def __init__(self, model, level=None):
        self.model, self.kernel = model, isa.load("rnn", at=level)
        self.gates = rnn_cells.GATES[model.cell]
        width = model.parameters["inputs"].shape[1]
        shape = (model.cell, model.layers, model.units, width, model.one_hot)
        self.layout = self.kernel.dense_layout(*shape)
        _, offset, rows, columns = self.layout[-1]
        self.dense = zeros(offset + rows * columns)
        for name, offset, rows, columns in self.layout:
            part = self.dense[offset : offset + rows * columns].reshape(rows, columns)
            part[:] = widened(model.parameters[name], model.units)
        self.run_size = model.units if model.one_hot else width
        given = model.parameters
        self.inputs = widened(given["inputs"], self.run_size)
        self.outputs = self.inputs
        if "outputs" in given:
            self.outputs = widened(given["outputs"], model.units)
        self.bias = np.float32(given["bias"]) if "bias" in given else None
        self.features = widened(given["features"], self.run_size) if "features" in given else None
        arrays = self.dense, self.inputs, self.outputs, self.bias, self.features
        self.network = self.kernel.Network(*shape, model.scale, *arrays)

    def named(self, dense, inputs, outputs, bias, features):
        """Arrays in the kernel's layout by the names of the reference, float64."""
        found = {}
        for name, offset, rows, columns in self.layout:
            part = narrowed(
                dense[offset : offset + rows * columns].reshape(rows, columns), self.model.units
            )
            found[name] = part.reshape(self.model.parameters[name].shape)
        found["inputs"] = narrowed(inputs, self.run_size)
        if "outputs" in self.model.parameters:
            found["outputs"] = narrowed(outputs, self.model.units)
        if bias is not None:
            found["bias"] = np.float64(bias)
        if features is not None:
            found["features"] = narrowed(features, self.run_size)
        return found

    def parameters(self):
        """The parameters as they are now, by the names of the reference."""
        return self.named(self.dense, self.inputs, self.outputs, self.bias, self.features)

    def state_rows(self, states):
        """Reference states (n, layers, 2, units) in the kernel's layout (n, state_floats)."""
        parts = 2 if self.model.cell == "lstm" else 1
        return widened(states[:, :, :parts].reshape(len(states), -1), self.model.units)

    def states_of(self, rows):
        """The states (n, layers, 2, units) that rows in the kernel's layout hold."""
        parts = 2 if self.model.cell == "lstm" else 1
        states = np.zeros((len(rows), self.model.layers, 2, self.model.units))
        states[:, :, :parts] = narrowed(rows, self.model.units).reshape(
            len(rows), self.model.layers, parts, -1
        )
        return states


@dataclass
class Slots:
    """What an optimizer keeps, in the kernel's layout."""

    dense: np.ndarray
    inputs: np.ndarray
    outputs: np.ndarray
    bias: np.ndarray | None
    features: np.ndarray | None


def make_slots(net, optimizer):
    """Zeros beside every array of a net."""
    count = {"sgd": 0, "adagrad": 1, "row_adagrad": 1, "adam": 2}[optimizer.kind]
    count += optimizer.kind in ("sgd", "adagrad") and optimizer.momentum != 0

    def beside(matrix):
        if matrix is None:
            return None
        is_row_wise = optimizer.kind == "row_adagrad"
        return zeros(len(matrix), 1 if is_row_wise else count * matrix.shape[1])

    inputs = beside(net.inputs)
    is_tied = net.outputs is net.inputs
    return Slots(
        zeros(count, len(net.dense)),
        inputs,
        inputs if is_tied else beside(net.outputs),
        None if net.bias is None else zeros(len(net.bias), count),
        beside(net.features),
    )


def settings_of(optimizer, rate):
    """The numbers that describe an optimizer to the kernel."""
    kinds = ("sgd", "adagrad", "adam", "row_adagrad")
    return np.float32(
        [
            *(kinds.index(optimizer.kind), rate, optimizer.momentum, optimizer.beta1),
            *(optimizer.beta2, optimizer.epsilon, optimizer.decay, 1, 1),
        ]
    )


class Training:
    """A compiled trainer on a copy of a model, with the slots of its optimizer."""

    def __init__(
        self,
        model,
        loss,
        *,
        noise=None,
        optimizer=SHOWS_GRADIENTS,
        level=None,
        rate=1.0,
        dropout=(0.0, 0.0),
        clip=0.0,
        is_bf16=False,
        max_rows=64,
        max_events=400,
        columns=4,
        threads=1,
        turns_with=None,
    ):
        self.net, self.rate, self.threads = Compiled(model, level), rate, threads
        self.slots = make_slots(self.net, optimizer)
        negatives = 0 if loss.negatives is None else len(loss.negatives)
        self.trainer = self.net.kernel.Trainer(
            self.net.network,
            loss=loss.name,
            negatives=negatives,
            noise=noise,
            log_q=None if loss.log_q is None else np.float32(loss.log_q),
            optimizer=settings_of(optimizer, rate),
            dense_slots=self.slots.dense,
            input_slots=self.slots.inputs,
            output_slots=self.slots.outputs,
            bias_slots=self.slots.bias,
            feature_slots=self.slots.features,
            input_dropout=dropout[0],
            state_dropout=dropout[1],
            clip=clip,
            is_bf16=is_bf16,
            bpr_regularization=loss.regularization,
            elu=loss.elu,
            max_rows=max_rows,
            max_events=max_events,
            max_features=columns,
            threads=threads,
            turns_with=None if turns_with is None else turns_with.trainer,
        )

    def run(self, batch, *, first_step=0, step_rows=None, slots=None, fresh=None, key=KEY):
        """Train the rows of a batch, all in one step or cut as told; False where aborted."""
        rows = len(batch.starts)
        arguments = (
            np.int32(batch.tokens),
            np.int64(batch.starts),
            np.int32(batch.lengths),
            np.arange(rows, dtype=np.int32) if slots is None else np.int32(slots),
            np.zeros(rows, np.uint8) if fresh is None else np.uint8(fresh),
            np.array([0, rows] if step_rows is None else step_rows, dtype=np.int64),
            *(first_step, key, self.rate),
            None if batch.weights is None else np.float32(batch.weights),
            None if batch.feature_ids is None else np.int32(batch.feature_ids),
            None if batch.feature_values is None else np.float32(batch.feature_values),
        )
        finished = [None] * self.threads

        def task(rank):
            finished[rank] = self.trainer.run(rank, *arguments)

        with Team(self.threads) as team:
            team.run(task)
        assert len(set(finished)) == 1
        return finished[0]

    def set_states(self, states):
        self.trainer.lane_states[: len(states)] = self.net.state_rows(states)

    def states(self, count):
        return self.net.states_of(np.array(self.trainer.lane_states[:count]))

    def gradients(self):
        """The gradients of the first step, which ``SHOWS_GRADIENTS`` has kept."""
        slots = self.slots
        bias = None if slots.bias is None else slots.bias[:, 0]
        return self.net.named(slots.dense[0], slots.inputs, slots.outputs, bias, slots.features)


def assert_close(found, expected, tolerance=GRADIENT):
    """Fail unless every array's error is small beside its largest number."""
    assert set(found) == set(expected)
    for name, array in expected.items():
        largest = np.abs(array).max(initial=0)
        error = np.abs(found[name] - array).max(initial=0)
        assert error <= tolerance * max(largest, 1e-12), (name, error / max(largest, 1e-12))


def as_float32(model):
    """The model with its parameters rounded to float32, so that both sides begin equal."""
    rounded = {name: np.float64(np.float32(a)) for name, a in model.parameters.items()}
    return rnn.Model(model.cell, model.layers, rounded, model.scale, model.one_hot)
