"""Lookups, bags and row updates in float64, written from their equations.

Duchi et al., "Adaptive Subgradient Methods" (2011), the diagonal case; Kingma and Ba,
"Adam" (2015), algorithm 1; decoupled weight decay: Loshchilov and Hutter (2019).
"""

import numpy as np


def bags(matrix, ids, offsets, weights=None, mode="sum"):
    """Return the sum or mean of each bag of rows, as a loop over its ids."""
    out = np.zeros((len(offsets) - 1, matrix.shape[1]))
    for b in range(len(out)):
        for p in range(offsets[b], offsets[b + 1]):
            out[b] += (1.0 if weights is None else weights[p]) * np.float64(matrix[ids[p]])
        if mode == "mean" and offsets[b + 1] > offsets[b]:
            out[b] /= offsets[b + 1] - offsets[b]
    return out


def id_gradients(gradient, offsets, weights=None, mode="sum"):
    """Return the gradient of every id's row, (n, dim), out of those of the bags."""
    rows = np.zeros((offsets[-1], gradient.shape[1]))
    for b in range(len(offsets) - 1):
        length = offsets[b + 1] - offsets[b]
        for p in range(offsets[b], offsets[b + 1]):
            factor = 1.0 if weights is None else weights[p]
            rows[p] = factor * np.float64(gradient[b]) / (length if mode == "mean" else 1)
    return rows


def summed(ids, gradients):
    """Return the different ids, ascending, and the sum of the gradients of each."""
    rows, places = np.unique(ids, return_inverse=True)
    sums = np.zeros((len(rows), gradients.shape[1]))
    np.add.at(sums, places, np.float64(gradients))
    return rows, sums


class State:
    """What an optimizer remembers of a matrix, and its step on some rows."""

    def __init__(self, shape):
        self.first, self.second, self.row = np.zeros(shape), np.zeros(shape), np.zeros(shape[0])
        self.step = 0

    def update(self, optimizer, matrix, rows, g):
        """Move ``matrix[rows]`` (float64) by the gradients ``g``; rows are different."""
        self.step += 1
        kind, o = type(optimizer).__name__, optimizer
        if kind == "SGD":
            self.first[rows] = o.momentum * self.first[rows] + g
            u = self.first[rows]
        elif kind == "Adagrad":
            self.first[rows] += g**2
            self.second[rows] *= o.momentum
            self.second[rows] += g / (np.sqrt(self.first[rows]) + o.epsilon)
            u = self.second[rows]
        elif kind == "RowAdagrad":
            self.row[rows] += (g**2).mean(axis=1)
            u = g / (np.sqrt(self.row[rows]) + o.epsilon)[:, None]
        else:
            self.first[rows] = o.beta1 * self.first[rows] + (1 - o.beta1) * g
            self.second[rows] = o.beta2 * self.second[rows] + (1 - o.beta2) * g**2
            mean = self.first[rows] / (1 - o.beta1**self.step)
            square = self.second[rows] / (1 - o.beta2**self.step)
            u = mean / (np.sqrt(square) + o.epsilon)
        matrix[rows] -= o.rate * (o.decay * matrix[rows] + u)
