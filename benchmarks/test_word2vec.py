"""Ours and gensim, one epoch of the same tokens, in one group for each architecture."""

from __future__ import annotations

import pytest

from benchmarks import peers_gensim, word2vec_bench
from benchmarks.harness import thread_counts

ARCHITECTURES = ("skipgram", "cbow")


@pytest.mark.parametrize("threads", thread_counts(1, 2))
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_ours(benchmark, log, architecture, threads):
    benchmark.group = f"{architecture}, {threads} threads"
    benchmark.pedantic(
        word2vec_bench.train, args=(log, architecture, threads, 1), rounds=3, warmup_rounds=1
    )


@pytest.mark.parametrize("threads", thread_counts(1, 2))
@pytest.mark.parametrize("mode", peers_gensim.MODES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gensim(benchmark, text, architecture, mode, threads):
    benchmark.group = f"{architecture}, {threads} threads"
    benchmark.pedantic(
        peers_gensim.train,
        args=(text, architecture, mode),
        kwargs={"dim": word2vec_bench.DIM, "epochs": 1, "threads": threads},
        rounds=3,
    )
