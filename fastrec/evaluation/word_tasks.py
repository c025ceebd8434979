"""How good word vectors are: analogies that they solve, and similarities beside people's.

An analogy a : b = c : d is solved when d is the best answer to b - a + c among the
words that are no part of the question. A similarity is the cosine of two words,
compared with the scores that people gave by rank correlation.

Mikolov et al., "Efficient Estimation of Word Representations in Vector Space",
2013 (questions-words); Finkelstein et al., "Placing Search in Context", 2002
(WordSim-353); Hill et al., "SimLex-999", 2015.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fastrec.data.ragged import Ragged
from fastrec.errors import InputError
from fastrec.evaluation.word_questions import read_analogies, read_pairs
from fastrec.evaluation.word_vocabulary import Vocabulary
from fastrec.runtime import checks
from fastrec.search import Vectors
from fastrec.search.vectors import require_vectors

SHOWN = 3
ANALOGY_VOCABULARY = 30_000  # as in the demonstrations of the original word2vec tool


@dataclass(frozen=True)
class SectionAccuracy:
    """How many questions of a section are solved.

    Attributes
    ----------
    name : str
        ``"total"`` for all sections together.
    correct, asked, left_out : int
        Questions that are solved; those whose four words are known, solved or not;
        those with a word outside the vocabulary, which are not asked.
    """

    name: str
    correct: int
    asked: int
    left_out: int

    @property
    def accuracy(self) -> float:
        """The share of the asked questions that are solved; NaN where none is asked."""
        return self.correct / self.asked if self.asked else math.nan


@dataclass(frozen=True)
class AnalogyEvaluation:
    """What :func:`evaluate_analogies` finds; iterating gives the sections.

    Attributes
    ----------
    sections : tuple of SectionAccuracy
        In the order of the questions.
    total : SectionAccuracy
        All questions together: not the mean of the sections.
    seconds : float
        Wall time of answering.
    """

    sections: tuple[SectionAccuracy, ...]
    total: SectionAccuracy
    seconds: float

    @property
    def accuracy(self) -> float:
        """The accuracy of all questions together."""
        return self.total.accuracy

    def __getitem__(self, name: str) -> SectionAccuracy:
        for section in self.sections:
            if section.name == name:
                return section
        raise KeyError(
            f"there is no section {name!r}, there are "
            f"{', '.join(repr(section.name) for section in self.sections)}"
        )

    def __iter__(self) -> Iterator[SectionAccuracy]:
        return iter(self.sections)

    def __len__(self) -> int:
        return len(self.sections)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; the accuracy of nothing asked is None."""
        rows = [
            {**asdict(part), "accuracy": part.accuracy if part.asked else None}
            for part in (*self.sections, self.total)
        ]
        return {"sections": rows[:-1], "total": rows[-1], "seconds": self.seconds}

    def __repr__(self) -> str:
        parts = (*self.sections, self.total)
        width = max(len("section"), *(len(part.name) for part in parts))
        lines = [f"{'section':<{width}}  accuracy  correct    asked  left out"]
        lines += [
            f"{part.name:<{width}}  {part.accuracy:8.4f}  {part.correct:7}  {part.asked:7}  "
            f"{part.left_out:8}"
            for part in parts
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class SimilarityEvaluation:
    """What :func:`evaluate_similarity` finds.

    Attributes
    ----------
    spearman, pearson : float
        Correlation of the ranks, ties taking the mean of their places, and of the
        numbers; NaN for fewer than two pairs, or where one side is all the same.
    pairs : int
        Pairs that are compared.
    left_out : int
        Pairs with a word that has no vector.
    """

    spearman: float
    pearson: float
    pairs: int
    left_out: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; None for NaN."""
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in asdict(self).items()
        }


def evaluate_analogies(
    vectors: Vectors,
    questions: Any,
    *,
    method: str = "add",
    restrict_vocab: int | None = ANALOGY_VOCABULARY,
    ignore_case: bool | None = None,
    threads: int | None = None,
) -> AnalogyEvaluation:
    """Return how many analogies the vectors solve, by section and in all.

    Parameters
    ----------
    vectors : Vectors
        Of words; most frequent first, if ``restrict_vocab`` is to leave out rare ones.
    questions : path, table, or rows
        A text file such as ``questions-words.txt`` (``: name`` begins a section, other
        lines are four words); a Parquet file, DataFrame, Arrow table or dict with the
        columns a, b, c, d and perhaps section; or rows (a, b, c, d) or (section, a, b, c, d).
    method : {"add", "mul"}
        See :meth:`Vectors.analogy`.
    restrict_vocab : int or None
        Only so many of the first rows may be asked for and answered; None: all.
    ignore_case : bool or None
        Whether words that differ in case alone are the same word: asked for by the most
        frequent of them, right where any of them is the answer. None: True where all
        words of the vocabulary are lower-case, so that nothing but the questions changes.
    threads : int or None
        None takes all CPUs that the process may use; the result does not depend on it.

    Returns
    -------
    AnalogyEvaluation
        Accuracy, and how many questions were asked, solved and left out because of a word
        outside the vocabulary. Questions left out are no part of the accuracy: compare
        vectors of the same vocabulary, or look at the counts.

    Raises
    ------
    InputError
        There are no questions, or not one whose words are known; malformed arguments.
    FormatError
        A malformed line, which is named, or file.

    Notes
    -----
    A question is solved when its fourth word is the best answer, the three others left
    out; equal scores count against it. Cost as of :meth:`Vectors.analogy` for all
    questions at once. Deterministic.

    Examples
    --------
    >>> import fastrec as fr
    >>> ids, _ = fr.IdMap.from_ids(["man", "woman", "king", "queen", "tree"])
    >>> matrix = np.array([[1, 0, 1], [1, 1, 0], [3, 0, 1], [3, 1, 0], [0, 1, 2]])
    >>> words = fr.Vectors(ids, matrix.astype(np.float32))
    >>> found = evaluate_analogies(words, [("man", "woman", "king", "queen")])
    >>> found.accuracy, found.total.asked
    (1.0, 1)
    """
    require_vectors("vectors", vectors)
    asked = read_analogies(questions)
    if not asked.words:
        raise InputError("there are no questions; give rows of four words")
    if restrict_vocab is not None:
        checks.whole_number("restrict_vocab", restrict_vocab)
    vocabulary = Vocabulary(vectors, restrict_vocab, ignore_case)
    rows = vocabulary.rows_of(asked.words).reshape(-1, 4)
    is_known = (rows >= 0).all(axis=1)
    if not is_known.any():
        raise InputError(_nothing_known("questions", asked.words, rows, vocabulary))
    start = time.perf_counter()
    is_solved = np.zeros(len(rows), dtype=bool)
    is_solved[is_known] = _solve(vectors, vocabulary, rows[is_known], method, threads)
    seconds = time.perf_counter() - start
    counts = (
        np.bincount(asked.section[chosen], minlength=len(asked.sections)).tolist()
        for chosen in (is_solved, is_known, ~is_known)
    )
    sections = tuple(map(SectionAccuracy, asked.sections, *counts))
    total = SectionAccuracy(
        "total", int(is_solved.sum()), int(is_known.sum()), int((~is_known).sum())
    )
    return AnalogyEvaluation(sections, total, seconds)


def _solve(
    vectors: Vectors, vocabulary: Vocabulary, rows: np.ndarray, method: str, threads: int | None
) -> np.ndarray:
    """Say for each row a, b, c, d of known words whether d is the best answer."""
    positive = Ragged.from_lengths(rows[:, [1, 2]].ravel(), np.full(len(rows), 2))
    negative = Ragged.from_lengths(rows[:, 0].copy(), np.ones(len(rows), np.int64))
    # The second place shows whether the first is shared.
    top = vectors.rank_analogies(
        positive,
        negative,
        2,
        method=method,
        restrict=vocabulary.size,
        exclude=vocabulary.same_words(rows[:, :3]),
        threads=threads,
    )
    is_right = vocabulary.are_same(top.items, rows[:, 3:])
    is_tied = top.scores[:, 1] == top.scores[:, 0]
    solved: np.ndarray = is_right[:, 0] & (is_right[:, 1] | ~is_tied)
    return solved


def evaluate_similarity(
    vectors: Vectors, pairs: Any, *, ignore_case: bool | None = None
) -> SimilarityEvaluation:
    """Compare the cosines of pairs of words with the scores that people gave them.

    Parameters
    ----------
    vectors : Vectors
        Of words.
    pairs : path, table, or rows
        A text file of lines ``word word number``, separated by tabs or commas, with ``#``
        comments and perhaps a first line of names; a Parquet file, DataFrame, Arrow table
        or dict with the columns word1, word2 and score; or rows (word, word, number).
    ignore_case : bool or None
        As in :func:`evaluate_analogies`, the vocabulary being all words.

    Returns
    -------
    SimilarityEvaluation
        Spearman's and Pearson's correlation, pairs compared and left out.

    Raises
    ------
    InputError
        There are no pairs, or not one whose words are known; malformed arguments.
    FormatError
        A malformed line, which is named, or file.

    Notes
    -----
    O(pairs (dim + log pairs)). The cosine with a vector of zeros is 0. Deterministic.

    Examples
    --------
    >>> import fastrec as fr
    >>> ids, _ = fr.IdMap.from_ids(["cat", "tiger", "stone"])
    >>> animals = fr.Vectors(ids, np.array([[2, 1], [2, 0], [-1, 4]], dtype=np.float32))
    >>> rows = [("cat", "tiger", 7.35), ("cat", "stone", 1.2), ("tiger", "stone", 0.4)]
    >>> evaluate_similarity(animals, rows).spearman
    1.0
    """
    require_vectors("vectors", vectors)
    given = read_pairs(pairs)
    if not given.words:
        raise InputError("there are no pairs; give rows of two words and a number")
    vocabulary = Vocabulary(vectors, None, ignore_case)
    rows = vocabulary.rows_of(given.words).reshape(-1, 2)
    is_known = (rows >= 0).all(axis=1)
    if not is_known.any():
        raise InputError(_nothing_known("pairs", given.words, rows, vocabulary))
    one, other = (vectors.matrix[column].astype(np.float64) for column in rows[is_known].T)
    # One root of the product: the cosine of a word with itself is exactly 1, and ties are ties.
    lengths = np.sqrt(_row_products(one, one) * _row_products(other, other))
    cosines = _row_products(one, other) / np.where(lengths > 0, lengths, 1)
    scores = given.scores[is_known]
    return SimilarityEvaluation(
        spearman=_correlation(_mean_ranks(cosines), _mean_ranks(scores)),
        pearson=_correlation(cosines, scores),
        pairs=len(scores),
        left_out=len(rows) - len(scores),
    )


def _row_products(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    products: np.ndarray = np.einsum("ij,ij->i", one, other)
    return products


def _mean_ranks(values: np.ndarray) -> np.ndarray:
    """Return the place of each value from 1; equal ones take the mean of their places."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: np.ndarray = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    one, other = one - one.mean(), other - other.mean()
    spread = math.sqrt(float(one @ one) * float(other @ other))
    return float(np.clip(one @ other / spread, -1, 1)) if spread > 0 else math.nan


def _nothing_known(what: str, words: list[Any], rows: np.ndarray, vocabulary: Vocabulary) -> str:
    width = rows.shape[1]
    unknown = np.flatnonzero(rows.ravel() < 0)
    shown = ", ".join(repr(word) for word in dict.fromkeys(words[i] for i in unknown[:SHOWN]))
    hint = "" if vocabulary.ignores_case else "; ignore_case=True takes words of any case"
    return (
        f"not one of the {len(words) // width} {what} has all its words among the first "
        f"{vocabulary.size} words of the vectors: {shown}, ... are not{hint}"
    )
