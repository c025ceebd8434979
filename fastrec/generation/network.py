"""What generation asks of a net, and the states of those who listen to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from fastrec.data import Ragged


class Network(Protocol):
    """A net that advances by tracks; see :class:`fastrec.nn.network.RecurrentNetwork`."""

    def zero_states(self, n: int) -> np.ndarray:
        """Return the states of ``n`` sessions that have heard nothing."""

    def advance(
        self, states: np.ndarray, rows: np.ndarray, features: Any = None, threads: int | None = None
    ) -> None:
        """Let session i hear track ``rows[i]``, in place; -1 leaves it as it is."""

    def encode(
        self, histories: Ragged, features: Any = None, threads: int | None = None
    ) -> np.ndarray:
        """Return the states of sessions that have heard ``histories``."""

    def queries(self, states: np.ndarray, threads: int | None = None) -> np.ndarray:
        """Return what sessions look for tracks with."""


def rows_of(features: Sequence[np.ndarray] | None, rows: np.ndarray) -> Any:
    """Return some rows of the features of sessions, in the same kind of tuple."""
    if features is None:
        return None
    taken = [np.ascontiguousarray(part[rows]) for part in features]
    make = getattr(type(features), "_make", tuple)
    return make(taken)


@dataclass
class Listeners:
    """States of several sessions and the features with which each hears its tracks.

    Attributes
    ----------
    network : Network
    states : float32 ndarray, shape (n, floats)
    features : named tuple of ndarray, or None
        One row a session.
    threads : int or None
    """

    network: Network
    states: np.ndarray
    features: Any
    threads: int | None

    @classmethod
    def of(
        cls, network: Network, histories: Ragged, features: Any, threads: int | None
    ) -> Listeners:
        """Let sessions hear their histories."""
        each = rows_of(features, histories.row_numbers)
        return cls(network, network.encode(histories, each, threads), features, threads)

    def hear(self, rows: np.ndarray) -> None:
        """Let every session hear one track more."""
        self.network.advance(
            self.states, np.ascontiguousarray(rows, np.int32), self.features, self.threads
        )

    def queries(self) -> np.ndarray:
        """Return what the sessions look for tracks with."""
        return self.network.queries(self.states, self.threads)

    def take(self, rows: np.ndarray) -> Listeners:
        """Return copies of some sessions, each as often as it is named."""
        states = np.ascontiguousarray(self.states[rows])
        return Listeners(self.network, states, rows_of(self.features, rows), self.threads)
