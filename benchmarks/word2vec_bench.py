"""Skip-gram and CBOW against gensim: words/s and, beside it, the held-out loss of both.

Both sides train equal epochs on the same tokens with dim 128, window 5 (drawn
anew for each word, as in word2vec), 5 negatives, learning rate 0.025 and no
sub-sampling. Ours shares noise over four neighbouring windows, its fastest way;
the losses beside the rates say what that costs, and ``negative-sharing`` compares
the ways. Neither rate includes the building of the vocabulary.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import peers_gensim
from benchmarks.harness import Row, alternate, thread_counts
from benchmarks.words import NEGATIVES, NS_EXPONENT, WINDOW, Corpus, held_out_loss, load_corpus

NAMES = ("skipgram", "cbow", "skipgram-threads", "negative-sharing")
DIM = 128
EPOCHS = 3
REPEATS = 3


def rows(only: str | None = None) -> Iterator[Row]:
    """Measure the rows of this module, or the one that is named."""
    corpus = load_corpus()
    log = as_log(corpus)
    with peers_gensim.as_text(corpus) as text:
        for architecture in ("skipgram", "cbow"):
            if only in (None, architecture):
                for threads in thread_counts(1, 2):
                    yield compare(corpus, log, text, architecture, threads)
    if only in (None, "skipgram-threads"):
        yield from thread_curve(log)
    if only in (None, "negative-sharing"):
        yield from sharing_rows(corpus, log)


def as_log(corpus: Corpus) -> Any:
    """Return the corpus as the log that our side trains on."""
    import fastrec as fr

    return fr.Interactions.from_sequences(corpus.pieces)


def train(
    log: Any, architecture: str, threads: int, epochs: int = EPOCHS, **params: Any
) -> tuple[float, Any]:
    """Train ours and return (words/s, the model)."""
    import fastrec as fr

    model = fr.Item2Vec(
        dim=DIM,
        window=WINDOW,
        negatives=NEGATIVES,
        ns_exponent=NS_EXPONENT,
        epochs=epochs,
        architecture=architecture,
        subsample=0.0,
        learning_rate=0.025,
        threads=threads,
        seed=1,
        **params,
    )
    model.fit(log, progress=False)
    seconds = sum(row["seconds"] for row in model.history)
    return len(log) * epochs / seconds, model


def compare(
    corpus: Corpus, log: Any, text: peers_gensim.Text, architecture: str, threads: int
) -> Row:
    """Train both in alternation; the losses are those of the last two models."""
    mode = peers_gensim.fastest_mode(text, architecture, dim=DIM, threads=threads)
    models: dict[str, Any] = {}

    def ours() -> float:
        rate, models["ours"] = train(log, architecture, threads, negative_sharing="block")
        return rate

    def peer() -> float:
        rate, models["peer"] = peers_gensim.train(
            text, architecture, mode, dim=DIM, epochs=EPOCHS, threads=threads
        )
        return rate

    measured = alternate({"ours": ours, "peer": peer}, repeats=REPEATS, warm_up=False)
    sides = {
        "ours": vectors(models["ours"], corpus),
        "peer": peers_gensim.vectors(models["peer"], len(corpus.counts)),
    }
    losses = {
        f"loss_{side}": held_out_loss(*matrices, corpus.held_out, architecture)
        for side, matrices in sides.items()
    }
    return Row(
        name=architecture,
        unit="words/s",
        ours=statistics.median(measured["ours"]),
        peer=statistics.median(measured["peer"]),
        peer_name=f"gensim ({mode})",
        threads=threads,
        extra=losses,
    )


def vectors(model: Any, corpus: Corpus) -> tuple[Any, Any]:
    """Return our (inputs, outputs), rows by the corpus's codes."""
    codes = list(range(len(corpus.counts)))
    return model.item_vectors[codes], model.context_vectors[codes]


def sharing_rows(corpus: Corpus, log: Any) -> Iterator[Row]:
    """Yield the rate and the held-out loss of each way to share noise, beside drawing per pair."""
    ways = ("pair", "window", "block")
    models: dict[str, Any] = {}

    def side(way: str) -> Callable[[], float]:
        def run() -> float:
            rate, models[way] = train(log, "skipgram", 1, negative_sharing=way)
            return rate

        return run

    measured = alternate({way: side(way) for way in ways}, repeats=REPEATS, warm_up=False)
    rates = {way: statistics.median(values) for way, values in measured.items()}
    for way in ways:
        inputs, outputs = vectors(models[way], corpus)
        loss = held_out_loss(inputs, outputs, corpus.held_out, "skipgram")
        yield Row(
            name="negative-sharing",
            unit="words/s",
            ours=rates[way],
            peer=rates["pair"],
            peer_name="ours, drawn per pair",
            threads=1,
            extra={"sharing": way, "loss_ours": loss},
        )


def thread_curve(log: Any) -> Iterator[Row]:
    """Yield the rate at each number of threads that there are cores for, beside one thread's."""

    def side(threads: int) -> Callable[[], float]:
        return lambda: train(log, "skipgram", threads, epochs=1)[0]

    counts = thread_counts(1, 2, 4, 8)
    measured = alternate({str(count): side(count) for count in counts}, repeats=REPEATS)
    rates = {count: statistics.median(measured[str(count)]) for count in counts}
    for count in counts:
        yield Row(
            name="skipgram-threads",
            unit="words/s",
            ours=rates[count],
            peer=rates[1],
            peer_name="ours, 1 thread",
            threads=count,
        )
