"""What a search answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastrec.errors import InputError
from fastrec.runtime import checks

EMPTY_PLACES = 1 << 25  # that a result may have behind the last row there is: 256 MB


@dataclass(frozen=True)
class TopK:
    """The best rows of each query, best first; equal scores are ordered by the smaller row.

    Always ``k`` wide, so that the shape of an answer does not depend on the data; ``k`` may
    exceed the number of rows, which costs the memory of the empty places and nothing else.

    Attributes
    ----------
    items : ndarray of int32, shape (n_queries, k)
        Row numbers; -1 where there are fewer than ``k`` answers.
    scores : ndarray of float32, shape (n_queries, k)
        NaN where there are fewer than ``k`` answers.
    counts : ndarray of int32, shape (n_queries,)
        How many answers each query has.
    logsumexp : ndarray of float64, shape (n_queries,), or None
        Where it was asked for: the log of the sum of the exponentials of the scores of all rows,
        those that could be no answers among them. A score minus this is the log of the row's
        probability under a softmax.
    """

    items: np.ndarray
    scores: np.ndarray
    counts: np.ndarray
    logsumexp: np.ndarray | None = None

    @classmethod
    def empty(cls, n_queries: int, k: int, n_rows: int) -> TopK:
        """Return ``n_queries`` rows of length ``k`` without any answer.

        Parameters
        ----------
        n_queries, k : int
            The shape.
        n_rows : int
            Rows that are searched: no more can be answers.

        Raises
        ------
        InputError
            More than 2**25 places behind the last row that there is, or no memory.
        """
        for name, number in (("n_queries", n_queries), ("k", k), ("n_rows", n_rows)):
            checks.whole_number(name, number, 0)
        if n_queries * (k - n_rows) > EMPTY_PLACES:
            raise InputError(
                f"k={k} asks for more than there is: for {n_queries} queries {k - n_rows} places "
                f"each would stay empty; {n_rows} can be found, ask for k={max(n_rows, 1)}"
            )
        try:
            return cls(
                np.full((n_queries, k), -1, dtype=np.int32),
                np.full((n_queries, k), np.nan, dtype=np.float32),
                np.zeros(n_queries, dtype=np.int32),
            )
        except (MemoryError, ValueError):  # ValueError: not even its size can be written down
            raise InputError(
                f"there is no memory for {n_queries} queries with k={k}, "
                f"{8e-9 * n_queries * k:.0f} GB; lower k or ask fewer queries at a time"
            ) from None

    def clear(self, queries: np.ndarray) -> None:
        """Take away the answers of some queries, given as a bool (n_queries,), in place."""
        if queries.any():
            self.items[queries], self.scores[queries], self.counts[queries] = -1, np.nan, 0

    def __len__(self) -> int:
        """Return the number of queries."""
        return len(self.counts)
