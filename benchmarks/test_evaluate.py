"""Full-ranking evaluation, ours and plain NumPy in one group."""

from __future__ import annotations

import pytest

from benchmarks.evaluate_bench import evaluate_in_numpy, model_and_queries


@pytest.fixture(scope="module")
def asked():
    """A model of 20,000 items and as many queries."""
    return model_and_queries(n_queries=20_000, n_items=20_000)


@pytest.mark.benchmark(group="evaluate 20k x 20k")
def test_ours(benchmark, asked):
    import fastrec as fr

    model, queries = asked
    benchmark.pedantic(fr.evaluate, args=(model, queries, ("recall@20", "mrr@20")), rounds=3)


@pytest.mark.benchmark(group="evaluate 20k x 20k")
def test_numpy(benchmark, asked):
    benchmark.pedantic(evaluate_in_numpy, args=asked, rounds=2)
