"""The same network in PyTorch: ``nn.RNN``, ``nn.GRU`` or ``nn.LSTM`` with the same weights.

What it computes and differentiates by itself is the other witness beside finite differences.
"""

import numpy as np
import torch
from torch.nn import functional

from tests.reference import rnn_cells

MODULES = {"tanh": "RNN", "relu": "RNN", "gru": "GRU", "lstm": "LSTM"}


class Twin:
    """A model of ``rnn`` in PyTorch; its state products have no bias but that of a GRU's n."""

    def __init__(self, model, dtype=torch.float32):
        self.model, self.dtype = model, dtype
        units, width = model.units, model.parameters["inputs"].shape[1]
        options = {"nonlinearity": model.cell} if MODULES[model.cell] == "RNN" else {}
        self.net = getattr(torch.nn, MODULES[model.cell])(
            width, units, model.layers, batch_first=True, dtype=dtype, **options
        )
        for number in range(model.layers):
            for parameter, array in zip(
                self.parts(number), torch_arrays(model, number), strict=True
            ):
                parameter.data.copy_(torch.tensor(array))
        rest = ("inputs", "outputs", "bias")
        self.rest = {
            name: torch.tensor(model.parameters[name], dtype=dtype, requires_grad=True)
            for name in rest
            if name in model.parameters
        }

    def parts(self, number):
        """The four parameters of a layer."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        return [getattr(self.net, f"{name}_l{number}") for name in names]

    def unit(self, rows):
        return functional.normalize(rows, dim=-1) if self.model.scale else rows

    def states(self, tokens, state):
        """The top states of one row, (length, units); ``state`` (layers, 2, units)."""
        h, c = (torch.tensor(np.ascontiguousarray(state[:, i]), dtype=self.dtype) for i in (0, 1))
        x = self.unit(self.rest["inputs"][torch.tensor(tokens)])
        top, _ = self.net(x, (h, c) if self.model.cell == "lstm" else h)
        return top

    def scores(self, states):
        """The scores of all items in the states."""
        queries = self.unit(states) * (self.model.scale or 1)
        z = queries @ self.unit(self.rest.get("outputs", self.rest["inputs"])).T
        return z + self.rest["bias"] if "bias" in self.rest else z

    def step(self, batch, loss):
        """The mean loss of a step; the gradients are kept."""
        total = weight = 0.0
        for r, (start, length) in enumerate(zip(batch.starts, batch.lengths, strict=True)):
            tokens = batch.tokens[start : start + length + 1]
            z = self.scores(self.states(tokens[:-1], batch.states[r]))
            w = torch.tensor([batch.weight(start + t + 1) for t in range(length)], dtype=self.dtype)
            losses = self.cross_entropy(z, torch.tensor(tokens[1:]), loss)
            total, weight = total + (losses * w).sum(), weight + float(w.sum())
        mean = total / weight
        mean.backward()
        return mean.item()

    def cross_entropy(self, z, targets, loss):
        if loss.name == "softmax":
            return functional.cross_entropy(z, targets, reduction="none")
        negatives = torch.tensor(loss.negatives)
        if loss.log_q is not None:
            z = z - torch.tensor(loss.log_q, dtype=self.dtype)
        others = z[:, negatives].masked_fill(targets[:, None] == negatives, -torch.inf)
        both = torch.cat([z.gather(1, targets[:, None]), others], 1)
        return functional.cross_entropy(both, torch.zeros_like(targets), reduction="none")

    def gradients(self):
        """The gradients by the names of the reference."""
        found = {name: tensor.grad.numpy() for name, tensor in self.rest.items()}
        for number in range(self.model.layers):
            w, u, b, s = (parameter.grad.numpy() for parameter in self.parts(number))
            arrays = {"input_weights": w.T, "state_weights": u.T, "bias": b}
            if self.model.cell == "gru":
                arrays["state_bias"] = s[-self.model.units :]
            found |= {f"layer{number}.{name}": array for name, array in arrays.items()}
        return found


def torch_arrays(model, number):
    """A layer's arrays as PyTorch has them: transposed, with a bias for either product."""
    layer = model.layer(number)
    state_bias = np.zeros(rnn_cells.GATES[model.cell] * model.units)
    if model.cell == "gru":
        state_bias[-model.units :] = layer["state_bias"]
    return layer["input_weights"].T, layer["state_weights"].T, layer["bias"], state_bias
