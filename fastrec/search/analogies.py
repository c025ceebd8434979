"""Analogies: a is to b as c is to what, for many questions at once.

Symbols: ``x`` is a candidate, ``b`` and ``c`` are the positive words of a question
and ``a`` is its negative one; all vectors have length one.

- ``add``, 3CosAdd (equation 3): the candidate of largest ``cos(x, b - a + c)``. A
  question is one vector, so this is a search by cosine.
- ``mul``, 3CosMul (equation 4): the candidate of largest
  ``s(x, b) * s(x, c) / (s(x, a) + 0.001)`` with ``s = (cos + 1) / 2``, so that no
  term outweighs the others. This is no product of vectors: similarities are made
  a tile of candidates at a time, once for each different word of a block of
  questions, multiplied while they are in the cache, and the best are selected.

Both take any number of positive and negative words.

Levy and Goldberg, "Linguistic Regularities in Sparse and Explicit Word
Representations", CoNLL 2014.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastrec.data.ragged import Ragged
from fastrec.data.sequences import flatten, is_nested
from fastrec.errors import InputError
from fastrec.runtime import checks
from fastrec.runtime.blas import single_threaded_blas
from fastrec.runtime.threads import resolve_threads, run_ranges
from fastrec.search.index import TopKIndex
from fastrec.search.result import TopK
from fastrec.search.selection import select

if TYPE_CHECKING:
    from fastrec.data.ids import IdMap

METHODS = ("add", "mul")
EPSILON = np.float32(0.001)  # of the paper
# A factor is at least about 1/1000 and at most 1000: the product of more may leave float32.
MOST_FACTORS = 12
QUESTIONS_AT_ONCE = 4096  # whose word vectors are added
SCORES_AT_ONCE = 1 << 23  # of a block of questions, all candidates
CANDIDATES_AT_ONCE = 512  # of 256 to 4096 within 5 % of the fastest, for 30,000 of dim 128


def questions_of(ids: IdMap, positive: Any, negative: Any) -> tuple[Ragged, Ragged]:
    """Return the codes of the words of one question, or of many; see ``Vectors.analogy``."""
    above, below = _codes(ids, positive, "positive"), _codes(ids, negative, "negative")
    if len(above) != len(below) and below.total == 0 and len(below) <= 1:
        below = Ragged(below.values, np.zeros(len(above) + 1, np.int64))  # none, for all of them
    return above, below


def check_codes(positive: Any, negative: Any, exclude: Any, n: int) -> None:
    """Raise where questions in codes do not fit each other, or are none of ``n`` words."""
    advice = "Vectors.analogy takes ids"
    for name, rows in (("positive", positive), ("negative", negative), ("exclude", exclude)):
        if rows is None and name == "exclude":
            continue
        codes = checks.instance_of(name, rows, Ragged, "a Ragged of row numbers", advice).flat
        if codes.size and (codes.dtype.kind not in "iu" or codes.min() < 0 or codes.max() >= n):
            raise InputError(
                f"{name} must hold row numbers from 0 to {n - 1}, got {codes.dtype} from "
                f"{codes.min()} to {codes.max()}; {advice}"
            )
        if len(rows) != len(positive):
            raise InputError(
                f"positive has {len(positive)} questions and {name} {len(rows)}; give one list of "
                "ids for each question in both, or one question"
            )
    if len(positive) and positive.lengths.min() == 0:
        raise InputError(
            f"positive must hold at least one id a question, it is empty in question "
            f"{int(positive.lengths.argmin())}; name what the answer is like"
        )


def _codes(ids: IdMap, given: Any, name: str) -> Ragged:
    if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
        raise InputError(f"{name} must be a list of ids, got {given!r}; one id is given as [id]")
    if not is_nested(given):
        given = [given]
    flat, lengths = flatten(given, name)
    codes = ids.encode(flat, name=f"{name} ids")
    if (codes < 0).any():
        raise InputError(f"{name} holds padding (-1 or None), which has no vector; leave it out")
    return Ragged.from_lengths(codes, lengths)


def rank(
    index: TopKIndex,
    positive: Ragged,
    negative: Ragged,
    k: int,
    *,
    method: str,
    candidates: int,
    exclude: Ragged,
    threads: int | None,
) -> TopK:
    """Return the ``k`` best rows for each question.

    Parameters
    ----------
    index : TopKIndex
        By cosine.
    positive, negative : Ragged of int32, n questions
        Rows of the words of each question; at least one positive word each.
    k : int
        Answers a question.
    method : {"add", "mul"}
    candidates : int
        Only rows below this one are answers; at least 1.
    exclude : Ragged of int32, n lists
        Rows that are no answers.
    threads : int or None
        The answer does not depend on them.

    Raises
    ------
    InputError
        ``mul`` with more than 12 positive or 12 negative words in a question.
    """
    if method == "mul":
        return _rank_products(index, positive, negative, k, candidates, exclude, threads)
    allow = None if candidates == len(index) else np.arange(candidates, dtype=np.int32)
    asked = _sums(index.matrix, positive, negative)
    return index.search(asked, k, exclude=exclude, allow=allow, threads=threads)


def _sums(unit: np.ndarray, positive: Ragged, negative: Ragged) -> np.ndarray:
    """Return each question's sum of positive minus negative vectors, float32 (n, dim)."""
    words = positive.joined(negative)
    signs = Ragged.from_lengths(np.ones(positive.total, np.float32), positive.lengths).joined(
        Ragged.from_lengths(np.full(negative.total, -1, np.float32), negative.lengths)
    )
    asked = np.empty((len(words), unit.shape[1]), np.float32)
    for start in range(0, len(words), QUESTIONS_AT_ONCE):
        part = words.slice(start, start + QUESTIONS_AT_ONCE)
        vectors = unit[part.flat]
        vectors *= signs.slice(start, start + QUESTIONS_AT_ONCE).flat[:, None]
        begins = part.offsets[:-1] - part.offsets[0]  # no question is empty, as reduceat needs
        np.add.reduceat(vectors, begins, axis=0, out=asked[start : start + len(part)])
    return asked


