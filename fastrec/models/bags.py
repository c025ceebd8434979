"""Bags of words: the sum of the matrix rows that each document names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastrec.runtime.threads import run_ranges

# What one call of the sparse product takes: some milliseconds, so that threads share the work
# evenly and Ctrl-C is heard, and few enough rows for the cache to hold what comes out.
WORDS_AT_ONCE = 1 << 16
DOCUMENTS_AT_ONCE = 1 << 12
WORDS_OF_A_PART = 1 << 8  # longer documents are added up part by part: float32 would round too much


def stretches(
    offsets: np.ndarray, words: int, documents: int | None = None
) -> Iterator[tuple[int, int]]:
    """Cut documents into ranges of at most ``words`` words; a longer one comes alone.

    Parameters
    ----------
    offsets : int64 ndarray, shape (n + 1,)
        Document ``i`` has the words ``offsets[i]`` to ``offsets[i + 1] - 1``.
    words : int
    documents : int or None
        Most documents of a range.

    Yields
    ------
    first, last : int
        Documents ``first`` to ``last - 1``; all are covered, in order.
    """
    first, count = 0, len(offsets) - 1
    while first < count:
        last = int(np.searchsorted(offsets, offsets[first] + words, side="right")) - 1
        last = min(max(last, first + 1), count)
        if documents is not None:
            last = min(last, first + documents)
        yield first, last
        first = last


def without_unknown(codes: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Return documents without the words of code -1, and how many these were.

    Parameters
    ----------
    codes : int32 ndarray, shape (words,)
    offsets : int64 ndarray, shape (n + 1,)

    Returns
    -------
    codes : int32 ndarray
    offsets : int64 ndarray, shape (n + 1,)
    unknown : int
    """
    unknown = np.flatnonzero(codes < 0)
    if len(unknown) == 0:
        return codes, offsets, 0
    return np.delete(codes, unknown), offsets - np.searchsorted(unknown, offsets), len(unknown)


def sums_of(
    matrix: np.ndarray, codes: np.ndarray, offsets: np.ndarray, threads: int | None
) -> np.ndarray:
    """Return the sum of the rows that each document names.

    A row that stands twice in a document is added twice; an empty document has zeros. The
    bits of a document's sum depend on its words alone, not on the others or on ``threads``.

    Parameters
    ----------
    matrix : float ndarray, shape (rows, columns)
        C-contiguous, or it is copied.
    codes : int32 ndarray, shape (words,)
    offsets : int64 ndarray, shape (n + 1,)
    threads : int or None
        None takes all CPUs that the process may use.

    Returns
    -------
    float ndarray, shape (n, columns)
        Cost: one multiplication and addition for each word and column.
    """
    sums = np.empty((len(offsets) - 1, matrix.shape[1]), dtype=matrix.dtype)
    pieces = list(stretches(offsets, WORDS_AT_ONCE, DOCUMENTS_AT_ONCE))

    def add(start: int, stop: int) -> None:
        for first, last in pieces[start:stop]:
            ends = offsets[first : last + 1]
            sums[first:last] = _sums(matrix, codes[ends[0] : ends[-1]], ends - ends[0])

    run_ranges(add, len(pieces), 1, threads)
    return sums


def means_of(
    matrix: np.ndarray, codes: np.ndarray, offsets: np.ndarray, threads: int | None
) -> np.ndarray:
    """Return the mean of the rows that each document names; else as :func:`sums_of`."""
    means = sums_of(matrix, codes, offsets, threads)
    means /= np.maximum(np.diff(offsets), 1)[:, np.newaxis]
    return means


def document_frequencies(
    tokens: np.ndarray, offsets: np.ndarray, table: np.ndarray, words: int
) -> np.ndarray:
    """Return in how many documents each word stands, int64 (words,).

    Parameters
    ----------
    tokens : int32 ndarray
        Codes that ``table`` translates.
    offsets : int64 ndarray, shape (n + 1,)
    table : int32 ndarray
        The word of each code, from 0 to ``words - 1``; -1 is passed over.
    words : int
    """
    frequencies = np.zeros(words, dtype=np.int64)
    for first, last in stretches(offsets, WORDS_AT_ONCE, DOCUMENTS_AT_ONCE):
        ends = offsets[first : last + 1]
        codes, own, _ = without_unknown(table[tokens[ends[0] : ends[-1]]], ends - ends[0])
        bags = _bags(codes, own, words, np.float32)
        bags.sum_duplicates()
        present, documents = np.unique(bags.indices, return_counts=True)
        frequencies[present] += documents
    return frequencies


def _bags(codes: np.ndarray, offsets: np.ndarray, words: int, dtype: Any) -> Any:
    """Return the sparse matrix of documents x words that has a 1 for each word of each."""
    from scipy.sparse import csr_array

    ones = np.ones(len(codes), dtype=dtype)
    return csr_array((ones, codes, offsets), shape=(len(offsets) - 1, words))


def _sums(matrix: np.ndarray, codes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    if len(offsets) == 2 and len(codes) > WORDS_AT_ONCE:
        parts = np.append(np.arange(0, len(codes), WORDS_OF_A_PART), len(codes))
        sums = _sums(matrix, codes, parts)
        return sums.sum(axis=0, dtype=np.float64, keepdims=True).astype(matrix.dtype)
    return np.asarray(_bags(codes, offsets, len(matrix), matrix.dtype) @ matrix)
