"""Vectors seen from two sides: their first two principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Projection:
    """Vectors in the plane in which they differ most.

    Attributes
    ----------
    points : ndarray of float32, shape (n, 2)
        Coordinates around the mean of the vectors.
    variance : tuple of two floats
        The share of the variance of the vectors that each axis shows, from 0 to 1.
    """

    points: np.ndarray
    variance: tuple[float, float]


def principal_plane(matrix: np.ndarray) -> Projection:
    """Return the projection of rows on their first two principal components.

    The sign of an axis is such that its component of largest magnitude is positive.

    Parameters
    ----------
    matrix : ndarray of float, shape (n, dim)
        Finite numbers; not written to.

    Notes
    -----
    The singular value decomposition of the centred rows in float64: O(n dim min(n, dim))
    operations, about 24 n dim bytes. Deterministic.
    """
    centred = matrix.astype(np.float64)
    if len(matrix):
        centred -= centred.mean(axis=0)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    total = float((sizes**2).sum())
    sizes, axes = sizes[:2], axes[:2]
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.where(axes[np.arange(len(axes)), largest] < 0, -1, 1)[:, None]
    points = np.zeros((len(matrix), 2), np.float32)  # one row, or one column, has no second axis
    points[:, : len(axes)] = centred @ axes.T
    shares = [float(size) ** 2 / total if total > 0 else 0.0 for size in sizes]
    first, second = [*shares, 0.0, 0.0][:2]
    return Projection(points, (first, second))
