"""The data sets and how models are compared on them: what trains, what is asked, what counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.harness import data_folder


@dataclass(frozen=True)
class Protocol:
    """A data set's fixed comparison.

    Attributes
    ----------
    load : callable returning (Interactions, Queries)
        The training log and the test queries.
    hold_out : callable of (training log) returning (Interactions, Queries)
        Sets a part of the training log aside: what parameters are chosen on.
    metrics : tuple of str
    """

    load: Callable[[], tuple[Any, Any]]
    hold_out: Callable[[Any], tuple[Any, Any]]
    metrics: tuple[str, ...]


def last_sessions(log: Any) -> tuple[Any, Any]:
    """Set the last 5 % of the sessions aside and ask for every prefix of theirs."""
    import numpy as np

    import fastrec as fr

    cut = int(0.95 * log.n_histories)
    train, rest = log.take(np.arange(cut)), log.take(np.arange(cut, log.n_histories))
    return train, fr.Queries.every_prefix(rest)


def a_fifth_of_the_events(log: Any) -> tuple[Any, Any]:
    """Set a fifth of the events aside, drawn at random, to be found by the rest of each user."""
    import numpy as np

    import fastrec as fr

    is_held = np.random.default_rng(0).random(len(log)) < 0.2
    users, items = log.user_ids.decode(log.user), log.item_ids.decode(log.item)
    train, held = (
        fr.Interactions.from_arrays(user=users[part], item=items[part])
        for part in (~is_held, is_held)
    )
    return train, fr.Queries.held_out(train, held)


def sessions(dataset: str) -> Callable[[], tuple[Any, Any]]:
    """Whole sessions train; each (prefix, target) of the test part ranks every item."""

    def load() -> tuple[Any, Any]:
        import fastrec as fr

        folder = data_folder(dataset)
        train = fr.Interactions.from_parquet(
            folder / "train.parquet", user="session", item="item", order="position"
        )
        queries = fr.Queries.from_parquet(
            folder / "test.parquet", history="prefix", target="target"
        )
        return train, queries

    return load


def held_out_users(dataset: str) -> Callable[[], tuple[Any, Any]]:
    """Each user's held-out items are sought among all that the user has not in train."""

    def load() -> tuple[Any, Any]:
        import fastrec as fr

        folder = data_folder(dataset)
        train, test = (
            fr.Interactions.from_parquet(folder / f"{part}.parquet", user="user", item="item")
            for part in ("train", "test")
        )
        return train, fr.Queries.held_out(train, test)

    return load


PROTOCOLS = {
    "nowplaying": Protocol(sessions("nowplaying"), last_sessions, ("recall@20", "mrr@20")),
    "diginetica": Protocol(sessions("diginetica"), last_sessions, ("recall@20", "mrr@20")),
    "gowalla": Protocol(held_out_users("gowalla"), a_fifth_of_the_events, ("recall@20", "ndcg@20")),
}
