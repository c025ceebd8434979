"""A model whose scores are given: one row of scores for each user."""

import numpy as np

from fastrec.data import IdMap
from fastrec.search import select


class GivenScores:
    """Ranks by a matrix of scores, shape (users, items); ids are 0, 1, ... unless given."""

    def __init__(self, scores, item_ids=None, item_counts=None):
        self.scores = np.asarray(scores, dtype=np.float32)
        users, items = self.scores.shape
        self.item_ids = item_ids or IdMap.from_ids(np.arange(items))[0]
        self.user_ids = IdMap.from_ids(np.arange(users))[0]
        self.item_counts = np.asarray(
            np.ones(items) if item_counts is None else item_counts, dtype=np.int64
        )
        self.calls = []

    def rank(self, queries, k, *, exclude=None, allow=None, threads=None):
        self.calls.append((len(queries), k))
        seen = queries.histories if queries.exclude_seen else None
        return select(self.scores[queries.user], k, exclude=seen, threads=threads)
