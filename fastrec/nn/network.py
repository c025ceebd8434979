"""A recurrent net: its weights, how they begin, and how sessions advance through it.

The state of a session is one row of floats: for each layer h and, of an LSTM, c. The
arithmetic is in the compiled module ``rnn`` (the cells, the layout of the weights);
what stands here owns the arrays. Rows are padded with zeros to the kernels' stride.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from fastrec.data import Ragged
from fastrec.runtime import isa
from fastrec.runtime.arrays import (
    aligned_empty,
    aligned_zeros,
    padded_copy,
    padded_zeros,
    stride_of,
)
from fastrec.runtime.random import generator
from fastrec.runtime.threads import run_ranges

GATES = {"tanh": 1, "relu": 1, "gru": 3, "lstm": 4}
CELLS = tuple(GATES)
ITEM_INPUTS = ("tied", "separate", "gates")
SESSIONS_AT_ONCE = 32  # of a group, whatever the threads, so that these do not change a bit
ROWS_AT_ONCE = 1 << 12
RANDOM_LENGTH = 3**-0.5  # of a random row of any dim, nearly: n uniform numbers within 1 / sqrt(n)


class StepFeatures(NamedTuple):
    """What is known of each event besides its item.

    Attributes
    ----------
    ids : int32 ndarray, shape (events, features)
        Rows of the net's feature vectors, -1 for none.
    values : float32 ndarray, shape (events, features)
        What these are multiplied with.
    """

    ids: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Architecture:
    """What a net is made of.

    Attributes
    ----------
    cell : {"tanh", "relu", "gru", "lstm"}
    layers, units : int
    item_inputs : {"tied", "separate", "gates"}
        Whether items are read by the vectors that they are scored with, by vectors of
        their own, or by a row that is added to the gates of the first layer.
    dim : int
        Length of the vectors that items are read by; ``units`` where tied.
    scale : float
        Of cosine scores; 0 for scores that are dot products.
    has_bias : bool
        Whether each item's score has a bias.
    """

    cell: str
    layers: int
    units: int
    item_inputs: str
    dim: int
    scale: float
    has_bias: bool

    @property
    def is_one_hot(self) -> bool:
        """Whether items are rows of gates."""
        return self.item_inputs == "gates"

    @property
    def input_columns(self) -> int:
        """Columns of the rows that items and features are read by, padded."""
        gates = GATES[self.cell] * stride_of(self.units)
        return gates if self.is_one_hot else stride_of(self.dim)

    def layout(self) -> list[tuple[str, int, int, int]]:
        """Return (name, offset, rows, columns) of each weight matrix of the layers."""
        layout: list[tuple[str, int, int, int]] = isa.load("rnn").dense_layout(
            self.cell, self.layers, self.units, self.dim, self.is_one_hot
        )
        return layout

    def dense_floats(self) -> int:
        """Return the floats of all weight matrices of the layers."""
        _, offset, rows, columns = self.layout()[-1]
        return offset + rows * columns

    def parameter_floats(self, items: int, features: int) -> int:
        """Return the floats of a net of so many items and feature rows."""
        rows = items * (stride_of(self.units) + int(self.has_bias))
        if self.item_inputs != "tied":
            rows += items * self.input_columns
        return rows + features * self.input_columns + self.dense_floats()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)


class RecurrentNetwork:
    """The weights of a net and what is done with them; made by :meth:`new` or :meth:`restored`.

    Attributes
    ----------
    architecture : Architecture
    dense : float32 ndarray
        The weight matrices of the layers, one after the other; see :meth:`weights`.
    inputs : float32 ndarray, shape (items, input_columns)
        What items are read by; the same array as ``outputs`` where tied.
    outputs : float32 ndarray, shape (items, units padded)
        What items are scored with.
    bias : float32 ndarray, shape (items,), or None
        Added to the scores.
    features : float32 ndarray, shape (feature rows, input_columns), or None
        Added to what an event is read by.

    Notes
    -----
    Reading is safe from several threads at once, and its results do not depend on ``threads``.
    """

    def __init__(
        self,
        architecture: Architecture,
        dense: np.ndarray,
        inputs: np.ndarray,
        outputs: np.ndarray,
        bias: np.ndarray | None,
        features: np.ndarray | None,
    ) -> None:
        self.architecture = architecture
        self.dense, self.inputs, self.outputs = dense, inputs, outputs
        self.bias, self.features = bias, features
        self.compiled = isa.load("rnn").Network(
            architecture.cell,
            architecture.layers,
            architecture.units,
            architecture.dim,
            architecture.is_one_hot,
            architecture.scale,
            dense,
            inputs,
            outputs,
            bias,
            features,
        )

    # Making

    @classmethod
    def new(
        cls, architecture: Architecture, items: int, features: int, seed: int
    ) -> RecurrentNetwork:
        """Return a net of random weights, uniform within 1 / sqrt(length of a row's product).

        Biases and feature rows begin at zero. ``features`` is the number of feature rows.
        """
        rows = _rows(architecture, None, items, features, seed)
        return cls(architecture, _random_layers(architecture, seed), *rows)

    def extended(self, items: int, features: int, seed: int) -> RecurrentNetwork:
        """Return a copy with so many items and feature rows in all; the old ones come first.

        New rows of items are random, of features zero.
        """
        dense = aligned_empty(self.dense.shape)
        dense[:] = self.dense
        rows = _rows(self.architecture, self, items, features, seed)
        return RecurrentNetwork(self.architecture, dense, *rows)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the parameters by the names that files use; not copied."""
        arrays = {"weights": self.dense, "item_vectors": self.outputs}
        if self.inputs is not self.outputs:
            arrays["item_inputs"] = self.inputs
        if self.bias is not None:
            arrays["item_bias"] = self.bias
        if self.features is not None:
            arrays["feature_vectors"] = self.features
        return arrays

    @classmethod
    def restored(
        cls, architecture: Architecture, arrays: Mapping[str, np.ndarray], items: int
    ) -> RecurrentNetwork:
        """Return the net that :meth:`arrays` has described.

        Raises
        ------
        KeyError, ValueError
            An array is missing, or has another shape than the architecture asks for.
        """
        net = architecture
        stride = stride_of(net.units)
        dense = _checked(arrays, "weights", (net.dense_floats(),))
        outputs = inputs = _checked(arrays, "item_vectors", (items, stride))
        if net.item_inputs != "tied":
            inputs = _checked(arrays, "item_inputs", (items, net.input_columns))
        bias = _checked(arrays, "item_bias", (items,)) if net.has_bias else None
        features = arrays.get("feature_vectors")
        if features is not None:
            features = _checked(arrays, "feature_vectors", (len(features), net.input_columns))
        return cls(net, dense, inputs, outputs, bias, features)

    # Reading

    def weights(self) -> dict[str, np.ndarray]:
        """Return the matrices of the layers by name, views without their padding columns.

        ``"layer0.input_weights"`` has the shape (dim, gates, units), ``"layer0.state_weights"``
        (units, gates, units), ``"layer0.bias"`` (gates, units) and, of a GRU,
        ``"layer0.state_bias"`` (units,). Gates are in the order r, z, n of a GRU and i, f, g, o
        of an LSTM.
        """
        net = self.architecture
        stride = stride_of(net.units)
        views = {}
        for name, offset, rows, columns in net.layout():
            matrix = self.dense[offset : offset + rows * columns]
            view = matrix.reshape(rows, columns // stride, stride)[:, :, : net.units]
            if name.endswith("state_bias"):
                view = view[0, 0]
            elif name.endswith("bias"):
                view = view[0]
            views[name] = view
        return views

    def zero_states(self, n: int) -> np.ndarray:
        """Return the states of ``n`` sessions that have heard nothing: float32, (n, floats)."""
        return aligned_zeros((n, int(self.compiled.state_floats)))

    def advance(
        self,
        states: np.ndarray,
        rows: np.ndarray,
        features: StepFeatures | None = None,
        threads: int | None = None,
    ) -> None:
        """Let session i hear item ``rows[i]``; -1 leaves it as it is.

        Parameters
        ----------
        states : float32 ndarray, shape (n, floats)
            Written in place; C-contiguous.
        rows : int32 ndarray, shape (n,)
        features : StepFeatures or None
            A row a session.
        threads : int or None
        """
        ids, values = features or (None, None)

        def task(start: int, stop: int) -> None:
            self.compiled.advance(states, rows, start, stop, self._scratch(), ids, values)

        run_ranges(task, len(rows), SESSIONS_AT_ONCE, threads)

    def encode(
        self,
        histories: Ragged,
        features: StepFeatures | None = None,
        threads: int | None = None,
    ) -> np.ndarray:
        """Return the states of sessions that have heard ``histories``: float32, (n, floats).

        Parameters
        ----------
        histories : Ragged of int32
            Rows of items, oldest first.
        features : StepFeatures or None
            A row for each value of ``histories.flat``.
        threads : int or None
        """
        ids, values = features or (None, None)
        lengths = histories.lengths
        # Like lengths lie together, so that a group does little for sessions that have ended.
        order = np.argsort(-lengths, kind="stable")
        tokens = np.ascontiguousarray(histories.flat, np.int32)
        starts = (histories.offsets[:-1] - histories.offsets[0])[order]
        lengths = lengths[order]
        states = self.zero_states(len(order))

        def task(start: int, stop: int) -> None:
            self.compiled.encode(
                tokens, starts, lengths, states, start, stop, self._scratch(), ids, values
            )

        run_ranges(task, len(order), SESSIONS_AT_ONCE, threads)
        places = np.empty_like(order)
        places[order] = np.arange(len(order))
        return states[places]

    def queries(self, states: np.ndarray, threads: int | None = None) -> np.ndarray:
        """Return what sessions look for items with, float32 of shape (n, units).

        Its product with a row of :meth:`output_vectors`, plus the item's bias, is the score.
        """
        out = aligned_empty((len(states), stride_of(self.architecture.units)))

        def task(start: int, stop: int) -> None:
            self.compiled.queries(states, out, start, stop)

        run_ranges(task, len(states), SESSIONS_AT_ONCE, threads)
        return out[:, : self.architecture.units]

    def output_vectors(self) -> np.ndarray:
        """Return what items are scored with, float32 (items, units); of length 1 for cosines."""
        vectors = self.outputs[:, : self.architecture.units]
        if not self.architecture.scale:
            return vectors
        scored = padded_copy(vectors)
        for start in range(0, len(scored), ROWS_AT_ONCE):
            part = scored[start : start + ROWS_AT_ONCE]
            squares = np.einsum("ij,ij->i", part, part, dtype=np.float64)
            part /= np.sqrt(np.maximum(squares, 1e-24))[:, None].astype(np.float32)
        return scored[:, : self.architecture.units]

    def _scratch(self) -> np.ndarray:
        return aligned_empty((int(self.compiled.scratch_floats(SESSIONS_AT_ONCE)),))


def _random_layers(net: Architecture, seed: int) -> np.ndarray:
    dense = aligned_zeros((net.dense_floats(),))
    bound = net.units**-0.5
    random = generator(seed, "rnn weights")
    for name, offset, rows, columns in net.layout():
        if name.endswith("_weights"):
            matrix = dense[offset : offset + rows * columns].reshape(rows, columns)
            for gate in _gates_of(matrix, net):
                gate[:] = random.uniform(-bound, bound, gate.shape)
    return dense


def _rows(
    net: Architecture, old: RecurrentNetwork | None, items: int, features: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Return inputs, outputs, bias and features of a net, which begin with those of an old one."""
    before = len(old.outputs) if old is not None else 0
    outputs = inputs = padded_zeros(items, net.units)
    _fill(outputs[before:, : net.units], net.units, seed, "rnn item vectors", before)
    if net.item_inputs != "tied":
        inputs = padded_zeros(items, net.input_columns)
        length = net.units if net.is_one_hot else net.dim
        parts = _gates_of(inputs, net) if net.is_one_hot else [inputs[:, :length]]
        for number, part in enumerate(parts):
            _fill(part[before:], length, seed, f"rnn item inputs {number}", before)
    bias = np.zeros(items, np.float32) if net.has_bias else None
    rows = padded_zeros(features, net.input_columns) if features else None
    if old is not None:
        outputs[:before], inputs[:before] = old.outputs, old.inputs
        if bias is not None and old.bias is not None:
            bias[:before] = old.bias
        if rows is not None and old.features is not None:
            rows[: len(old.features)] = old.features
    return inputs, outputs, bias, rows


def _gates_of(matrix: np.ndarray, net: Architecture) -> list[np.ndarray]:
    """Return the columns of each gate, without the padding."""
    stride = stride_of(net.units)
    return [matrix[:, at : at + net.units] for at in range(0, matrix.shape[1], stride)]


def _fill(part: np.ndarray, length: int, seed: int, name: str, first: int) -> None:
    """Fill rows with numbers that are uniform within 1 / sqrt(length), see RANDOM_LENGTH."""
    random = generator(seed, name, first)
    bound = np.float32(length**-0.5)
    for start in range(0, len(part), ROWS_AT_ONCE):
        rows = part[start : start + ROWS_AT_ONCE]
        rows[:] = (random.random(rows.shape, dtype=np.float32) * 2 - 1) * bound


def _checked(arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return a float32 array of the file, which must have the shape."""
    array = arrays[name]
    if array.shape != shape or array.dtype != np.float32:
        raise ValueError(f"{name} of shape {array.shape}, expected {shape}")
    return array
