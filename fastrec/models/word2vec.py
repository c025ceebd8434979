"""Word vectors from text: skip-gram and CBOW.

Mikolov, Chen, Corrado, Dean, "Efficient Estimation of Word Representations in
Vector Space" (2013); Mikolov, Sutskever, Chen, Corrado, Dean, "Distributed
Representations of Words and Phrases and their Compositionality" (2013).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrec.data import Corpus
from fastrec.models.bags import means_of
from fastrec.models.catalogue import Catalogue, Tokens
from fastrec.models.embedder import Embedder, Tokenizer
from fastrec.models.skipgram import SkipGramModel
from fastrec.runtime import checks
from fastrec.runtime.arrays import stride_of
from fastrec.search import Recommendations, Vectors
from fastrec.training.loop import Run
from fastrec.training.sgns import TEXT_PIECE


class WordModel(Embedder, SkipGramModel):
    """A model of the skip-gram family that reads text: words for items, documents for histories."""

    _item_noun = "word"
    _largest_piece = TEXT_PIECE

    def _check_params(self) -> None:
        super()._check_params()
        self._check_training_params()

    def memory(self, data: Any) -> dict[str, int]:
        """Estimate the memory of ``fit`` on a corpus, in bytes, before fitting.

        Parameters
        ----------
        data : Corpus, or what ``fit`` takes

        Returns
        -------
        dict of str to int
            ``parameters``, ``log`` (the encoded text), ``work`` (noise table or tree,
            maps and the threads' scratch) and ``total``.
        """
        self._check_params()
        corpus = self._corpus(data)
        return self._estimated_memory(
            Tokens.of_corpus(corpus), corpus.nbytes, self._document_rows(corpus)
        )

    def _document_rows(self, corpus: Corpus) -> int:
        """Return how many rows ``fit`` makes for the documents of a corpus."""
        return 0

    def _begin(self, corpus: Corpus) -> None:
        self._begin_tokens(Tokens.of_corpus(corpus))

    def _extend(self, corpus: Corpus) -> None:
        self._extend_tokens(Tokens.of_corpus(corpus))

    def _train(self, run: Run, corpus: Corpus) -> None:
        self._train_tokens(run, Tokens.of_corpus(corpus))

    def _take(
        self, catalogue: Catalogue, inputs: np.ndarray, old_outputs: np.ndarray | None
    ) -> None:
        self.word_ids, self.word_counts = catalogue.item_ids, catalogue.item_counts
        super()._take(catalogue, inputs, old_outputs)

    def _forget_answers(self) -> None:
        self._word_vectors: Vectors | None = None

    def _parameters(self) -> dict[str, np.ndarray]:
        return {"word_vectors": self._inputs, "output_vectors": self._outputs}

    def _restore(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        super()._restore(arrays, state)
        self.word_ids, self.word_counts = self._catalogue.item_ids, self._catalogue.item_counts
        words = len(self.word_ids)
        self._inputs = self._restored_matrix(arrays, "word_vectors", words, stride_of(self._dim))
        outputs = self._output_rows(), self._output_dim()
        self._outputs = self._restored_matrix(arrays, "output_vectors", *outputs)
        self._forget_answers()

    @property
    def word_vectors(self) -> Vectors:
        """The vectors of the words: float32, shape (words, dim)."""
        self._check_fitted()
        vectors = self._word_vectors
        if vectors is None:
            vectors = self._word_vectors = Vectors(self.word_ids, self._inputs[:, : self._dim])
        return vectors

    def similar_words(
        self, words: Any, k: int = 10, *, threads: int | None = None
    ) -> Recommendations:
        """Return the words whose vectors have the largest cosine with those of ``words``.

        Parameters
        ----------
        words : str or sequence of str
        k : int
            Answers a word; the word itself is left out.
        threads : int or None
            None takes all CPUs that the process may use.

        Raises
        ------
        UnknownIdError
            A word that the model does not know.
        """
        return self.word_vectors.similar(words, k, threads=threads)


class Word2Vec(WordModel):
    """Embed words so that those of like surroundings lie close.

    Every word is predicted from the words around it. With negative sampling the loss
    of a pair is ``-log sigmoid(x_c . y_o) - sum_n log sigmoid(-x_c . y_n)`` over
    ``negatives`` noise words n (Mikolov et al., "Distributed Representations of Words
    and Phrases", 2013, eq. 4); x are the *word vectors*.

    Parameters
    ----------
    dim : int
        Length of the vectors.
    window : int
        Words on each side of the center.
    architecture : {"skipgram", "cbow"}
        Predict from each context word by itself, or from their mean. As in the
        authors' code, CBOW adds the mean's gradient undivided to each context word.
    loss : {"negative_sampling", "hierarchical_softmax", "softmax"}
        Against noise words; along a Huffman tree of the words; or a softmax over all
        words (eq. 2), whose cost grows with the vocabulary: for small ones.
    negatives : int
        Noise words for each pair.
    epochs : int
        Passes over the text.
    learning_rate, min_learning_rate : float
        The rate falls linearly from one to the other over all epochs.
    dynamic_window : bool
        Draw each center's reach from 1..window, which weights near words more.
    subsample : float
        Occurrences of words with a share above this are dropped at random; 0 keeps
        all. Usual: 1e-5 to 1e-3.
    ns_exponent : float
        Noise is drawn from count ** ns_exponent.
    negative_sharing : {"window", "block", "pair"}
        Noise drawn for each window, for four neighbouring windows, or for each pair as in
        the original; see :class:`Item2Vec`.
    min_count : int
        Rarer words are left out, as if they were not in the text.
    max_vocab : int or None
        Keep at most so many words, the most frequent ones.
    tokenize : callable or None
        Takes a text, returns its words; None is :func:`fastrec.data.tokenize.words`.
        Lists of words are taken as they are. Files do not hold it.
    seed : int
        Same seed and one thread: same bits, at one instruction-set level.
    threads : int or None
        Threads of ``fit``; None takes all CPUs that the process may use. Several threads
        update the vectors without locks, so that results differ a little from run to run.

    Notes
    -----
    One epoch costs about ``6 * dim * pairs * (negatives + 1)`` operations, with a tree
    ``6 * dim * pairs * log2(words)`` at the most; memory is two float32 matrices of
    words x dim, and four bytes a token. With a tree, words that ``partial_fit`` brings
    get a tree of their own beside the old one. ``embed`` gives the mean of a text's word
    vectors.

    Examples
    --------
    >>> import fastrec as fr
    >>> texts = ["the cat sat on the mat", "the dog sat on the rug"] * 20
    >>> model = fr.Word2Vec(dim=8, min_count=1, epochs=20, threads=1).fit(texts)
    >>> model.word_vectors["cat"].shape
    (8,)
    """

    def __init__(
        self,
        *,
        dim: int = 128,
        window: int = 5,
        architecture: str = "skipgram",
        loss: str = "negative_sampling",
        negatives: int = 5,
        epochs: int = 5,
        learning_rate: float = 0.025,
        min_learning_rate: float = 1e-4,
        dynamic_window: bool = True,
        subsample: float = 1e-3,
        ns_exponent: float = 0.75,
        negative_sharing: str = "window",
        min_count: int = 5,
        max_vocab: int | None = None,
        tokenize: Tokenizer | None = None,
        seed: int = 1,
        threads: int | None = None,
    ) -> None:
        self.dim = dim
        self.window = window
        self.architecture = architecture
        self.loss = loss
        self.negatives = negatives
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.min_learning_rate = min_learning_rate
        self.dynamic_window = dynamic_window
        self.subsample = subsample
        self.ns_exponent = ns_exponent
        self.negative_sharing = negative_sharing
        self.min_count = min_count
        self.max_vocab = max_vocab
        self.tokenize = tokenize
        self.seed = seed
        self.threads = threads

    def _check_params(self) -> None:
        super()._check_params()
        checks.whole_number("window", self.window, maximum=1 << 20)
        checks.one_of("architecture", self.architecture, ("skipgram", "cbow"))

    def _embed(self, codes: np.ndarray, offsets: np.ndarray, threads: int | None) -> np.ndarray:
        return means_of(self._inputs, codes, offsets, threads)[:, : self._dim]
