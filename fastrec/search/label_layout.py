"""Where the names of points stand, so that they cover neither each other nor the points.

A name has sixteen places: eight directions around its point, near and farther away.
Names take the cheapest place one after the other, most important first; what was
placed early is placed again once the others are known.
"""

from __future__ import annotations

import numpy as np

# Best first: the first of equally free places is taken.
DIRECTIONS = np.array(
    [(1, 0), (1, 1), (1, -1), (0, 1), (0, -1), (-1, 0), (-1, 1), (-1, -1)], np.float64
)
PASSES = 3
MANY = 300  # names; of more than these each is placed once
OUTSIDE = 4.0  # an area beyond the edge counts so much more than one that is covered
PREFERENCE = 0.01  # of the name's own area, for each place further down the list
FAR_PENALTY = 0.15


def place_labels(
    points: np.ndarray,
    owners: np.ndarray,
    sizes: np.ndarray,
    bounds: np.ndarray,
    marker: float,
    distances: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """Return where the middle of each name stands from its point, and which are far from it.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        All points, named or not. Everything is in pixels.
    owners : ndarray of int64, shape (m,)
        The point of each name.
    sizes : ndarray of float64, shape (m, 2)
        Width and height of each name.
    bounds : ndarray of float64, shape (2, 2)
        The lower left and upper right corner of what can be seen.
    marker : float
        Half the width of the mark of a point.
    distances : tuple of two floats
        Between a mark and a near name, and a far one.

    Returns
    -------
    offsets : ndarray of float64, shape (m, 2)
    is_far : ndarray of bool, shape (m,)

    Notes
    -----
    O(m (m + n)) for each of at most three passes. Deterministic.
    """
    offsets = _candidates(sizes, marker, distances)
    lows = points[owners][:, None] + offsets - sizes[:, None] / 2
    highs = lows + sizes[:, None]
    area = sizes.prod(axis=1)
    n_near = len(DIRECTIONS)
    dislike = PREFERENCE * np.arange(2 * n_near) + FAR_PENALTY * (np.arange(2 * n_near) >= n_near)
    fixed = _covered(lows, highs, points - marker, points + marker)
    seen = _overlap(lows, highs, bounds[0], bounds[1])
    fixed += OUTSIDE * (area[:, None] - seen) + area[:, None] * dislike
    low, high = (np.full((len(owners), 2), np.nan) for _ in range(2))  # nowhere yet
    chosen = np.zeros(len(owners), np.int64)
    for _ in range(PASSES if len(owners) <= MANY else 1):
        for label in range(len(owners)):
            low[label] = high[label] = np.nan
            cost = fixed[label] + _covered(lows[label], highs[label], low, high)
            best = chosen[label] = int(cost.argmin())
            low[label], high[label] = lows[label, best], highs[label, best]
    return offsets[np.arange(len(owners)), chosen], chosen >= n_near


def _candidates(sizes: np.ndarray, marker: float, distances: tuple[float, float]) -> np.ndarray:
    """Return the middles of all places of each name, seen from its point, (m, places, 2)."""
    # On a diagonal both sides are clear of the mark, so that a shorter way is enough.
    shorten = np.where(np.abs(DIRECTIONS).sum(axis=1) > 1, 0.6, 1.0)[:, None]
    places = [
        DIRECTIONS * (sizes[:, None] / 2 + (marker + distance) * shorten) for distance in distances
    ]
    return np.concatenate(places, axis=1)


def _covered(lows: np.ndarray, highs: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the area that each box shares with all of a list of boxes; NaN is no box."""
    if lows.ndim == 3:  # a name at a time, for memory
        return np.array([_covered(*boxes, low, high) for boxes in zip(lows, highs, strict=True)])
    shared = _overlap(lows[:, None], highs[:, None], low, high)
    total: np.ndarray = np.nansum(shared, axis=-1)
    return total


def _overlap(lows: np.ndarray, highs: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    sides = np.minimum(highs, high) - np.maximum(lows, low)
    areas: np.ndarray = np.maximum(sides, 0).prod(axis=-1)
    return areas
