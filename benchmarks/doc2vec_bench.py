"""Paragraph vectors against gensim: words/s of training, and documents/s of inference.

Film reviews (imdb), dim 100, 5 negatives, every word that occurs twice, no sub-sampling, one epoch
of the first 25,000 reviews: PV-DBOW without words, and PV-DM with the mean of a window of 5.
Inference gives 25,000 other reviews vectors in five epochs. gensim has the faster of its two
modes; its inference, which takes one document a call, the faster of one thread and as many as
ours. No rate includes the building of the vocabulary.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any

from benchmarks import imdb
from benchmarks.harness import Row, alternate, seconds_of, thread_counts
from benchmarks.peers_texts import Gensim, fastest_mode
from benchmarks.texts import Text

NAMES = ("doc2vec-dbow", "doc2vec-dm", "doc2vec-infer")
SETTINGS: dict[str, dict[str, Any]] = {
    "dbow": {"architecture": "dbow"},
    "dm": {"architecture": "dm", "learning_rate": 0.05},
}
REVIEWS = 25_000
INFER_EPOCHS = 5
REPEATS = 3


def rows(only: str | None = None) -> Iterator[Row]:
    """Measure the rows of this module, or the one that is named."""
    text = imdb.load().text
    train = text.head(REVIEWS)
    for architecture in SETTINGS:
        if only in (None, f"doc2vec-{architecture}"):
            for threads in thread_counts(1, 2):
                yield compare(train, architecture, threads)
    if only in (None, "doc2vec-infer"):
        asked = list(text.corpus.decode(range(REVIEWS, 2 * REVIEWS)))
        for architecture in SETTINGS:
            yield compare_inference(train, asked, architecture, threads=max(thread_counts(1, 2)))


def new_model(architecture: str, threads: int) -> Any:
    """Return our model, unfitted."""
    import fastrec as fr

    return fr.Doc2Vec(
        dim=100,
        negatives=5,
        min_count=2,
        subsample=0.0,
        epochs=1,
        threads=threads,
        **SETTINGS[architecture],
    )


def train(text: Text, architecture: str, threads: int) -> tuple[float, Any]:
    """Train ours and return (words/s, the model)."""
    model = new_model(architecture, threads)
    model.fit(text.corpus, progress=False)
    return text.corpus.n_tokens / sum(row["seconds"] for row in model.history), model


def compare(text: Text, architecture: str, threads: int) -> Row:
    """Train both in alternation."""
    like = new_model(architecture, threads)
    mode = fastest_mode(like, text)

    def peer() -> float:
        model = Gensim(like, mode)
        model.fit(text)
        return text.corpus.n_tokens / model.seconds

    sides = {"ours": lambda: train(text, architecture, threads)[0], "peer": peer}
    measured = alternate(sides, repeats=REPEATS, warm_up=False)
    return Row(
        name=f"doc2vec-{architecture}",
        unit="words/s",
        ours=statistics.median(measured["ours"]),
        peer=statistics.median(measured["peer"]),
        peer_name=f"gensim ({mode})",
        threads=threads,
    )


def compare_inference(text: Text, asked: list[list[str]], architecture: str, threads: int) -> Row:
    """Infer vectors of new documents with both, in alternation."""
    _, model = train(text, architecture, threads)
    peer = Gensim(new_model(architecture, threads))
    peer.fit(text)
    probed = asked[: len(asked) // 20]
    used = min({1, threads}, key=lambda count: _seconds_of_peer(peer, probed, count))

    measured = alternate(
        {
            "ours": lambda: len(asked) / _seconds_of(model, asked, threads),
            "peer": lambda: len(asked) / _seconds_of_peer(peer, asked, used),
        },
        repeats=REPEATS,
        warm_up=False,
    )
    return Row(
        name="doc2vec-infer",
        unit="documents/s",
        ours=statistics.median(measured["ours"]),
        peer=statistics.median(measured["peer"]),
        peer_name=f"gensim, {used} thread{'s' * (used > 1)}",
        threads=threads,
        extra={"architecture": architecture, "epochs": INFER_EPOCHS},
    )


def _seconds_of(model: Any, asked: list[list[str]], threads: int) -> float:
    return seconds_of(lambda: model.infer(asked, epochs=INFER_EPOCHS, threads=threads))


def _seconds_of_peer(peer: Gensim, asked: list[list[str]], threads: int) -> float:
    return seconds_of(lambda: peer.infer(asked, INFER_EPOCHS, threads))
