"""Exact top-100 of 1 M x 128 float32: against the product alone, implicit, faiss and plain reading.

``topk-product`` compares a batch of 512 with NumPy's ``queries @ items.T``, which
stores its 2 GB and selects nothing; ``topk-implicit`` and ``topk-faiss`` do the
same work as we do. ``topk-batch1`` and ``topk-batch8`` compare with reading the
matrix once, by the fastest of a few kernels that do nothing else.
``topk-evaluate`` ranks 60,000 items for 60,000 queries, as a full evaluation does.

A row's ``bar`` is the least ratio (for ``topk-evaluate`` the most seconds) that
the project asks of itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import numpy as np

from benchmarks.harness import Row, alternate, medians, thread_counts

NAMES = (
    "topk-product",
    "topk-implicit",
    "topk-faiss",
    "topk-batch1",
    "topk-batch8",
    "topk-evaluate",
)
ROWS, DIM, K, BATCH = 1_000_000, 128, 100, 512
PEERS = {
    "topk-product": ("NumPy queries @ items.T", 1.0),
    "topk-implicit": ("implicit.cpu.topk", 1.5),
    "topk-faiss": ("faiss IndexFlatIP", 4.0),
}
BATCHES = {"topk-batch1": (1, 1 / 1.1), "topk-batch8": (8, 1 / 1.5)}
# Floats by which a read may ask for memory ahead, into the first and the second cache; none leaves
# it to the hardware.
READS_AHEAD = ((0, 0), (2048, 0), (4096, 0), (2176, 6656))
EVALUATED, EVALUATED_K, EVALUATED_SECONDS = 60_000, 21, 8.0


def rows(only: str | None = None) -> Iterator[Row]:
    """Measure the rows of this module, or the one that is named."""
    threads = thread_counts(1, 2)[-1]
    if only != "topk-evaluate":
        items, queries = normal(ROWS), normal(BATCH, seed=1)
        if only is None or only in PEERS:
            yield from batch_rows([only] if only else list(PEERS), items, queries, threads)
        for name in BATCHES:
            if only in (None, name):
                yield read_row(name, items, queries, threads)
    if only in (None, "topk-evaluate"):
        yield evaluate_row(threads, EVALUATED)


def normal(rows: int, seed: int = 0) -> np.ndarray:
    """Return standard normal float32 rows at dim 128."""
    return np.random.default_rng(seed).standard_normal((rows, DIM), dtype=np.float32)


def batch_rows(
    names: list[str], items: np.ndarray, queries: np.ndarray, threads: int, repeats: int = 5
) -> Iterator[Row]:
    """Compare a batch of 512 with the named peers, all in one alternation."""
    from fastrec.search import TopKIndex

    index = TopKIndex(items, threads=threads)
    sides: dict[str, Callable[[], Any]] = {"ours": lambda: index.search(queries, K)}
    for name in names:
        sides[name] = peer(name, items, queries, threads)
    measured = medians({name: untold(side) for name, side in sides.items()}, repeats=repeats)
    for name in names:
        label, bar = PEERS[name]
        rates = BATCH / measured["ours"], BATCH / measured[name]
        yield Row(name, "queries/s", *rates, label, threads, {"bar": bar})


def peer(name: str, items: np.ndarray, queries: np.ndarray, threads: int) -> Callable[[], Any]:
    """Return one search by the named peer."""
    if name == "topk-product":
        from threadpoolctl import threadpool_limits

        def product() -> None:
            with threadpool_limits(limits=threads, user_api="blas"):
                queries @ items.T

        return product
    if name == "topk-implicit":
        from implicit.cpu.topk import topk

        return lambda: topk(items, queries, K, num_threads=threads)
    import faiss

    faiss.omp_set_num_threads(threads)
    index = faiss.IndexFlatIP(DIM)
    index.add(items)
    return lambda: index.search(queries, K)


def untold(work: Callable[[], Any]) -> Callable[[], None]:
    """Return ``work`` without its result, so that the call is timed."""

    def run() -> None:
        work()

    return run


def read_row(
    name: str, items: np.ndarray, queries: np.ndarray, threads: int, repeats: int = 61
) -> Row:
    """Compare a small batch with reading the matrix once."""
    from fastrec.search import TopKIndex

    batch, bar = BATCHES[name]
    index = TopKIndex(items, threads=threads)
    sides = {str(ahead): reading(items, ahead, threads) for ahead in READS_AHEAD}
    sides["ours"] = untold(lambda: index.search(queries[:batch], K))
    measured = alternate(sides, repeats=repeats)
    ours = median(measured.pop("ours"))
    read = min(median(times) for times in measured.values())
    return Row(name, "ms", 1e3 * ours, 1e3 * read, "reading it once", threads, {"bar": bar})


def reading(items: np.ndarray, ahead: tuple[int, int], threads: int) -> Callable[[], None]:
    """Return a read of every byte of ``items``, an equal part by each thread."""
    from fastrec.runtime import isa
    from fastrec.runtime.threads import run_ranges

    kernel, values = isa.load("topk"), items.reshape(-1)

    def read(start: int, stop: int) -> None:
        kernel.read(values, start, stop, *ahead)

    return lambda: run_ranges(read, len(values), -(-len(values) // threads), threads)


def evaluate_row(threads: int, n: int, repeats: int = 3) -> Row:
    """Rank all of ``n`` rows for ``n`` queries."""
    from fastrec.search import TopKIndex

    index, queries = TopKIndex(normal(n), threads=threads), normal(n, seed=1)
    sides = {"ours": untold(lambda: index.search(queries, EVALUATED_K))}
    seconds = medians(sides, repeats=repeats, warm_up=False)["ours"]
    bar = {"bar": EVALUATED_SECONDS, "gflops": 2 * n * n * DIM / seconds * 1e-9}
    return Row("topk-evaluate", "s", seconds, None, "-", threads, bar)
