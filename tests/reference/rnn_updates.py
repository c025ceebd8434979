"""Optimizer steps in float64, dense or on the rows that a step touched.

Momentum: Sutskever et al. (2013), as velocity = momentum * velocity + gradient. Adagrad: Duchi
et al. (2011); row-wise, one accumulator a row, of the mean square of its gradient: Ruiz et al.'s
and many recommenders' form. Adam: Kingma and Ba (2015), algorithm 1; on rows, the moments of
rows that are not touched rest, and the step of the bias correction counts all steps.
"""

from dataclasses import dataclass

import numpy as np

KINDS = ("sgd", "adagrad", "adam", "row_adagrad")


@dataclass
class Optimizer:
    """Which rule; ``decay`` adds decay * w to the gradient of every row that is updated."""

    kind: str
    momentum: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    decay: float = 0.0

    def slots(self, array):
        """The zeros that the optimizer keeps beside ``array``."""
        if self.kind == "row_adagrad" and array.ndim > 1:
            return [np.zeros(len(array))]
        return [np.zeros(array.shape) for _ in range(2 if self.kind == "adam" else 1)]


def update(optimizer, array, slots, gradient, rate, step, rows=None):
    """Move ``array`` and its slots in place; ``step`` counts from 1, ``rows`` None means all."""
    rows = slice(None) if rows is None else rows
    g = gradient[rows] + optimizer.decay * array[rows]
    first = slots[0]
    if optimizer.kind == "sgd":
        first[rows] = optimizer.momentum * first[rows] + g
        move = first[rows]
    elif optimizer.kind == "adam":
        first[rows] = optimizer.beta1 * first[rows] + (1 - optimizer.beta1) * g
        slots[1][rows] = optimizer.beta2 * slots[1][rows] + (1 - optimizer.beta2) * g**2
        m = first[rows] / (1 - optimizer.beta1**step)
        v = slots[1][rows] / (1 - optimizer.beta2**step)
        move = m / (np.sqrt(v) + optimizer.epsilon)
    elif first.shape == array.shape:
        first[rows] += g**2
        move = g / (np.sqrt(first[rows]) + optimizer.epsilon)
    else:
        first[rows] += (g**2).mean(axis=-1)
        move = g / (np.sqrt(first[rows])[..., None] + optimizer.epsilon)
    array[rows] -= rate * move


def clipped(gradients, names, limit):
    """The gradients, those of ``names`` scaled down where their joint length is above ``limit``."""
    length = np.sqrt(sum((gradients[name] ** 2).sum() for name in names))
    if limit == 0 or length <= limit:
        return gradients
    return {n: g * limit / length if n in names else g for n, g in gradients.items()}
