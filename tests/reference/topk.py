"""Exact top-k in float64, and what it means that two answers agree up to rounding."""

import numpy as np


def scores_of(vectors, queries, metric="dot", bias=None):
    """Return the float64 scores (n_queries, n_rows) of float32 data."""
    vectors, queries = np.float64(vectors), np.float64(queries)
    if metric == "cosine":
        vectors, queries = unit(vectors), unit(queries)
    scores = queries @ vectors.T
    return scores if bias is None else scores + np.float64(bias)


def unit(matrix):
    """Return rows of length one; zeros stay zeros."""
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.divide(matrix, lengths, out=np.zeros_like(matrix), where=lengths > 0)


def log_sum_exp(scores):
    """Return the log of the sum of the exponentials of each row, float64."""
    highest = scores.max(axis=1, initial=-np.inf, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (highest + np.log(np.exp(scores - highest).sum(axis=1, keepdims=True)))[:, 0]


def candidates(n_rows, exclude=(), allow=None):
    """Return the ascending rows that may be answers."""
    rows = np.arange(n_rows) if allow is None else np.unique(np.asarray(allow, dtype=np.int64))
    rows = rows[rows >= 0]
    return np.setdiff1d(rows, np.asarray(exclude, dtype=np.int64))


def best(scores, k, rows):
    """Return the k best of ``rows`` by one query's ``scores``, ties by the smaller row."""
    return rows[np.lexsort((rows, -scores[rows]))][:k]


def assert_answers(found, scores, k, exclude=None, allow=None, tolerance=1e-5):
    """Fail unless ``found`` is the top-k of float64 ``scores`` up to rounding.

    ``exclude`` and ``allow`` hold one list a query, or are None. Where float32 rounding may have
    exchanged two rows, the scores at each place still agree.
    """
    assert found.items.shape == found.scores.shape == (len(scores), k)
    assert found.items.dtype == np.int32
    assert found.scores.dtype == np.float32
    scale = max(1.0, np.abs(scores).max(initial=0.0))
    for q, own in enumerate(scores):
        rows = candidates(
            scores.shape[1],
            () if exclude is None else exclude[q],
            None if allow is None else allow[q],
        )
        expected = best(own, k, rows)
        count = found.counts[q]
        items, values = found.items[q], found.scores[q]
        assert count == len(expected)
        assert (items[count:] == -1).all()
        assert np.isnan(values[count:]).all()
        assert len(set(items[:count])) == count
        assert set(items[:count]) <= set(rows)
        assert (np.diff(values[:count]) <= 0).all()
        np.testing.assert_allclose(own[items[:count]], own[expected], atol=tolerance * scale)
        np.testing.assert_allclose(values[:count], own[items[:count]], atol=tolerance * scale)


def assert_same(one, other):
    """Fail unless two answers are the same, bit for bit."""
    np.testing.assert_array_equal(one.items, other.items)
    np.testing.assert_array_equal(one.counts, other.counts)
    np.testing.assert_array_equal(one.scores.view(np.uint32), other.scores.view(np.uint32))
