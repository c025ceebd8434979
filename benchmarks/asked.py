"""What trains a model and what is asked of it; logs in which some rows count less than others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from fastrec import Interactions, Queries


@dataclass(frozen=True)
class Asked:
    """What trains, and what is asked.

    Attributes
    ----------
    train : Interactions
    queries : Queries
    """

    train: Interactions
    queries: Queries

    def evenly_weighted(self) -> Self:
        """Return the same questions with a training log of :func:`evenly_weighted`."""
        return replace(self, train=evenly_weighted(self.train))


def evenly_weighted(log: Interactions) -> Interactions:
    """Return a log whose ``value`` is 1 / (other rows of the history), scaled to a mean of 1.

    Where the window is the whole history, each row is predicted from all the others: a history of
    n rows makes n (n - 1) pairs, and a few long ones drown the rest. The loss of a row then is a
    mean over its pairs and no sum, as it is for a window of fixed length.
    """
    lengths = np.diff(log.history_offsets)
    value = np.repeat(1 / np.maximum(lengths - 1, 1), lengths)
    return replace(log, value=(value / value.mean()).astype(np.float32))


def newest(log: Interactions, seconds: int, half_life: float) -> Interactions:
    """Return the last ``seconds`` of a log whose ``value`` halves with each ``half_life`` of age.

    What is read of the time before is lost with it: a history begins where the rest of it is.
    """
    import fastrec as fr

    end = int(log.time.max())
    _, late = fr.split_by_time(log, after=end - seconds, whole_histories=False)
    value = 0.5 ** ((end - late.time) / half_life)
    return replace(late, value=(value / value.mean()).astype(np.float32))