def _rank_products(
    index: TopKIndex,
    positive: Ragged,
    negative: Ragged,
    k: int,
    candidates: int,
    exclude: Ragged,
    threads: int | None,
) -> TopK:
    for name, words in (("positive", positive), ("negative", negative)):
        if words.total and words.lengths.max() > MOST_FACTORS:
            raise InputError(
                f'method="mul" takes at most {MOST_FACTORS} {name} ids a question, got '
                f'{words.lengths.max()}; method="add" takes any number'
            )
    used_threads = resolve_threads(threads)
    exclude = exclude.where(exclude.flat < candidates)
    found = TopK.empty(len(positive), k, candidates)
    block = max(1, SCORES_AT_ONCE // candidates)
    scores = np.empty((min(block, len(positive)), candidates), np.float32)
    with single_threaded_blas():
        for start in range(0, len(positive), block):
            stop = min(start + block, len(positive))
            part = scores[: stop - start]
            factors = _Factors(index, positive.slice(start, stop), negative.slice(start, stop))
            run_ranges(
                lambda first, last, factors=factors, part=part: factors.multiply(  # type: ignore[misc]
                    first, last, part[:, first:last]
                ),
                candidates,
                CANDIDATES_AT_ONCE,
                used_threads,
            )
            best = select(part, k, exclude=exclude.slice(start, stop), threads=used_threads)
            found.items[start:stop] = best.items
            found.scores[start:stop] = best.scores
            found.counts[start:stop] = best.counts
    return found


class _Factors:
    """What the scores of a block of questions are products of.

    A table has a row for each different positive word, one for each different
    negative word, and a row of ones, which fills up the shorter questions.
    """

    def __init__(self, index: TopKIndex, positive: Ragged, negative: Ragged) -> None:
        self.unit = index.matrix
        above, above_places = np.unique(positive.flat, return_inverse=True)
        below, below_places = np.unique(negative.flat, return_inverse=True)
        self.n_positive, self.n_words = len(above), len(above) + len(below)
        self.words = self.unit[np.concatenate((above, below))]
        places = Ragged.from_lengths(above_places.astype(np.int64), positive.lengths).joined(
            Ragged.from_lengths(below_places.astype(np.int64) + len(above), negative.lengths)
        )
        self.places = np.full((len(places), int(places.lengths.max())), self.n_words, np.int64)
        column = np.arange(places.total) - np.repeat(places.offsets[:-1], places.lengths)
        self.places[places.row_numbers, column] = places.flat

    def multiply(self, first: int, last: int, scores: np.ndarray) -> None:
        """Write the scores of the candidates from ``first`` to ``last``."""
        table = np.empty((self.n_words + 1, last - first), np.float32)
        similar = table[: self.n_words]
        with single_threaded_blas():
            np.matmul(self.words, self.unit[first:last].T, out=similar)
        similar += 1
        similar *= 0.5
        np.maximum(similar, 0, out=similar)  # a cosine may be -1 less a rounding error
        below = similar[self.n_positive :]
        below += EPSILON
        np.reciprocal(below, out=below)
        table[self.n_words] = 1
        # Gathered beside each other, because ``out`` of take would make a copy of a strided array.
        product = table[self.places[:, 0]]
        factor = np.empty_like(product)
        for places in self.places.T[1:]:
            np.take(table, places, axis=0, out=factor, mode="clip")
            product *= factor
        scores[...] = product
