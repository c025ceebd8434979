"""Recurrent nets side by side, whose scores are averaged: a deep ensemble.

Lakshminarayanan, Pritzel and Blundell, "Simple and Scalable Predictive Uncertainty Estimation
using Deep Ensembles" (2017). Here the mean is that of scores, before the softmax, so that it is
one dot product of what all members look for, side by side, with the members' item vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fastrec.data import Ragged
from fastrec.nn.network import Architecture, RecurrentNetwork, StepFeatures
from fastrec.runtime.arrays import padded_copy, padded_zeros
from fastrec.runtime.random import stream_key


def seed_of(seed: int, member: int) -> int:
    """Return what a member draws from; the first one from ``seed`` itself."""
    return stream_key(seed, "rnn member", member) if member else seed


def name_of(member: int, name: str) -> str:
    """Return what files call an array of a member."""
    return f"member{member}.{name}" if member else name


class Ensemble:
    """One or more nets of one architecture and one catalogue, used as a single one.

    The state of a session is that of the first member, then that of the second, and so on.
    Its methods do what those of :class:`fastrec.nn.network.RecurrentNetwork` do.

    Attributes
    ----------
    members : tuple of RecurrentNetwork
    architecture : Architecture
        Of each.
    """

    def __init__(self, members: Sequence[RecurrentNetwork]) -> None:
        self.members = tuple(members)
        self.architecture: Architecture = self.members[0].architecture

    # Making

    @classmethod
    def new(
        cls, architecture: Architecture, members: int, items: int, features: int, seed: int
    ) -> Ensemble:
        """Return so many nets, each of random weights of its own."""
        return cls(
            [
                RecurrentNetwork.new(architecture, items, features, seed_of(seed, member))
                for member in range(members)
            ]
        )

    def extended(self, items: int, features: int, seed: int) -> Ensemble:
        """Return copies with so many items and feature rows in all."""
        return Ensemble(
            [
                net.extended(items, features, seed_of(seed, member))
                for member, net in enumerate(self.members)
            ]
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the parameters by the names that files use; not copied."""
        return {
            name_of(member, name): array
            for member, net in enumerate(self.members)
            for name, array in net.arrays().items()
        }

    @classmethod
    def restored(
        cls,
        architecture: Architecture,
        members: int,
        arrays: Mapping[str, np.ndarray],
        items: int,
    ) -> Ensemble:
        """Return the nets that :meth:`arrays` has described; raises as a single net does."""
        nets = []
        for member in range(members):
            prefix = name_of(member, "")
            own = {
                name.removeprefix(prefix): array
                for name, array in arrays.items()
                if name.startswith(prefix)
            }
            nets.append(RecurrentNetwork.restored(architecture, own, items))
        return cls(nets)

    # Reading

    def zero_states(self, n: int) -> np.ndarray:
        """Return the states of ``n`` sessions that have heard nothing: float32, (n, floats)."""
        return _beside([net.zero_states(n) for net in self.members])

    def advance(
        self,
        states: np.ndarray,
        rows: np.ndarray,
        features: StepFeatures | None = None,
        threads: int | None = None,
    ) -> None:
        """Let session i hear item ``rows[i]``, in place; -1 leaves it as it is."""
        if len(self.members) == 1:
            self.members[0].advance(states, rows, features, threads)
            return
        for net, part in zip(self.members, self._parts(states), strict=True):
            own = padded_copy(part)
            net.advance(own, rows, features, threads)
            part[:] = own

    def encode(
        self,
        histories: Ragged,
        features: StepFeatures | None = None,
        threads: int | None = None,
    ) -> np.ndarray:
        """Return the states of sessions that have heard ``histories``: float32, (n, floats)."""
        return _beside([net.encode(histories, features, threads) for net in self.members])

    def queries(self, states: np.ndarray, threads: int | None = None) -> np.ndarray:
        """Return what sessions look for items with, float32 of shape (n, members * units)."""
        if len(self.members) == 1:
            return self.members[0].queries(states, threads)
        found = _beside(
            [
                net.queries(padded_copy(part), threads)
                for net, part in zip(self.members, self._parts(states), strict=True)
            ]
        )
        found /= np.float32(len(self.members))
        return found

    def output_vectors(self) -> np.ndarray:
        """Return what items are scored with, float32 (items, members * units).

        For cosine scores each member's part is of length 1.
        """
        return _beside([net.output_vectors() for net in self.members])

    def item_vectors(self) -> np.ndarray:
        """Return what a cosine of items is taken of, float32 (items, members * units).

        One net's vectors are as they are; several nets' are those that items are scored with.
        """
        if len(self.members) == 1:
            return self.members[0].outputs[:, : self.architecture.units]
        return self.output_vectors()

    @property
    def bias(self) -> np.ndarray | None:
        """What is added to the items' scores: float32, shape (items,), or None."""
        own = [net.bias for net in self.members if net.bias is not None]
        return _mean(own) if own else None

    def _parts(self, states: np.ndarray) -> list[np.ndarray]:
        """Return views of the states of each member."""
        return np.hsplit(states, len(self.members))


def _beside(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return matrices of one shape side by side; a single one as it is."""
    if len(parts) == 1:
        return parts[0]
    rows, columns = parts[0].shape
    found = padded_zeros(rows, len(parts) * columns)[:, : len(parts) * columns]
    for member, part in enumerate(parts):
        found[:, member * columns : (member + 1) * columns] = part
    return found


def _mean(vectors: Sequence[np.ndarray]) -> np.ndarray:
    """Return the mean of float32 vectors; a single one as it is."""
    if len(vectors) == 1:
        return vectors[0]
    mean = vectors[0].copy()
    for vector in vectors[1:]:
        mean += vector
    mean /= np.float32(len(vectors))
    return mean
