"""The ranking metrics: their names, how targets are found in ranked lists, and their formulas.

Symbols: ``k`` is the length of the list that is judged, ``n`` the number of
distinct targets of a query, those unknown to the model included; a hit is a
target within the first ``k`` places, and ``r`` its place, from 1. Per query:

==============  ==================================================================
``recall@k``    hits / n
``precision@k`` hits / k
``hit@k``       1 if there is a hit, else 0 ("hit rate" when averaged)
``mrr@k``       1 / r of the best hit, else 0
``ndcg@k``      sum of 1 / log2(1 + r) over the hits, divided by the same sum over
                the places 1 .. min(k, n)
``map@k``       sum of (hits up to r) / r over the hits, divided by min(k, n)
``novelty@k``   mean of -log2(share of the training events) over the list's items;
                an item without events counts as one with a single event
==============  ==================================================================

``coverage@k`` is one number for all queries: the share of the catalogue that
appears in at least one list.

Ties count against the targets. Among items of equal score the targets take the
last places, and where such a group reaches past place ``k`` none of its targets
is a hit. Results of ``k + 1`` places decide that exactly, and no order of equal
scores can flatter a model that gives the same score to everything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from fastrec.errors import InputError
from fastrec.runtime import checks

_NEVER = np.iinfo(np.int32).max  # the end of a group of equal scores that the list does not show


@dataclass(frozen=True)
class Hits:
    """The targets that a batch of ranked lists contains, best place first within each query.

    Attributes
    ----------
    n_targets : ndarray of int64, shape (n,)
        Distinct targets of each query.
    row : ndarray of int64, shape (hits,)
        The query, ascending.
    rank : ndarray of int64, shape (hits,)
        The place from 1, ties counted against the target.
    end : ndarray of int64, shape (hits,)
        The last place of the group of equal scores: a hit at ``k`` has ``end <= k``.
    order : ndarray of int64, shape (hits,)
        1 for a query's first hit, 2 for its second, and so on.
    """

    n_targets: np.ndarray
    row: np.ndarray
    rank: np.ndarray
    end: np.ndarray
    order: np.ndarray

    def total(self, k: int, value: np.ndarray | None = None) -> np.ndarray:
        """Return each query's sum of ``value`` (default 1) over its hits at ``k``, float64 (n,)."""
        within = self.end <= k
        weights = None if value is None else value[within]
        counts = np.bincount(self.row[within], weights, minlength=len(self.n_targets))
        return counts.astype(np.float64, copy=False)


def distinct_targets(
    asked: np.ndarray, known: np.ndarray, lengths: np.ndarray, n_items: int
) -> tuple[np.ndarray, np.ndarray]:
    """Count each query's targets, repeated ones once, and return those that the model knows.

    Parameters
    ----------
    asked : ndarray of int32, shape (targets,)
        The targets in the queries' own codes, all queries one after the other;
        -1 for an id that even the queries cannot name, each of which counts.
    known : ndarray of int32, shape (targets,)
        The same in the model's codes; -1 for an id that the model does not know.
    lengths : ndarray of int64, shape (n,)
        How many targets each query has.
    n_items : int
        The size of the model's catalogue.

    Returns
    -------
    n_targets : ndarray of int64, shape (n,)
    keys : ndarray of int64
        ``row * n_items + code`` of every target that the model knows, sorted.
    """
    row = np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)
    named = asked >= 0
    nameless = np.bincount(row[~named], minlength=len(lengths))
    row, asked, known = row[named], asked[named], known[named]
    width = int(asked.max(initial=0)) + 1
    _, first = np.unique(row * width + asked, return_index=True)
    row, known = row[first], known[first]
    n_targets = np.bincount(row, minlength=len(lengths)) + nameless
    ranked = known >= 0
    return n_targets, np.sort(row[ranked] * n_items + known[ranked])


def find_hits(
    items: np.ndarray, scores: np.ndarray, n_targets: np.ndarray, keys: np.ndarray, n_items: int
) -> Hits:
    """Find the targets in a batch of ranked lists.

    Parameters
    ----------
    items : ndarray of int32, shape (n, k + 1)
        Item codes by descending score, -1 where a list is short.
    scores : ndarray of float32, shape (n, k + 1)
        Their scores, NaN where a list is short.
    n_targets, keys : ndarray
        As :func:`distinct_targets` returns them.
    n_items : int
        The size of the model's catalogue.
    """
    places = np.arange(len(items), dtype=np.int64)[:, None] * n_items + items
    is_target = _contains(keys, places.ravel()).reshape(items.shape)
    is_target &= items >= 0
    row, column = np.nonzero(is_target)
    end = _group_ends(scores)[row, column]
    # Within a group the targets come last: as many places before its end as targets follow.
    seen = np.cumsum(is_target, axis=1)
    shown_end = np.minimum(end, items.shape[1])
    rank = shown_end - (seen[row, shown_end - 1] - seen[row, column])
    return Hits(n_targets, row, rank, end, seen[row, column])


