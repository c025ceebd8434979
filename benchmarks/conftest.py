"""What the timed tests share: a corpus, and a plain skip where the real data is missing."""

from __future__ import annotations

import pytest

from benchmarks import peers_gensim, word2vec_bench
from benchmarks.harness import MissingDataError
from benchmarks.words import load_corpus

QUICK_TOKENS = 300_000


@pytest.fixture(scope="session")
def corpus():
    """The first tokens of wiki17m; enough to time, not enough to judge."""
    try:
        return load_corpus(QUICK_TOKENS)
    except MissingDataError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def log(corpus):
    """The corpus as our side reads it."""
    return word2vec_bench.as_log(corpus)


@pytest.fixture(scope="session")
def text(corpus):
    """The corpus as gensim reads it."""
    with peers_gensim.as_text(corpus) as text:
        yield text
