"""How a learning rate moves over a run."""

from __future__ import annotations

import math
from dataclasses import dataclass

SCHEDULES = ("constant", "linear", "cosine", "cooldown")


@dataclass(frozen=True)
class Schedule:
    """A learning rate over ``epochs``: constant, or falling along a line or half a cosine.

    ``"cooldown"`` is constant up to the last epoch, in which it falls along a line: what is learned
    late moves the model as much as what came first, and the noise of the steps still dies down.

    Attributes
    ----------
    name : str
        One of ``SCHEDULES``.
    first, last : float
        The rates between which it falls; a constant one is ``first``.
    epochs : int
    """

    name: str
    first: float
    last: float
    epochs: int

    def at(self, epochs_done: float) -> float:
        """Return the rate after a number of epochs."""
        done = epochs_done / self.epochs
        if self.name == "cooldown":
            done = max(0.0, epochs_done - (self.epochs - 1))
        if self.name in ("linear", "cooldown"):
            return self.first - (self.first - self.last) * done
        if self.name == "cosine":
            return self.last + (self.first - self.last) * 0.5 * (1 + math.cos(math.pi * done))
        return self.first
