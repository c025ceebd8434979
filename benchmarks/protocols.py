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
    metrics : tuple of str
    """

    load: Callable[[], tuple[Any, Any]]
    metrics: tuple[str, ...]


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
    "nowplaying": Protocol(sessions("nowplaying"), ("recall@20", "mrr@20")),
    "diginetica": Protocol(sessions("diginetica"), ("recall@20", "mrr@20")),
    "gowalla": Protocol(held_out_users("gowalla"), ("recall@20", "ndcg@20")),
}
