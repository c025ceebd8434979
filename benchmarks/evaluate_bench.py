"""Full-ranking evaluation: 60,000 queries against 60,000 items at dim 128, Recall@20 and MRR@20."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.harness import Row, medians

NAMES = ("evaluate",)
QUERIES = 60_000
ITEMS = 60_000
LENGTH = 10
DIM = 128
BATCH = 512
K = 20


def rows(only: str | None = None) -> Iterator[Row]:
    """Measure the row of this module."""
    import fastrec as fr
    from fastrec.runtime.threads import available_cpus

    model, queries = model_and_queries()
    threads = available_cpus()
    metrics = (f"recall@{K}", f"mrr@{K}")
    measured = medians(
        {
            "ours": lambda: fr.evaluate(model, queries, metrics, threads=threads).seconds,
            "peer": lambda: evaluate_in_numpy(model, queries),
        },
        repeats=3,
        warm_up=False,
    )
    yield Row(
        name="evaluate",
        unit="s",
        ours=measured["ours"],
        peer=measured["peer"],
        peer_name="NumPy product + argpartition",
        threads=threads,
    )


def model_and_queries(
    n_queries: int = QUERIES, n_items: int = ITEMS, dim: int = DIM
) -> tuple[Any, Any]:
    """Return a model of all items and one query a history, its last item the target."""
    import fastrec as fr

    generator = np.random.default_rng(1)
    items = generator.integers(n_items, size=(n_queries, LENGTH))
    items.reshape(-1)[:n_items] = np.arange(n_items)
    log = fr.Interactions.from_sequences(items.tolist())
    model = fr.Item2Vec(dim=dim, epochs=1, seed=1).fit(log, progress=False)
    return model, fr.Queries.last_item(log)


def evaluate_in_numpy(model: Any, queries: Any) -> None:
    """Do what one writes without a library: a product a batch, a partition, the metrics."""
    asked = queries.translate(model.item_ids)
    vectors = np.ascontiguousarray(model.item_vectors.matrix)
    targets = asked.targets.values
    found = np.zeros(len(asked), dtype=np.float32)
    reciprocal = np.zeros(len(asked), dtype=np.float32)
    for start in range(0, len(asked), BATCH):
        batch = asked.slice(start, min(start + BATCH, len(asked)))
        flat, offsets = batch.histories.values, batch.histories.offsets
        seen = vectors[flat[offsets[0] : offsets[-1]]]
        means = np.add.reduceat(seen, offsets[:-1] - offsets[0], axis=0)
        scores = means @ vectors.T
        best = np.argpartition(-scores, K, axis=1)[:, :K]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
        best = np.take_along_axis(best, order, axis=1)
        hits = best == targets[start : start + len(batch), None]
        found[start : start + len(batch)] = hits.any(axis=1)
        reciprocal[start : start + len(batch)] = (hits / np.arange(1, K + 1)).sum(axis=1)
    found.mean(), reciprocal.mean()
