"""globo_news_10d: clicks on news, the last of ten days asked for, with device and referrer.

A history is what a user did, in all sessions, in order of time. The first nine days train. Asked
is each click of the tenth day that the user did something before: the clicks before it, on whatever
day, are the history, and all articles that train knows are ranked but those of the history; the one
click in eighty on an article that its user had read before is not asked. Articles that appeared on
the tenth day are asked for as well, and missed: ``reachable`` is the share of the targets that
train knows, the most that any Recall can be.

``device`` and ``referrer`` come along as categories, in the log of each click and in the queries of
the click that is asked for, whose device and referrer are known before what it shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.asked import Asked
from benchmarks.harness import data_folder

if TYPE_CHECKING:
    from fastrec import Interactions, Queries

DAY = 86_400
LAST_DAY = 9  # from 0


def load() -> Asked:
    """Return the first nine days, and the clicks of the tenth."""
    import fastrec as fr

    log = fr.Interactions.from_parquet(
        data_folder("globo_news_10d") / "clicks.parquet",
        user="user",
        item="item",
        time="second",
        categories=["device", "referrer"],
    )
    return cut(log, LAST_DAY)


def hold_out(log: Interactions) -> Asked:
    """Return the first eight days of what trains, and the clicks of the ninth."""
    return cut(log, LAST_DAY - 1)


def cut(log: Interactions, day: int) -> Asked:
    """Return the clicks before a day, from 0, and the questions of that day and later ones."""
    import fastrec as fr

    last_moment = day * DAY - 1
    train, _ = fr.split_by_time(log, after=last_moment, whole_histories=False)
    _, users = fr.split_by_time(log, after=last_moment)
    queries = fr.Queries.every_prefix(users, exclude_seen=True)
    return Asked(train, queries.take((queries.time > last_moment) & ~were_read(queries)))


def were_read(queries: Queries) -> np.ndarray:
    """Return of each question whether its target is in its history."""
    lengths = np.diff(queries.histories.offsets)
    is_target = queries.histories.flat == np.repeat(queries.targets.flat, lengths)
    return np.logical_or.reduceat(is_target, queries.histories.offsets[:-1])


def reachable(asked: Asked) -> float:
    """Return the share of the targets that the training part knows."""
    is_known = asked.train.item_counts() > 0
    codes = asked.queries.item_ids.codes_in(asked.train.item_ids)[asked.queries.targets.flat]
    return float(np.mean((codes >= 0) & is_known[codes]))
