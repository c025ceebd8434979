"""The matrix products of a training step alone, by the best library: what no trainer can beat.

Forward and backward products of a GRU's input and state, of the scores and of all gradients;
nothing is gathered, nothing added up or updated in between. Each product is timed by PyTorch and
by NumPy, and the faster one counts; of bfloat16 numbers PyTorch alone has products.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from itertools import pairwise
from statistics import median

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.rnn_work import NEGATIVES, Shape, Work

REPEATS = 15
STEPS = 4  # of whole sessions, whose sizes differ


class Product:
    """Some products that follow each other, (m, k) by (k, n), perhaps of transposed matrices.

    Parameters
    ----------
    rows : list of int
        m of each; operands of different m are different parts of the same arrays.
    k, n : int
        The other sizes.
    is_left_turned, is_right_turned : bool
        The matrices are stored the other way round.
    """

    def __init__(
        self,
        rows: list[int],
        k: int,
        n: int,
        *,
        is_left_turned: bool = False,
        is_right_turned: bool = False,
    ) -> None:
        random = np.random.default_rng(0)
        most = sum(rows)
        left = random.standard_normal((k, most) if is_left_turned else (most, k), np.float32)
        right = random.standard_normal((n, k) if is_right_turned else (k, n), np.float32)
        left, right = left.T if is_left_turned else left, right.T if is_right_turned else right
        out = np.empty((most, n), np.float32)
        ends = np.concatenate(([0], np.cumsum(rows)))
        parts = [slice(a, b) for a, b in pairwise(ends)]
        self.numpy = [(left[part], right, out[part]) for part in parts]
        self.torch = [tuple(torch.from_numpy(array) for array in one) for one in self.numpy]

    def rounded(self) -> Product:
        """Return the same products, of which PyTorch's are of bfloat16 numbers."""
        product = copy(self)
        product.torch = [tuple(array.bfloat16() for array in one) for one in self.torch]
        return product

    def by_numpy(self) -> None:
        """Compute the products by NumPy's BLAS."""
        for left, right, out in self.numpy:
            np.matmul(left, right, out=out)

    def by_torch(self) -> None:
        """Compute the products by PyTorch's."""
        for left, right, out in self.torch:
            torch.mm(left, right, out=out)


def products_of(shape: Shape, lengths: np.ndarray) -> list[Product]:
    """Return the products of a step whose rows have these lengths, the longest first."""
    units, gates, events = shape.units, 3 * shape.units, int(lengths.sum())
    alive = [int((lengths > t).sum()) for t in range(int(lengths.max()))]
    found = [
        Product([events], units, gates),  # inputs
        Product(alive, units, gates),  # states, time by time
        Product([events], units, NEGATIVES, is_right_turned=True),  # scores
        Product([events], NEGATIVES, units),  # slopes of the states
        Product([NEGATIVES], events, units, is_left_turned=True),  # of the samples
        Product([events], gates, units, is_right_turned=True),  # of the inputs
        Product([units], events, gates, is_left_turned=True),  # of the input weights
        Product([units], events, gates, is_left_turned=True),  # of the state weights
    ]
    if len(alive) > 1:  # back through time
        found.append(Product(alive[1:], gates, units, is_right_turned=True))
    return found


def floor_of(
    shape: Shape, work: Work, threads: int, *, is_bf16: bool = False
) -> Callable[[], float]:
    """Return a measurement of the products of some steps, in events/s."""
    steps = STEPS if shape.is_whole else 1
    rows = [work.lengths[work.step_rows[i] : work.step_rows[i + 1]] for i in range(steps)]
    products = [product for lengths in rows for product in products_of(shape, lengths)]
    events = sum(int(lengths.sum()) for lengths in rows)
    if is_bf16:
        products = [product.rounded() for product in products]

    def measure() -> float:
        torch.set_num_threads(threads)
        if is_bf16:
            return events / sum(seconds_of_each([product.by_torch for product in products]))
        with threadpool_limits(limits=threads, user_api="blas"):
            by_numpy = seconds_of_each([product.by_numpy for product in products])
        by_torch = seconds_of_each([product.by_torch for product in products])
        return events / sum(min(pair) for pair in zip(by_numpy, by_torch, strict=True))

    return measure


def seconds_of_each(calls: list[Callable[[], None]]) -> list[float]:
    """Return the median seconds of each call, all of them made in turns as a step makes them."""
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(REPEATS + 2):
        for call, times in zip(calls, seconds, strict=True):
            begin = time.perf_counter()
            call()
            times.append(time.perf_counter() - begin)
    return [median(times[2:]) for times in seconds]
