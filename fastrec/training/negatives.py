"""The noise distribution that negative items are drawn from: count ** exponent."""

from __future__ import annotations

import numpy as np

from fastrec.runtime import isa


def noise_table(counts: np.ndarray, exponent: float) -> np.ndarray:
    """Return the alias table of the distribution ``counts ** exponent``.

    Parameters
    ----------
    counts : int64 (items,)
        At least one item has been seen; one that was not has a chance below 2**-32.
    exponent : float
        Finite: 0.75 in word2vec, 0 for uniform noise, negative to prefer rare items
        (Caselles-Dupre et al., "Word2vec applied to recommendation", 2018).

    Returns
    -------
    uint64 (items,)
        What the compiled kernels draw from; cost O(items).
    """
    seen = counts > 0
    logs = np.log(np.maximum(counts, 1).astype(np.float64)) * exponent
    weights = np.where(seen, np.exp(logs - logs[seen].max()), 0.0)
    table = np.empty(len(counts), dtype=np.uint64)
    isa.load("sgns").build_alias_table(weights, np.empty(len(counts), dtype=np.int32), table)
    return table


def keep_thresholds(counts: np.ndarray, subsample: float) -> np.ndarray | None:
    """Return per item the 32-bit draw up to which an occurrence of it is kept.

    An item of frequency f is kept with probability ``sqrt(t / f) + t / f``, at most 1,
    as in the authors' code of word2vec (the paper's equation 5 lacks the second term).

    Parameters
    ----------
    counts : int64 (items,)
        Occurrences.
    subsample : float
        t, a share of all occurrences; 0 keeps everything.

    Returns
    -------
    uint32 (items,) or None
        None where everything is kept.
    """
    if subsample == 0:
        return None
    ratio = subsample * counts.sum() / np.maximum(counts, 1).astype(np.float64)
    probability = np.minimum(np.sqrt(ratio) + ratio, 1.0)
    return (probability * (2.0**32 - 1)).astype(np.uint32)
