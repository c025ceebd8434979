"""Counter-based random streams: what is drawn depends on a seed and a place, never on a thread.

A stream is a 64-bit key made of the user's seed and labels ("sgns", epoch,
sequence, ...). Compiled kernels draw the n-th number of a stream as
``mix64(key + (n + 1) * GOLDEN)``, which is SplitMix64 (Steele, Lea, Flood, "Fast
Splittable Pseudorandom Number Generators", OOPSLA 2014) addressed by its
counter; ``src_cython/include/random.h`` is the same in C. NumPy code takes a
Philox generator of the same key.
"""

from __future__ import annotations

import zlib

import numpy as np

GOLDEN = 0x9E3779B97F4A7C15
_MASK = 0xFFFFFFFFFFFFFFFF


def mix64(value: int) -> int:
    """Return the finalizer of SplitMix64 of a 64-bit value."""
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def stream_key(seed: int, *labels: int | str) -> int:
    """Return the 64-bit key of the stream that ``labels`` name below ``seed``.

    Parameters
    ----------
    seed : int
        The user's seed, any whole number of at least 0.
    labels : int or str
        The place: names and counters, in order.
    """
    key = mix64((int(seed) + GOLDEN) & _MASK)  # a number of NumPy would overflow
    for label in labels:
        number = zlib.crc32(label.encode()) if isinstance(label, str) else int(label)
        key = mix64(((key ^ (number & _MASK)) + GOLDEN) & _MASK)
    return key


def generator(seed: int, *labels: int | str) -> np.random.Generator:
    """Return a NumPy generator of the stream that ``labels`` name below ``seed``."""
    return np.random.Generator(np.random.Philox(key=stream_key(seed, *labels)))


def uniforms(key: int, places: np.ndarray) -> np.ndarray:
    """Return number ``places[i]`` of the stream ``key`` for each i: float64 in [0, 1), 53 bits."""
    with np.errstate(over="ignore"):
        value = np.uint64(key) + (places.astype(np.uint64) + np.uint64(1)) * np.uint64(GOLDEN)
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    value ^= value >> np.uint64(31)
    return (value >> np.uint64(11)) * 2.0**-53
