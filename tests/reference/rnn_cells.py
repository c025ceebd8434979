"""Recurrent cells in float64, one event of one session at a time, written from the papers.

Plain cells: Elman, "Finding Structure in Time" (1990). GRU: Cho et al., "Learning Phrase
Representations using RNN Encoder-Decoder" (2014), in the form whose reset gate multiplies the
state's product instead of the state, as libraries compute it. LSTM: Hochreiter and
Schmidhuber (1997) with the forget gate of Gers et al. (2000).

A layer is a dict of arrays, and so are its gradients; G gates (1, 3: r z n, 4: i f g o) stand
side by side in the columns:
``input_weights`` (in, G * units), missing where the inputs are gates already,
``state_weights`` (units, G * units), ``bias`` (G * units,), ``state_bias`` (units,) of a GRU.
"""

import numpy as np
from scipy.special import expit as sigmoid

CELLS = ("tanh", "relu", "gru", "lstm")
GATES = {"tanh": 1, "relu": 1, "gru": 3, "lstm": 4}


def shapes(cell, units, width, one_hot=False):
    """The shapes of a layer's arrays by name; ``width`` is that of its inputs."""
    gates = GATES[cell]
    found = {} if one_hot else {"input_weights": (width, gates * units)}
    found |= {"state_weights": (units, gates * units), "bias": (gates * units,)}
    return found | ({"state_bias": (units,)} if cell == "gru" else {})


def forward(cell, layer, x, h, c=None):
    """The next state (h, c) and what ``backward`` needs; c is the memory of an LSTM, else None."""
    weights = layer.get("input_weights")
    a = (x if weights is None else x @ weights) + layer["bias"]
    s = h @ layer["state_weights"]
    if cell == "tanh":
        new = np.tanh(a + s)
        return new, None, (x, h, new)
    if cell == "relu":
        new = np.maximum(a + s, 0)
        return new, None, (x, h, new)
    if cell == "gru":
        (a_r, a_z, a_n), (s_r, s_z, s_n) = np.split(a, 3), np.split(s, 3)
        r, z = sigmoid(a_r + s_r), sigmoid(a_z + s_z)
        m = s_n + layer["state_bias"]
        n = np.tanh(a_n + r * m)
        return (1 - z) * n + z * h, None, (x, h, r, z, m, n)
    a_i, a_f, a_g, a_o = np.split(a + s, 4)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
    new_c = f * c + i * g
    return o * np.tanh(new_c), new_c, (x, h, c, i, f, g, o, new_c)


def backward(cell, layer, memory, d_new, d_new_c=None):
    """From the slopes of the new state those of x, h, c and of the layer's arrays."""
    x, h = memory[:2]
    d_h, d_c = np.zeros_like(h), None
    gradients = {}
    if cell == "tanh":
        d_a = d_s = d_new * (1 - memory[2] ** 2)
    elif cell == "relu":
        d_a = d_s = d_new * (memory[2] > 0)
    elif cell == "gru":
        r, z, m, n = memory[2:]
        d_z = d_new * (h - n) * z * (1 - z)
        d_n = d_new * (1 - z) * (1 - n**2)
        d_r = d_n * m * r * (1 - r)
        d_a = np.concatenate((d_r, d_z, d_n))
        d_s = np.concatenate((d_r, d_z, d_n * r))
        d_h = d_new * z
        gradients["state_bias"] = d_n * r
    else:
        c, i, f, g, o, new_c = memory[2:]
        shown = np.tanh(new_c)
        d_inner = d_new_c + d_new * o * (1 - shown**2)
        d_i = d_inner * g * i * (1 - i)
        d_f = d_inner * c * f * (1 - f)
        d_g = d_inner * i * (1 - g**2)
        d_o = d_new * shown * o * (1 - o)
        d_a = d_s = np.concatenate((d_i, d_f, d_g, d_o))
        d_c = d_inner * f
    gradients |= {"bias": d_a, "state_weights": np.outer(h, d_s)}
    d_x = d_a
    if "input_weights" in layer:
        gradients["input_weights"] = np.outer(x, d_a)
        d_x = layer["input_weights"] @ d_a
    return d_x, d_h + layer["state_weights"] @ d_s, d_c, gradients
