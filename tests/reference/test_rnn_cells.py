"""Every recurrent cell of the reference against finite differences."""

import numpy as np
import pytest

from tests.reference import rnn_cells
from tests.reference.differences import assert_slopes

SIZES = [1, 3, 17, 100, 129]


def make_cell(cell, units, width, one_hot=False, seed=0):
    random = np.random.default_rng(seed)
    layer = {
        name: random.standard_normal(shape) * (0.3 if len(shape) == 1 else shape[0] ** -0.5)
        for name, shape in rnn_cells.shapes(cell, units, width, one_hot).items()
    }
    size = rnn_cells.GATES[cell] * units if one_hot else width
    state = {"x": random.standard_normal(size), "h": random.uniform(-0.9, 0.9, units)}
    if cell == "lstm":
        state["c"] = random.uniform(-2, 2, units)
    return layer, state


@pytest.mark.parametrize("one_hot", [False, True])
@pytest.mark.parametrize("units", SIZES)
@pytest.mark.parametrize("cell", rnn_cells.CELLS)
def test_a_cell_follows_finite_differences(cell, units, one_hot):
    layer, state = make_cell(cell, units, max(1, units - 2), one_hot)
    d_h, d_c = np.random.default_rng(1).standard_normal((2, units))

    def value():
        h, c, _ = rnn_cells.forward(cell, layer, state["x"], state["h"], state.get("c"))
        return d_h @ h + (0 if c is None else d_c @ c)

    *_, memory = rnn_cells.forward(cell, layer, state["x"], state["h"], state.get("c"))
    d_x, d_old_h, d_old_c, gradients = rnn_cells.backward(cell, layer, memory, d_h, d_c)
    found = {"x": d_x, "h": d_old_h, "c": d_old_c} | gradients
    assert_slopes(value, layer | state, found)


@pytest.mark.parametrize(
    ("cell", "name"), [("tanh", "RNN"), ("relu", "RNN"), ("gru", "GRU"), ("lstm", "LSTM")]
)
def test_a_cell_is_that_of_pytorch(cell, name):
    torch = pytest.importorskip("torch")
    layer, state = make_cell(cell, 5, 4)
    options = {"nonlinearity": cell} if name == "RNN" else {}
    twin = getattr(torch.nn, f"{name}Cell")(4, 5, dtype=torch.float64, **options)
    bias = np.zeros(len(layer["bias"]))
    if cell == "gru":
        bias[-5:] = layer["state_bias"]
    arrays = layer["input_weights"].T, layer["state_weights"].T, layer["bias"], bias
    for parameter, array in zip(twin.parameters(), arrays, strict=True):
        parameter.data.copy_(torch.tensor(array))
    given = [torch.tensor(state[key])[None] for key in ("h", "c") if key in state]
    found = twin(torch.tensor(state["x"])[None], given[0] if len(given) == 1 else tuple(given))
    h, c, _ = rnn_cells.forward(cell, layer, state["x"], state["h"], state.get("c"))
    shown = found if cell == "lstm" else (found,)
    for one, other in zip(shown, (h, c), strict=False):
        np.testing.assert_allclose(one[0].detach().numpy(), other, rtol=1e-12, atol=1e-14)
