"""What a search answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TopK:
    """The best rows of each query, best first; equal scores are ordered by the smaller row.

    Attributes
    ----------
    items : ndarray of int32, shape (n_queries, k)
        Row numbers; -1 where there are fewer than ``k`` answers.
    scores : ndarray of float32, shape (n_queries, k)
        NaN where there are fewer than ``k`` answers.
    counts : ndarray of int32, shape (n_queries,)
        How many answers each query has.
    """

    items: np.ndarray
    scores: np.ndarray
    counts: np.ndarray

    @classmethod
    def empty(cls, n_queries: int, k: int) -> TopK:
        """Return ``n_queries`` rows of length ``k`` without any answer."""
        return cls(
            np.full((n_queries, k), -1, dtype=np.int32),
            np.full((n_queries, k), np.nan, dtype=np.float32),
            np.zeros(n_queries, dtype=np.int32),
        )

    def __len__(self) -> int:
        """Return the number of queries."""
        return len(self.counts)
