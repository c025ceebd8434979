"""Lookups, bags and updates of their rows in float64, as loops over ids."""

from dataclasses import fields

import numpy as np

from tests.reference.rnn_updates import Optimizer, update


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
    """What an optimizer of ``fastrec.nn`` remembers of a matrix, and its step on some rows."""

    def __init__(self, shape):
        self.shape, self.slots, self.step = shape, None, 0

    def update(self, optimizer, matrix, rows, g):
        """Move ``matrix[rows]`` (float64) by the gradients ``g``; rows are different."""
        kind = {"RowAdagrad": "row_adagrad"}.get(type(optimizer).__name__)
        own = {f.name: getattr(optimizer, f.name) for f in fields(optimizer) if f.name != "rate"}
        rule = Optimizer(kind or type(optimizer).__name__.lower(), **own)
        if self.slots is None:
            self.slots = rule.slots(np.zeros(self.shape))
        self.step += 1
        gradient = np.zeros(self.shape)
        gradient[rows] = g
        update(rule, matrix, self.slots, gradient, optimizer.rate, self.step, rows)
