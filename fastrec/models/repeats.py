"""A ranking in which the items that a history holds have a bonus."""

from __future__ import annotations

import numpy as np

from fastrec.data import Ragged
from fastrec.search import TopK


def allowed_of(histories: Ragged, allow: np.ndarray | Ragged | None, n_items: int) -> Ragged:
    """Return the histories without the items that ``allow`` does not name.

    Parameters
    ----------
    histories : Ragged of int32
        Rows of items.
    allow : int32 rows, or Ragged of one list per history, or None
        As a search takes them.
    n_items : int
        Rows that there are.
    """
    if allow is None:
        return histories
    if not isinstance(allow, Ragged):
        return histories.where(np.isin(histories.flat, allow))
    asked = histories.row_numbers * n_items + histories.flat
    return histories.where(np.isin(asked, allow.row_numbers * n_items + allow.flat))


def with_bonus(top: TopK, heard: TopK, bonus: float) -> TopK:
    """Return the best of two rankings, the second of which gets a bonus.

    Parameters
    ----------
    top : TopK, shape (n, k)
        The best of all items.
    heard : TopK, shape (n, k)
        The best of those that have the bonus, by the same scores.
    bonus : float
        Not below 0, so that what is missing in ``top`` cannot come up.
    """
    items = np.hstack((heard.items, top.items))
    scores = np.hstack((heard.scores + np.float32(bonus), top.scores))
    # By item, those with the bonus first: an item that follows itself is there already.
    items, scores = _ordered(items, scores, items)
    is_again = items[:, 1:] == items[:, :-1]
    items[:, 1:][is_again], scores[:, 1:][is_again] = -1, np.nan
    items, scores = _ordered(items, scores, -scores)  # NaN comes last
    k = top.items.shape[1]
    items, scores = np.ascontiguousarray(items[:, :k]), np.ascontiguousarray(scores[:, :k])
    return TopK(items, scores, (items >= 0).sum(axis=1, dtype=np.int32))


def _ordered(
    items: np.ndarray, scores: np.ndarray, by: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return both with each row in the order of ``by``; equal ones stay as they are."""
    order = np.argsort(by, axis=1, kind="stable")
    return np.take_along_axis(items, order, axis=1), np.take_along_axis(scores, order, axis=1)
