"""frappe_apps: the apps of each user, one of them left out, and the categories of neighbours.

A history is the set of a user's apps, in the order of the file; the log has no times. One app of
each user who has several is drawn by lot and left out of training. It is asked for among the apps
that the user does not have in training, and missed where nobody else uses it.

``category@10`` judges the vectors by what they were never trained on: of the apps that have a
category and at least five users in training, each is given its ten nearest among the others, and
the share of them in its own category is averaged. ``category@10 by chance`` is the same of ten
drawn by lot: the mean of (others in the category) / (others). A place that a model leaves empty
counts as another category.

Categories could choose parameters all the same, so half of the apps, drawn by lot, are judged on
the hold-out and the other half on the test part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.asked import Asked
from benchmarks.harness import data_folder

if TYPE_CHECKING:
    from fastrec import Interactions

MIN_USERS = 5
NO_CATEGORY = "unknown"


@dataclass(frozen=True)
class Apps(Asked):
    """Users and their apps, the left-out app of each user, and whose neighbours are judged.

    Attributes
    ----------
    category : ndarray of str, shape (apps,)
        By the app's number.
    is_judged : ndarray of bool, shape (apps,)
        Which half of the apps is judged by its neighbours.
    """

    category: np.ndarray
    is_judged: np.ndarray


def load() -> Apps:
    """Return all users without one app each, and the test part's half of the apps to judge."""
    import pyarrow.parquet as pq

    import fastrec as fr

    folder = data_folder("frappe_apps")
    usage = pq.read_table(folder / "usage.parquet", columns=["user", "item"]).to_pydict()
    pairs = list(dict.fromkeys(zip(usage["user"], usage["item"], strict=True)))
    users, items = zip(*pairs, strict=True)
    table = pq.read_table(folder / "apps.parquet").sort_by("item")
    category = np.array(table["category"].to_pylist(), dtype=object)
    asked = leave_one_out(fr.Interactions.from_arrays(user=users, item=items), seed=0)
    is_judged = np.random.default_rng(0).random(len(category)) < 0.5
    return Apps(asked.train, asked.queries, category, is_judged)


def hold_out(data: Apps) -> Apps:
    """Leave another app of each user out of what trains, and judge the other half of the apps."""
    asked = leave_one_out(data.train, seed=1)
    return replace(data, train=asked.train, queries=asked.queries, is_judged=~data.is_judged)


def leave_one_out(log: Interactions, seed: int) -> Asked:
    """Set one random row aside of each user who has several, and ask for those."""
    import fastrec as fr

    starts, lengths = log.history_offsets[:-1], np.diff(log.history_offsets)
    drawn = np.random.default_rng(seed).integers(lengths) + starts
    is_left_out = np.zeros(len(log), dtype=bool)
    is_left_out[drawn[lengths > 1]] = True
    users, items = log.user_ids.decode(log.user), log.item_ids.decode(log.item)
    train, left_out = (
        fr.Interactions.from_arrays(user=users[part], item=items[part])
        for part in (~is_left_out, is_left_out)
    )
    return Asked(train, fr.Queries.held_out(train, left_out))


def category_shares(model: Any, data: Apps, k: int) -> dict[str, float]:
    """Return ``category@k`` of a fitted model that knows similar items, and that of chance."""
    log = data.train
    apps = log.item_ids.ids
    is_candidate = (log.item_counts() >= MIN_USERS) & (data.category[apps] != NO_CATEGORY)
    candidates = apps[is_candidate]
    judged = candidates[data.is_judged[candidates]]
    own = data.category[judged]

    same = np.zeros(len(judged))
    ranked = model.similar_items(judged, k=len(apps)).items
    for row, neighbours in enumerate(ranked):
        nearest = neighbours[np.isin(neighbours, candidates)][:k]
        same[row] = np.sum(data.category[nearest] == own[row])
    others = np.sum(data.category[candidates] == own[:, None], axis=1) - 1
    return {
        f"category@{k}": float(same.mean() / k),
        f"category@{k} by chance": float(others.mean() / (len(candidates) - 1)),
    }
