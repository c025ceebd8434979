"""synthetic_third_order: playlists that the last three tracks say more about than the last one.

They are drawn from a process that is known (:mod:`fastrec.data.third_order`), so the best possible
recall is too: ``best@20`` is what a ranker that knows the process can expect on these questions.
``expected@20`` is what the lists of a model can expect, and ``of best`` the share of the best that
this is; ``recall@20``, on the targets as they happened to be drawn, is that and chance. What a
Markov chain of first order makes of the same playlists stands beside it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from fastrec import Interactions, Queries
    from fastrec.data import SyntheticPlaylists

HOLD_OUT = 20  # one playlist in so many
ROWS = 256  # queries scored at once


class FirstOrder:
    """Ranks by how often each track came right after the last one, then by popularity."""

    def fit(self, log: Interactions, progress: bool = False) -> Self:
        """Count the transitions of a log."""
        from scipy.sparse import csr_array

        is_last = np.zeros(len(log), bool)
        is_last[log.history_offsets[1:] - 1] = True
        before = np.flatnonzero(~is_last)
        pairs = log.item[before], log.item[before + 1]
        shape = (log.n_items, log.n_items)
        self.counts = csr_array((np.ones(len(before)), pairs), shape=shape)  # duplicates add up
        # Below any count, so that popularity decides among equal ones.
        self.popularity = log.item_counts() / (len(log) + 1)
        return self

    def lists(self, queries: Queries, k: int) -> np.ndarray:
        """Return the codes of the k best tracks that are not in the history, in any order."""
        found = []
        for start in range(0, len(queries), ROWS):
            histories = queries.slice(start, start + ROWS).histories
            last = histories.values[histories.offsets[1:] - 1]
            scores = self.counts[last].toarray() + self.popularity
            scores[histories.row_numbers, histories.flat] = -1
            found.append(np.argpartition(-scores, k, axis=1)[:, :k])
        return np.concatenate(found)


def load() -> SyntheticPlaylists:
    """Return 200,000 playlists of 20,000 tracks, and questions for the end of 20,000 others."""
    from fastrec.data import third_order_playlists

    return third_order_playlists()


def hold_out(made: SyntheticPlaylists) -> SyntheticPlaylists:
    """Set the last of the playlists that train aside and ask for the ends of those instead."""
    import fastrec as fr

    cut = made.log.n_histories - made.log.n_histories // HOLD_OUT
    train, rest = (
        made.log.take(np.arange(*span)) for span in ((0, cut), (cut, made.log.n_histories))
    )
    return replace(made, log=train, queries=fr.Queries.last_item(rest, exclude_seen=True))


def judge(model: Any, made: SyntheticPlaylists) -> dict[str, float]:
    """Return the recall of a trained model beside the best one."""
    if isinstance(model, FirstOrder):
        lists = model.lists(made.queries, 20)
    else:
        codes = model.item_ids.codes_in(made.log.item_ids)
        lists = codes[model.rank(made.queries.translate(model.item_ids), 20).items]
    expected, best = made.expected_recall(lists), made.best_recall(20)
    return {
        "recall@20": float((lists == made.queries.targets.flat[:, None]).any(axis=1).mean()),
        "expected@20": expected,
        "best@20": best,
        "of best": expected / best,
    }
