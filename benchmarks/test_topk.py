"""Exact top-100 of 200,000 x 128, batch 512: ours and the peers in one group."""

from __future__ import annotations

import pytest

from benchmarks import topk_bench
from benchmarks.harness import thread_counts

ROWS = 200_000


@pytest.fixture(scope="module")
def items():
    """The rows that are searched."""
    return topk_bench.normal(ROWS)


@pytest.fixture(scope="module")
def queries():
    """The batch that is asked."""
    return topk_bench.normal(topk_bench.BATCH, seed=1)


@pytest.fixture
def threads():
    """Threads for each side."""
    return thread_counts(1, 2)[-1]


@pytest.mark.benchmark(group="top-100 of 200k x 128")
def test_ours(benchmark, items, queries, threads):
    from fastrec.search import TopKIndex

    index = TopKIndex(items, threads=threads)
    benchmark.pedantic(index.search, args=(queries, topk_bench.K), rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="top-100 of 200k x 128")
@pytest.mark.parametrize("name", topk_bench.PEERS)
def test_peer(benchmark, items, queries, threads, name):
    search = topk_bench.peer(name, items, queries, threads)
    benchmark.pedantic(search, rounds=3, warmup_rounds=1)
