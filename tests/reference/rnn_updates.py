"""Optimizer steps in float64, dense or on the rows that a step touched.

Momentum: Sutskever et al. (2013), as velocity = momentum * velocity + gradient. Adagrad: Duchi
et al. (2011); row-wise, one accumulator a row, of the mean square of its gradient: Ruiz et al.'s
and many recommenders' form; momentum then sums up what would be the steps. Adam: Kingma and Ba
(2015), algorithm 1; on rows, the moments of rows that are not touched rest, and the step of the
bias correction counts all steps. Weight decay is decoupled from the gradient (Loshchilov and
Hutter, 2019) and reaches what is updated.
"""

from dataclasses import dataclass

import numpy as np

KINDS = ("sgd", "adagrad", "adam", "row_adagrad")


@dataclass
class Optimizer:
    """Which rule; ``decay``: w loses rate * decay * w of what it was before the step."""

    kind: str
    momentum: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    decay: float = 0.0

    def slots(self, array):
        """The zeros that the optimizer keeps beside ``array``, one or two times its shape."""
        squares = []
        if self.kind == "row_adagrad" and array.ndim > 1:
            squares = [np.zeros(len(array))]
        elif self.kind != "sgd":
            squares = [np.zeros(array.shape)]
        has_more = self.kind == "adam" or self.momentum != 0
        return squares + [np.zeros(array.shape) for _ in range(has_more)]


def update(optimizer, array, slots, gradient, rate, step, rows=None):
    """Move ``array`` and its slots in place; ``step`` counts from 1, ``rows`` None means all."""
    rows = slice(None) if rows is None else rows
    g = gradient[rows]
    if optimizer.kind == "adam":
        squares, means = slots
        means[rows] = optimizer.beta1 * means[rows] + (1 - optimizer.beta1) * g
        squares[rows] = optimizer.beta2 * squares[rows] + (1 - optimizer.beta2) * g**2
        m = means[rows] / (1 - optimizer.beta1**step)
        v = squares[rows] / (1 - optimizer.beta2**step)
        move = m / (np.sqrt(v) + optimizer.epsilon)
    elif optimizer.kind == "sgd":
        move = g
    elif slots[0].shape == array.shape:
        slots[0][rows] += g**2
        move = g / (np.sqrt(slots[0][rows]) + optimizer.epsilon)
    else:
        slots[0][rows] += (g**2).mean(axis=-1)
        move = g / (np.sqrt(slots[0][rows])[..., None] + optimizer.epsilon)
    if optimizer.momentum and optimizer.kind != "adam":
        slots[-1][rows] = move = optimizer.momentum * slots[-1][rows] + move
    array[rows] -= rate * (move + optimizer.decay * array[rows])


def clipped(gradients, names, limit):
    """The gradients, those of ``names`` scaled down where their joint length is above ``limit``."""
    length = np.sqrt(sum((gradients[name] ** 2).sum() for name in names))
    if limit == 0 or length <= limit:
        return gradients
    return {n: g * limit / length if n in names else g for n, g in gradients.items()}