def _contains(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Say of each wanted key whether it is among the sorted ``keys``."""
    if len(keys) == 0:
        return np.zeros(len(wanted), dtype=np.bool_)
    place = np.searchsorted(keys, wanted)
    found: np.ndarray = keys[np.minimum(place, len(keys) - 1)] == wanted
    return found


def _group_ends(scores: np.ndarray) -> np.ndarray:
    """Return the last place, from 1, of every place's group of equal scores, (n, k + 1) int64.

    A group that reaches the last place of the list may go on behind it.
    """
    ends = np.full(scores.shape, _NEVER, dtype=np.int64)
    is_last = scores[:, :-1] != scores[:, 1:]  # true before the NaN of a short list
    np.copyto(ends[:, :-1], np.arange(1, scores.shape[1]), where=is_last)
    return np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]


def recall(hits: Hits, k: int) -> np.ndarray:
    """Return the share of its targets that each query's list contains."""
    return hits.total(k) / hits.n_targets


def precision(hits: Hits, k: int) -> np.ndarray:
    """Return the share of ``k`` places that are targets."""
    return hits.total(k) / k


def hit(hits: Hits, k: int) -> np.ndarray:
    """Return 1 for each query whose list contains a target, else 0."""
    return np.minimum(hits.total(k), 1)


def mrr(hits: Hits, k: int) -> np.ndarray:
    """Return the reciprocal place of each query's best target, 0 without one."""
    return hits.total(k, (hits.order == 1) / hits.rank)


def ndcg(hits: Hits, k: int) -> np.ndarray:
    """Return each list's discounted gain as a share of the best possible one."""
    possible = np.minimum(hits.n_targets, k)
    ideal = np.cumsum(1 / np.log2(np.arange(2, possible.max(initial=1) + 2)))
    return hits.total(k, 1 / np.log2(1 + hits.rank)) / ideal[possible - 1]


def average_precision(hits: Hits, k: int) -> np.ndarray:
    """Return the precision at each query's hits, summed and divided by the most hits possible."""
    return hits.total(k, hits.order / hits.rank) / np.minimum(hits.n_targets, k)


TARGET_METRICS: dict[str, Callable[[Hits, int], np.ndarray]] = {
    "recall": recall,
    "precision": precision,
    "hit": hit,
    "mrr": mrr,
    "ndcg": ndcg,
    "map": average_precision,
}
METRIC_NAMES = (*TARGET_METRICS, "coverage", "novelty")


@dataclass(frozen=True)
class Metric:
    """A metric as its user names it: ``"recall@20"`` is ``Metric("recall", 20)``."""

    name: str
    k: int

    def __str__(self) -> str:
        return f"{self.name}@{self.k}"


def parse_metrics(names: Iterable[str]) -> list[Metric]:
    """Return the metrics that ``names`` name, for example ``["recall@20", "ndcg@10"]``.

    Raises
    ------
    InputError
        No name, an unknown or repeated one, or one without the length of the list.
    """
    if isinstance(names, str):
        raise InputError(f"metrics must be a list of names, got a string; write [{names!r}]")
    metrics: list[Metric] = []
    for name in checks.listed("metrics", names, "a list of names such as 'recall@20'"):
        metric = _parse_metric(name)
        if metric in metrics:
            raise InputError(f"metrics names {metric} twice; name it once")
        metrics.append(metric)
    if not metrics:
        raise InputError('metrics is empty; name at least one, for example ["recall@20"]')
    return metrics


def _parse_metric(text: str) -> Metric:
    if not isinstance(text, str):
        raise InputError(f"a metric is a name such as 'recall@20', got {text!r}")
    name, at, length = text.partition("@")
    if name not in METRIC_NAMES:
        close = checks.closest(name, METRIC_NAMES)
        hint = f"did you mean {close + (at + length or '@20')!r}? " if close else ""
        raise InputError(
            f"unknown metric {text!r}; {hint}expected one of {', '.join(METRIC_NAMES)} "
            "with the length of the list, for example 'recall@20'"
        )
    if not re.fullmatch(r"[1-9][0-9]{0,8}", length):
        raise InputError(
            f"metric {text!r} needs the length of the list, a whole number of at least 1, "
            f"for example '{name}@20'"
        )
    return Metric(name, int(length))
