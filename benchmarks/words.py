"""The text that both word2vec implementations train on, and the one judge of both.

wiki17m's first two million tokens train; windows from its last articles are
held out. Every word is kept (no minimum count, no sub-sampling), and articles
are cut into pieces of 250 tokens, because gensim drops what follows the
10,000th token of a sentence or, reading a file, of a batch: so both sides walk
the same tokens but for about one in eighty, which gensim's rate does not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.harness import data_folder

TRAINING_TOKENS = 2_000_000
PIECE = 250
HELD_OUT_ARTICLES = 60
HELD_OUT_CENTERS = 20_000
WINDOW = 5
NEGATIVES = 5
NS_EXPONENT = 0.75


@dataclass(frozen=True)
class HeldOut:
    """Windows that no side has seen, with negatives drawn once for all.

    Attributes
    ----------
    centers : int64, shape (n,)
    contexts : int64, shape (n, 2 * WINDOW)
        -1 where the window reaches past its article or over an unknown word.
    negatives : int64, shape (n, 2 * WINDOW, NEGATIVES)
        From counts ** 0.75 of the training text.
    """

    centers: np.ndarray
    contexts: np.ndarray
    negatives: np.ndarray


@dataclass(frozen=True)
class Corpus:
    """Training text in codes, and what is held out.

    Attributes
    ----------
    pieces : list of list of int
        Word codes; 0 is the most frequent word.
    counts : int64, shape (words,)
    held_out : HeldOut
    """

    pieces: list[list[int]]
    counts: np.ndarray
    held_out: HeldOut

    @property
    def tokens(self) -> int:
        """Number of training tokens."""
        return sum(map(len, self.pieces))


def load_corpus(tokens: int = TRAINING_TOKENS) -> Corpus:
    """Return the first ``tokens`` tokens of wiki17m and windows from its last articles."""
    import pyarrow.parquet as pq

    table = pq.read_table(data_folder("wiki17m") / "articles.parquet", columns=["text"])
    texts = table.column("text")
    articles, total = [], 0
    for text in texts:
        words = text.as_py().split()[: tokens - total]
        articles.append(words)
        total += len(words)
        if total >= tokens:
            break
    words, counts = np.unique(np.concatenate([np.array(a) for a in articles]), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    code_of = {str(words[row]): code for code, row in enumerate(order)}
    coded = [[code_of[word] for word in article] for article in articles]
    pieces = [
        article[start : start + PIECE]
        for article in coded
        for start in range(0, len(article), PIECE)
    ]
    last = [text.as_py().split() for text in texts[len(texts) - HELD_OUT_ARTICLES :]]
    unseen = [np.array([code_of.get(word, -1) for word in article]) for article in last]
    return Corpus(pieces, counts[order], _hold_out(unseen, counts[order]))


def _hold_out(articles: list[np.ndarray], counts: np.ndarray) -> HeldOut:
    """Draw windows from articles of codes; -1 is an unknown word."""
    generator = np.random.default_rng(20)
    gap = np.full(WINDOW, -1)
    text = np.concatenate([part for article in articles for part in (article, gap)])
    text = np.concatenate([gap, text])
    known = np.flatnonzero(text >= 0)
    places = generator.choice(known, size=min(HELD_OUT_CENTERS, len(known)), replace=False)
    offsets = np.array([step for step in range(-WINDOW, WINDOW + 1) if step != 0])
    contexts = text[places[:, None] + offsets]
    noise = np.cumsum(counts.astype(np.float64) ** NS_EXPONENT)
    drawn = generator.random((len(places), len(offsets), NEGATIVES)) * noise[-1]
    negatives = np.searchsorted(noise, drawn, side="right")
    return HeldOut(text[places], contexts, negatives)


def held_out_loss(
    inputs: np.ndarray, outputs: np.ndarray, held_out: HeldOut, architecture: str
) -> float:
    """Return the mean of -log s(x.y+) - sum log s(-x.y-) over the held-out pairs.

    Parameters
    ----------
    inputs, outputs : float32, shape (words, dim)
        Rows by code.
    held_out : HeldOut
    architecture : {"skipgram", "cbow"}
        A pair is (context word, center) in skip-gram and (mean of the context
        words, center) in CBOW, which takes the first slot's negatives.
    """
    total, pairs = 0.0, 0
    for start in range(0, len(held_out.centers), 2_000):
        part = slice(start, start + 2_000)
        centers, contexts = held_out.centers[part], held_out.contexts[part]
        negatives = held_out.negatives[part]
        real = contexts >= 0
        if architecture == "skipgram":
            x = inputs[contexts[real]]
            positive = outputs[np.repeat(centers, real.sum(axis=1))]
            negative = outputs[negatives[real]]
        else:
            filled = real.any(axis=1)
            weights = real[filled] / real[filled].sum(axis=1, keepdims=True)
            x = np.einsum("nw,nwd->nd", weights, inputs[contexts[filled]])
            positive = outputs[centers[filled]]
            negative = outputs[negatives[filled, 0]]
        attracted = np.einsum("nd,nd->n", x, positive, dtype=np.float64)
        repelled = np.einsum("nd,nkd->nk", x, negative, dtype=np.float64)
        # -log s(z) = log(1 + exp(-z))
        total += np.logaddexp(0, -attracted).sum() + np.logaddexp(0, repelled).sum()
        pairs += len(x)
    return total / pairs
