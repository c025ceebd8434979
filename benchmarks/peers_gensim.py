"""gensim's Word2Vec at its best setting: the peer of the skip-gram and CBOW rows."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.words import NEGATIVES, NS_EXPONENT, WINDOW, Corpus

MODES = ("corpus_file", "sentences")


@dataclass(frozen=True)
class Text:
    """A corpus as gensim reads it: sentences of strings in memory, and the same in a file."""

    sentences: list[list[str]]
    path: Path
    tokens: int


@contextmanager
def as_text(corpus: Corpus) -> Iterator[Text]:
    """Offer the corpus in both forms; the file is gone afterwards."""
    sentences = [[str(code) for code in piece] for piece in corpus.pieces]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "corpus.txt"
        path.write_text("\n".join(map(" ".join, sentences)) + "\n")
        yield Text(sentences, path, corpus.tokens)


def train(
    text: Text, architecture: str, mode: str, *, dim: int, epochs: int, threads: int
) -> tuple[float, Any]:
    """Train and return (words/s, the gensim model); the clock starts after the vocabulary is built.

    Parameters
    ----------
    text : Text
    architecture : {"skipgram", "cbow"}
    mode : {"corpus_file", "sentences"}
        ``corpus_file`` reads the text in compiled code without the GIL.
    dim, epochs, threads : int
    """
    from gensim.models import Word2Vec

    model = Word2Vec(
        vector_size=dim,
        window=WINDOW,
        negative=NEGATIVES,
        ns_exponent=NS_EXPONENT,
        sg=int(architecture == "skipgram"),
        hs=0,
        sample=0,
        min_count=1,
        workers=threads,
        epochs=epochs,
        seed=1,
        # The default, and the most: beyond it the compiled code drops the rest of a batch.
        batch_words=10_000,
    )
    model.build_vocab(text.sentences)
    work: dict[str, Any] = {"total_examples": len(text.sentences), "epochs": epochs}
    if mode == "corpus_file":
        work |= {"corpus_file": str(text.path), "total_words": text.tokens}
    else:
        work |= {"corpus_iterable": text.sentences}
    start = time.perf_counter()
    trained, _ = model.train(**work)
    seconds = time.perf_counter() - start
    # corpus_file loses the end of a piece where a batch is full: about one token in eighty.
    if trained < 0.97 * text.tokens * epochs:
        raise RuntimeError(f"gensim trained only {trained} words of {text.tokens * epochs}")
    return trained / seconds, model


def vectors(model: Any, words: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (inputs, outputs), each of shape (words, dim), rows by our codes."""
    rows = [model.wv.key_to_index[str(code)] for code in range(words)]
    return model.wv.vectors[rows], model.syn1neg[rows]


def fastest_mode(text: Text, architecture: str, *, dim: int, threads: int) -> str:
    """Return the mode that is faster here, by one epoch of each."""
    rates = {
        mode: train(text, architecture, mode, dim=dim, epochs=1, threads=threads)[0]
        for mode in MODES
    }
    return max(rates, key=lambda mode: rates[mode])
