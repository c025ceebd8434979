"""Optimizers as plain settings; the arithmetic is compiled, one row of a matrix at a time.

They update dense matrices and, of sparse ones, the rows that a step has touched:
what a step does not touch keeps its moments, its momentum and its weight. Weight
decay is decoupled from the gradient (``w -= rate * decay * w``) and reaches the
touched rows only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fastrec.runtime import checks
from fastrec.runtime.arrays import aligned_zeros, stride_of

# Below it the float32 quotient of a zero gradient could become 0 / 0.
SMALLEST_EPSILON = 1e-20
SMALLEST_RATE, LARGEST_RATE = 1e-20, 1e30  # float32 holds them, and their products


@dataclass(frozen=True)
class Optimizer:
    """What all optimizers have in common; use one of its kinds.

    Parameters
    ----------
    rate : float
        Learning rate, from 1e-20 to 1e30.
    decay : float
        Weight decay, from 0 to 1 / rate.
    """

    rate: float
    decay: float = 0.0

    kind: ClassVar[int]

    def __post_init__(self) -> None:
        checks.real_number("rate", self.rate, SMALLEST_RATE, LARGEST_RATE)
        checks.real_number("decay", self.decay, minimum=0.0, maximum=1.0 / self.rate)

    def slots(self, dim: int) -> int:
        """Return how many floats of state a row of ``dim`` numbers has."""
        raise NotImplementedError

    def state(self, rows: int, dim: int) -> np.ndarray:
        """Return the state before the first step, float32 zeros of shape (rows, slots(dim))."""
        return aligned_zeros((rows, self.slots(dim)))

    def settings(self, step: int = 1, rate: float | None = None) -> np.ndarray:
        """Return what the kernels take, float32 of shape (9,).

        Parameters
        ----------
        step : int
            Steps of the whole model with this one, at least 1; Adam corrects its bias by it.
        rate : float or None
            The rate of this step where a schedule moves it.
        """
        momentum, beta1, beta2, epsilon = self._numbers()
        corrections = (1.0, 1.0)
        if beta2 > 0:
            corrections = 1 / (1 - beta1**step), 1 / math.sqrt(1 - beta2**step)
        used = self.rate if rate is None else rate
        return np.array(
            [self.kind, used, momentum, beta1, beta2, epsilon, self.decay, *corrections],
            np.float32,
        )

    def _numbers(self) -> tuple[float, float, float, float]:
        """Return momentum, beta1, beta2 and epsilon; 0 where the kind has none."""
        raise NotImplementedError


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent: ``v = momentum * v + g; w -= rate * v``.

    Parameters
    ----------
    rate, decay : float
        See :class:`Optimizer`.
    momentum : float
        From 0 to 1; 0 keeps no state.

    Examples
    --------
    >>> SGD(rate=0.1).slots(100), SGD(rate=0.1, momentum=0.9).slots(100)
    (0, 112)
    """

    momentum: float = 0.0

    kind: ClassVar[int] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.real_number("momentum", self.momentum, minimum=0.0, maximum=1.0)

    def slots(self, dim: int) -> int:
        """Return how many floats of state a row of ``dim`` numbers has."""
        return stride_of(dim) if self.momentum else 0

    def _numbers(self) -> tuple[float, float, float, float]:
        return self.momentum, 0.0, 0.0, 0.0


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """Steps over the root of all squared gradients so far, each number by itself.

    ``s += g * g; u = g / (sqrt(s) + epsilon); v = momentum * v + u; w -= rate * v``.
    Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and
    Stochastic Optimization" (JMLR 2011); the momentum is on the step.

    Parameters
    ----------
    rate, decay : float
        See :class:`Optimizer`.
    momentum : float
        From 0 to 1; 0 keeps no second number.
    epsilon : float
        Above 0.
    """

    momentum: float = 0.0
    epsilon: float = 1e-10

    kind: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.real_number("momentum", self.momentum, minimum=0.0, maximum=1.0)
        checks.real_number("epsilon", self.epsilon, minimum=SMALLEST_EPSILON)

    def slots(self, dim: int) -> int:
        """Return how many floats of state a row of ``dim`` numbers has."""
        return stride_of(dim) * (2 if self.momentum else 1)

    def _numbers(self) -> tuple[float, float, float, float]:
        return self.momentum, 0.0, 0.0, self.epsilon


@dataclass(frozen=True)
class Adam(Optimizer):
    """Steps by running means of gradients and of their squares.

    Kingma and Ba, "Adam: A Method for Stochastic Optimization" (ICLR 2015), algorithm 1.
    Rows that a step does not touch keep their means; the bias is corrected by the steps
    of the whole model.

    Parameters
    ----------
    rate, decay : float
        See :class:`Optimizer`.
    beta1, beta2 : float
        How much of the means is kept, ``beta1`` from 0 and ``beta2`` from 1e-6, both below 1.
    epsilon : float
        Above 0.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    kind: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.real_number("beta1", self.beta1, minimum=0.0, maximum=0.999999)
        checks.real_number("beta2", self.beta2, minimum=1e-6, maximum=0.999999)
        checks.real_number("epsilon", self.epsilon, minimum=SMALLEST_EPSILON)

    def slots(self, dim: int) -> int:
        """Return how many floats of state a row of ``dim`` numbers has."""
        return 2 * stride_of(dim)

    def _numbers(self) -> tuple[float, float, float, float]:
        return 0.0, self.beta1, self.beta2, self.epsilon


@dataclass(frozen=True)
class RowAdagrad(Optimizer):
    """Adagrad with a single number of state for each row: the sum of its gradients' mean squares.

    ``s += mean(g * g); w -= rate * g / (sqrt(s) + epsilon)``.

    Parameters
    ----------
    rate, decay : float
        See :class:`Optimizer`.
    epsilon : float
        Above 0.
    """

    epsilon: float = 1e-10

    kind: ClassVar[int] = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.real_number("epsilon", self.epsilon, minimum=SMALLEST_EPSILON)

    def slots(self, dim: int) -> int:
        """Return how many floats of state a row of ``dim`` numbers has."""
        return 1

    def _numbers(self) -> tuple[float, float, float, float]:
        return 0.0, 0.0, 0.0, self.epsilon
