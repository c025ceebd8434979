"""Sentence vectors: sums of word vectors that were trained elsewhere.

Arora, Liang, Ma, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings"
(2017) for "sif". All weightings are linear in the word vectors, and so is the
removal of principal components: both are done to the word vectors once, when
the model is fitted, and a text costs one sum of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fastrec.data import Corpus, IdMap
from fastrec.errors import InputError
from fastrec.models.bags import (
    DOCUMENTS_AT_ONCE,
    WORDS_AT_ONCE,
    document_frequencies,
    stretches,
    sums_of,
    without_unknown,
)
from fastrec.models.embedder import Embedder, Tokenizer
from fastrec.runtime import checks
from fastrec.runtime.blas import single_threaded_blas
from fastrec.runtime.threads import resolve_threads, run_ranges
from fastrec.search import Vectors
from fastrec.training.history import History
from fastrec.training.loop import Meter, Run, run_epochs

if TYPE_CHECKING:
    from fastrec.training.callbacks import Callback

WEIGHTINGS = ("mean", "sum", "tfidf", "sif")
ROWS_AT_ONCE = 1 << 14
MOMENT_BYTES = 1 << 26  # of the matrices of second moments that are added up side by side
MOST_SIDE_BY_SIDE = 16
# A direction with a smaller share of the texts' squared length is rounding of float32.
SMALLEST_SHARE = 1e-12


class SentenceVectors(Embedder):
    """Embed texts as weighted sums of word vectors that are given.

    The vector of a text whose known words are w_1 to w_n (a word that stands twice counts
    twice) is, with v_w for the vector of a word, by ``weighting``:

    - ``"sum"``: ``sum_i v_wi``;
    - ``"mean"``: ``sum_i v_wi / n``;
    - ``"tfidf"``: ``sum_i idf(w_i) v_wi / sum_i idf(w_i)`` with scikit-learn's smoothed
      ``idf(w) = log((1 + D) / (1 + df(w))) + 1``, where df(w) of the D texts of ``fit``
      have the word;
    - ``"sif"``, smooth inverse frequency: ``sum_i a / (a + p(w_i)) v_wi / n``, where p(w)
      is the word's share of all words of ``fit`` and a is ``smoothing`` (Arora, Liang, Ma,
      2017, algorithm 1).

    Then ``components`` directions u are taken out: ``v - sum_k u_k (u_k . v)``. They are the
    first right singular vectors of the matrix, not centred, of the vectors that the texts of
    ``fit`` have before.

    Parameters
    ----------
    weighting : {"sif", "tfidf", "mean", "sum"}
    smoothing : float
        The a of ``"sif"``, above 0: a word with that share of the text weighs half of a rare
        one. Usual: 1e-4 to 1e-3.
    components : int or None
        Directions that are taken out; fewer where the texts have not so many. None is 1 with
        ``"sif"``, as in the paper, and else 0.
    tokenize : callable or None
        Takes a text, returns its words, which must be cut as for the word vectors; None is
        :func:`fastrec.data.tokenize.words`. Lists of words are taken as they are. Files do
        not hold it.
    threads : int or None
        Threads of ``fit``; None takes all CPUs that the process may use. The result does not
        depend on it.

    Attributes
    ----------
    word_ids : IdMap
        The words that have a vector, in the order of the vectors given.
    word_counts : int64 ndarray, shape (words,)
        How often each stands in the texts of ``fit``; 0 for those that do not.
    word_weights : float64 ndarray, shape (words,)
        idf(w), a / (a + p(w)), or ones.
    principal_components : float64 ndarray, shape (at most components, dim)
        The directions that are taken out, each of length 1, the strongest first.
    history : History
        One row. Its loss is the share of the squared length of the texts' vectors that is
        left when the components are taken out; 1 where none is.

    Notes
    -----
    Words without a vector are passed over; a text without a known word has zeros. ``fit``
    costs ``2 * dim`` operations a word of the texts and ``2 * dim**2`` a text, and nearly
    nothing without components; an embedding costs ``2 * dim`` a word. Memory is one float32
    copy of the word vectors, in ``fit`` with components two. Deterministic; ``embed`` may
    be called from several threads.

    Examples
    --------
    >>> import fastrec as fr
    >>> texts = ["the cat sat on the mat", "stocks fell on bad news"] * 20
    >>> words = fr.Word2Vec(dim=8, min_count=1, threads=1).fit(texts)
    >>> model = fr.SentenceVectors().fit(texts, vectors=words)
    >>> model.embed(["a cat on a mat", "bad news"]).matrix.shape
    (2, 8)
    """

    word_weights: np.ndarray
    principal_components: np.ndarray
    _rows: np.ndarray  # word vectors, weighted, without the components: float32 (words, dim)
    _weighting: str  # that of the fit

    def __init__(
        self,
        *,
        weighting: str = "sif",
        smoothing: float = 1e-3,
        components: int | None = None,
        tokenize: Tokenizer | None = None,
        threads: int | None = None,
    ) -> None:
        self.weighting = weighting
        self.smoothing = smoothing
        self.components = components
        self.tokenize = tokenize
        self.threads = threads

    def fit(
        self,
        data: Any,
        *,
        vectors: Any = None,
        callbacks: Sequence[Callback] = (),
        progress: bool = False,
    ) -> Self:
        """Learn how frequent words are, and the components of the texts' vectors.

        Parameters
        ----------
        data : Corpus, path, or iterable of str or of lists of str
            See :func:`fastrec.data.as_corpus`; an iterable is read once.
        vectors : Vectors, or a model with ``word_vectors``
            What texts are made from, for example a fitted :class:`Word2Vec` or
            ``fastrec.Vectors.load_word2vec(path)``; copied.
        callbacks, progress
            As for every :class:`Embedder`.

        Raises
        ------
        InputError
            A parameter out of range, no ``vectors`` or some that are not finite, texts that
            cannot be read, or texts in which no word has a vector.
        FormatError
            A file that is not UTF-8.
        KeyboardInterrupt
            Ctrl-C, raised again. The model keeps the weights that it has learned, without
            components; before that it is as it was.
        """
        self._check_params()
        given = self._given(vectors)
        corpus = self._corpus(data)
        with self._replacing_state(History()):
            self._lost_tokenizer = False
            self._weigh(corpus, given)
            self._train(self._run(corpus, callbacks, progress), corpus)
        return self

    def partial_fit(
        self, data: Any, *, callbacks: Sequence[Callback] = (), progress: bool = False
    ) -> Self:
        """Raise InputError: weights and components are those of all texts at once.

        A fit on all texts takes seconds; there is nothing to go on from.
        """
        raise InputError(
            "SentenceVectors cannot be trained on, for its weights and components are those of "
            "all texts together; fit(texts, vectors=...) on the old and the new ones"
        )

    def _is_fitted(self) -> bool:
        return hasattr(self, "_rows")

    def _check_params(self) -> None:
        super()._check_params()
        checks.one_of("weighting", self.weighting, WEIGHTINGS)
        if checks.real_number("smoothing", self.smoothing, minimum=0) == 0:
            raise InputError(
                "smoothing must be above 0, got 0: every word of the texts would weigh nothing"
            )
        if self.components is not None:
            checks.whole_number("components", self.components, minimum=0)
        resolve_threads(self.threads)

    def _wanted_components(self) -> int:
        """Return how many components are to be taken out."""
        return int(self.weighting == "sif") if self.components is None else self.components

    def _given(self, vectors: Any) -> Vectors:
        """Return the vectors that the user gave, or those of the model that was given."""
        given = getattr(vectors, "word_vectors", vectors)
        if not isinstance(given, Vectors):
            raise InputError(
                "fit needs word vectors: give vectors=model.word_vectors or "
                f"vectors=fastrec.Vectors.load_word2vec(path), got {type(vectors).__name__}"
            )
        if len(given) == 0:
            raise InputError("vectors must hold at least one word, got none")
        if self._wanted_components() >= given.dim:
            raise InputError(
                f"components must be less than the {given.dim} dimensions of vectors, got "
                f"{self._wanted_components()}: nothing would be left"
            )
        return given

    # Fit

    def _weigh(self, corpus: Corpus, vectors: Vectors) -> None:
        """Take the words with their counts and weights, and a copy of the weighted vectors."""
        rows = corpus.word_ids.codes_in(vectors.ids)
        known = rows[:-1] >= 0
        if not known.any():
            raise InputError(
                f"none of the {corpus.n_words} words of the texts has a vector among the "
                f"{len(vectors)} given; cut and case the texts as those of the vectors were"
            )
        counts = np.zeros(len(vectors), dtype=np.int64)
        counts[rows[:-1][known]] = corpus.counts[known]
        weights = np.ones(len(vectors))
        if self.weighting == "sif":
            weights = self.smoothing / (self.smoothing + counts / corpus.n_tokens)
        elif self.weighting == "tfidf":
            frequencies = document_frequencies(corpus.tokens, corpus.offsets, rows, len(vectors))
            weights = np.log((1 + len(corpus)) / (1 + frequencies)) + 1
        self._forget_answers()
        self.word_ids, self.word_counts, self.word_weights = vectors.ids, counts, weights
        self.principal_components = np.zeros((0, vectors.dim))
        self._rows, self._weighting = _weighted(vectors.matrix, weights), self.weighting

    def _train(self, run: Run, corpus: Corpus) -> None:
        wanted = self._wanted_components()

        def learn(_epoch: int, meter: Meter) -> None:
            left = 1.0
            if wanted:
                moments = self._second_moments(corpus, meter)
                directions, left = _leading_directions(moments, wanted)
                self._rows = _without_directions(self._rows, directions)
                self.principal_components = directions
            meter.update(corpus.n_tokens, left, 1.0, "the word vectors")

        run_epochs(run, learn)

    def _second_moments(self, corpus: Corpus, meter: Meter) -> np.ndarray:
        """Return the sum of v v^T over the vectors v of the texts, float64 (dim, dim).

        The order of sums depends on the texts alone, so the bits do not depend on threads.
        """
        dim = self._rows.shape[1]
        table = corpus.word_ids.codes_in(self.word_ids)
        pieces = list(stretches(corpus.offsets, WORDS_AT_ONCE, DOCUMENTS_AT_ONCE))
        side_by_side = min(max(MOMENT_BYTES // (8 * dim * dim), 1), MOST_SIDE_BY_SIDE)
        parts = np.zeros((side_by_side, dim, dim))
        total = np.zeros((dim, dim))
        for start in range(0, len(pieces), side_by_side):
            wave = pieces[start : start + side_by_side]

            def take(first: int, last: int, wave: list[tuple[int, int]] = wave) -> None:
                for place in range(first, last):
                    texts = self._texts_of(corpus, table, *wave[place])
                    with single_threaded_blas():
                        np.matmul(texts.T, texts, out=parts[place])

            with single_threaded_blas():
                run_ranges(take, len(wave), 1, self.threads)
            for part in parts[: len(wave)]:
                total += part
            meter.update(int(corpus.offsets[wave[-1][1]]), 0.0, 0.0, "the word vectors")
        return total

    def _texts_of(self, corpus: Corpus, table: np.ndarray, first: int, last: int) -> np.ndarray:
        """Return the vectors of a range of the corpus's texts, float64."""
        ends = corpus.offsets[first : last + 1]
        codes = table[corpus.tokens[ends[0] : ends[-1]]]
        codes, offsets, _ = without_unknown(codes, ends - ends[0])
        return self._embed(codes, offsets, 1).astype(np.float64)

    # Answers

    def _embed(self, codes: np.ndarray, offsets: np.ndarray, threads: int | None) -> np.ndarray:
        sums = sums_of(self._rows, codes, offsets, threads)
        if self._weighting == "sum":
            return sums
        if self._weighting == "tfidf":
            total = sums_of(self.word_weights[:, np.newaxis], codes, offsets, threads)
            total[total == 0] = 1.0
        else:
            total = np.maximum(np.diff(offsets), 1)[:, np.newaxis]
        sums /= total
        return sums

    # State

    def _parameters(self) -> dict[str, np.ndarray]:
        return {"weighted_vectors": self._rows}

    def _arrays(self) -> dict[str, np.ndarray]:
        return {
            **self._parameters(),
            "word_counts": self.word_counts,
            "word_weights": self.word_weights,
            "principal_components": self.principal_components,
            **self.word_ids.to_arrays("word_ids"),
        }

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "weighting": self._weighting}

    def _restore(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        super()._restore(arrays, state)
        self.word_ids = IdMap.from_arrays("word_ids", arrays)
        self.word_counts, self.word_weights = arrays["word_counts"], arrays["word_weights"]
        self.principal_components = arrays["principal_components"]
        self._weighting = checks.one_of("weighting", state["weighting"], WEIGHTINGS)
        self._rows = rows = arrays["weighted_vectors"]
        if rows.ndim != 2 or rows.dtype != np.float32:
            raise ValueError(f"weighted_vectors are {rows.dtype} of shape {rows.shape}")
        if not len(self.word_ids) == len(rows) == len(self.word_counts) == len(self.word_weights):
            raise ValueError(f"{len(rows)} weighted_vectors of {len(self.word_ids)} words")


def _weighted(matrix: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return ``weights[:, None] * matrix``, float32 and C-contiguous; raises if not finite."""
    weighted = np.empty(matrix.shape, dtype=np.float32)
    for start in range(0, len(matrix), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        with np.errstate(over="ignore"):  # refused below
            weighted[part] = weights[part, np.newaxis] * matrix[part]
        if not np.isfinite(weighted[part]).all():
            raise InputError(
                f"vectors must be finite numbers, got others in the rows from {start} on; "
                "leave those words out"
            )
    return weighted


def _leading_directions(moments: np.ndarray, wanted: int) -> tuple[np.ndarray, float]:
    """Return the first eigenvectors of the second moments, and the share that they leave.

    Returns
    -------
    directions : float64 ndarray, shape (at most wanted, dim)
        The largest eigenvalue first; of either sign the one whose largest number is positive.
    left : float
        Share of the trace, from 0 to 1, that is in the other directions.
    """
    from scipy.linalg import eigh

    trace = float(np.trace(moments))
    dim = len(moments)
    with single_threaded_blas():
        values, vectors = eigh(moments, subset_by_index=(dim - wanted, dim - 1))
    strong = np.flatnonzero(values > SMALLEST_SHARE * trace)[::-1]
    directions = np.ascontiguousarray(vectors[:, strong].T)
    largest = np.abs(directions).argmax(axis=1)[:, np.newaxis]
    directions *= np.sign(np.take_along_axis(directions, largest, axis=1))
    left = 1.0 - float(values[strong].sum()) / trace if trace > 0 else 1.0
    return directions, min(max(left, 0.0), 1.0)


def _without_directions(rows: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Return ``rows`` without what they have of the orthonormal ``directions``, float32."""
    rest = np.empty_like(rows)
    with single_threaded_blas():
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[start : start + ROWS_AT_ONCE].astype(np.float64)
            rest[start : start + ROWS_AT_ONCE] = part - (part @ directions.T) @ directions
    return rest
