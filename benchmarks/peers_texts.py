"""gensim's Word2Vec and Doc2Vec with the parameters of one of our models, on a text."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.texts import Text

if TYPE_CHECKING:
    from fastrec import Doc2Vec, Vectors, Word2Vec

MODES = ("corpus_file", "sentences")
PROBED = 5_000  # documents


class Gensim:
    """A model of gensim's, trained as one of ours would be.

    Parameters
    ----------
    like : Word2Vec or Doc2Vec
        Unfitted; its parameters are taken. Sharing of noise is not among them: gensim draws
        noise for each pair.
    mode : {"corpus_file", "sentences"}
        Whether gensim reads the text from a file in compiled code without the GIL, or from
        lists of words in memory.

    Attributes
    ----------
    seconds : float
        Of training, all epochs, after the vocabulary is built.
    """

    def __init__(self, like: Word2Vec | Doc2Vec, mode: str = "corpus_file") -> None:
        self.like = like
        self.mode = mode
        self.seconds = 0.0
        self.model: Any = None

    def fit(self, text: Text) -> None:
        """Build the vocabulary and train."""
        self.model = self._new_model()
        documents = None if self.mode == "corpus_file" else self._documents(text)
        source: dict[str, Any] = (
            {"corpus_file": str(text.path)} if documents is None else {"corpus_iterable": documents}
        )
        self.model.build_vocab(**source)
        words, epochs = text.corpus.n_tokens, self.like.epochs
        if documents is None:
            source["total_words"] = words
        start = time.perf_counter()
        trained = self.model.train(total_examples=len(text.corpus), epochs=epochs, **source)
        self.seconds = time.perf_counter() - start
        # Doc2Vec returns nothing; a file's batches lose about one word in eighty.
        if trained is not None and trained[1] < 0.97 * words * epochs:
            raise RuntimeError(f"gensim saw only {trained[1]} words of {words * epochs}")

    def _new_model(self) -> Any:
        from gensim.models import Doc2Vec, Word2Vec

        ours = self.like
        is_doc2vec = hasattr(ours, "combine")
        settings: dict[str, Any] = {
            "vector_size": ours.dim,
            "window": ours.window,
            "negative": ours.negatives if ours.loss == "negative_sampling" else 0,
            "hs": int(ours.loss == "hierarchical_softmax"),
            "ns_exponent": ours.ns_exponent,
            "alpha": ours.learning_rate,
            "min_alpha": ours.min_learning_rate,
            "sample": ours.subsample,
            "min_count": ours.min_count,
            "shrink_windows": ours.dynamic_window,
            "epochs": ours.epochs,
            "seed": ours.seed,
            "workers": ours.threads,
        }
        if not is_doc2vec:
            return Word2Vec(sg=int(ours.architecture == "skipgram"), **settings)
        return Doc2Vec(
            dm=int(ours.architecture == "dm"),
            dm_mean=1,
            dm_concat=int(ours.combine == "concatenate"),
            dbow_words=int(ours.train_words),
            **settings,
        )

    def _documents(self, text: Text) -> list[Any]:
        documents = list(text.corpus.decode())
        if not hasattr(self.like, "combine"):
            return documents
        from gensim.models.doc2vec import TaggedDocument

        return [TaggedDocument(words, [row]) for row, words in enumerate(documents)]

    @property
    def epochs(self) -> int:
        """Passes over the text."""
        return self.like.epochs

    @property
    def word_vectors(self) -> Vectors:
        """The word vectors, most frequent word first."""
        import fastrec as fr

        ids, _ = fr.IdMap.from_ids(self.model.wv.index_to_key)
        return fr.Vectors(ids, np.ascontiguousarray(self.model.wv.vectors, np.float32))

    def infer(self, documents: list[list[str]], epochs: int, threads: int) -> np.ndarray:
        """Return paragraph vectors of new documents, float32, shape (documents, dim)."""
        if threads == 1:
            return np.stack([self.model.infer_vector(words, epochs=epochs) for words in documents])
        with ThreadPoolExecutor(threads) as pool:
            parts = pool.map(
                lambda worker: self.infer(documents[worker::threads], epochs, 1), range(threads)
            )
        vectors = np.empty((len(documents), self.model.vector_size), np.float32)
        for worker, part in enumerate(parts):
            vectors[worker::threads] = part
        return vectors


def fastest_mode(like: Word2Vec | Doc2Vec, text: Text) -> str:
    """Return the mode in which gensim trains faster here, by the first documents of a text."""
    part = text.head(PROBED)
    seconds = {}
    for mode in MODES:
        peer = Gensim(like, mode)
        peer.fit(part)
        seconds[mode] = peer.seconds
    return min(seconds, key=lambda mode: seconds[mode])
