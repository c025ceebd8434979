"""The sessions most like the one at hand, and what they went on with."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrec.data import Interactions, Queries, Ragged, as_interactions
from fastrec.data.ragged import offsets_of, ranges
from fastrec.errors import InputError
from fastrec.models.history_weights import ages, totals, values
from fastrec.models.neighbours import DistinctItems, NeighbourRecommender, Scorer
from fastrec.runtime import checks

ARRAYS = (
    *("item_offsets", "item_sessions", "item_places", "item_values"),
    *("session_offsets", "session_items", "session_places", "session_values"),
)
WEIGHTINGS = ("harmonic", "linear", "quadratic", "log", "uniform")


class SessionKNN(NeighbourRecommender):
    """Recommend what the nearest of the recent sessions hold: V-SKNN.

    Jannach and Ludewig (RecSys 2017), with the weights of Ludewig and Jannach, "Evaluation of
    session-based recommendation algorithms" (2018). Of the sessions that share an item with
    the history, the ``sample_size`` latest are compared with it, and the ``k`` most similar,
    N, vote:

        sim(h, s) = f(s) sum_{i in h and s} w_i v_si
        score(j) = sum_{s in N} sim(h, s) w_l(s) v_sj d(j, l(s)) (1 + idf_weight ln(S / S_j))

    ``w_i`` is the weight of item i by its age in the history, l(s) the latest item of the
    history that s has, S the number of sessions and S_j of those with item j. From Garg et
    al., "Sequence and Time Aware Neighborhood for Session-based Recommendations" (2019),
    come two optional factors: ``d = distance_decay ** |place of j - place of l(s)|`` in the
    session s, and ``f(s) = exp(-(sessions since s) / recency)``.

    Parameters
    ----------
    k : int
        Sessions that vote.
    sample_size : int
        Latest sessions that are compared.
    weighting : {"harmonic", "linear", "quadratic", "log", "uniform"}
        ``w_i`` of an item that a of n items follow: ``1 / (1 + a)``, ``1 - a / n``, the square
        of that, ``1 / (1 + ln(1 + a))``, or 1. Of an item that occurs again the last time
        counts.
    idf_weight : float
        How much rare items gain; 0 leaves them alone.
    distance_decay : float
        What an item of a neighbour loses with each step from the latest common item, in
        (0, 1]; 1 is V-SKNN.
    recency : float or None
        Number of sessions after which one counts 1 / e as much; None is V-SKNN.

    Notes
    -----
    Sessions are the histories of the log; later ones are those whose last event is later, or,
    in a log without times, those that stand behind in it. ``value`` of the log is v (the
    largest one where a session has an item several times), 1 without it; weights of a history
    multiply w_i. Fitting sorts the log and costs O(n log n); memory is 24 bytes an event. A
    query costs a pass over the catalogue, ``sample_size`` times its items and ``k`` times
    the items of a session. Items that no neighbour has have a score of 0 and come last, the
    most frequent first. Recommending is compiled by Numba at the first call. ``partial_fit``
    adds sessions, which count as later than those before. The loss of the one epoch is the
    share of events that were alone in their session. Deterministic for any number of threads;
    ``rank`` and ``recommend`` may be called from several threads.

    Examples
    --------
    >>> import fastrec as fr
    >>> log = [["So What", "Naima"], ["Paranoid", "Ace of Spades"], ["Naima", "Take Five"]]
    >>> model = fr.SessionKNN(k=10).fit(log)
    >>> model.recommend([["So What", "Naima"]], k=1).items.tolist()
    [['Take Five']]
    """

    _tables: tuple[np.ndarray, ...] | None = None
    _session_offsets: np.ndarray
    _session_items: np.ndarray
    _session_places: np.ndarray
    _session_values: np.ndarray
    _item_offsets: np.ndarray
    _item_sessions: np.ndarray
    _item_places: np.ndarray
    _item_values: np.ndarray

    def __init__(
        self,
        *,
        k: int = 200,
        sample_size: int = 1000,
        weighting: str = "harmonic",
        idf_weight: float = 1.0,
        distance_decay: float = 1.0,
        recency: float | None = None,
    ) -> None:
        self.k = k
        self.sample_size = sample_size
        self.weighting = weighting
        self.idf_weight = idf_weight
        self.distance_decay = distance_decay
        self.recency = recency

    def _is_fitted(self) -> bool:
        return hasattr(self, "_item_offsets")

    def _check_params(self) -> None:
        checks.whole_number("k", self.k, maximum=2**31 - 1)
        checks.whole_number("sample_size", self.sample_size, maximum=2**31 - 1)
        checks.one_of("weighting", self.weighting, WEIGHTINGS)
        checks.real_number("idf_weight", self.idf_weight, 0, 1e6)
        if checks.real_number("distance_decay", self.distance_decay, 0, 1) == 0:
            raise InputError("distance_decay must be above 0, got 0; at 1 distance does not count")
        if self.recency is not None and checks.real_number("recency", self.recency, 0) == 0:
            raise InputError("recency must be above 0 sessions, got 0; None is no decay at all")

    def memory(self, data: Any) -> dict[str, int]:
        """Estimate the memory of ``fit`` on a log, in bytes, before fitting.

        Parameters
        ----------
        data : Interactions, or what ``fit`` takes

        Returns
        -------
        dict of str to int
            ``parameters`` (sessions by item and items by session), ``log``, ``work`` and
            ``total``.
        """
        self._check_params()
        log = as_interactions(data)
        parts = {
            "parameters": 24 * len(log) + 8 * log.n_histories + 16 * log.n_items,
            "log": log.nbytes,
            "work": 48 * len(log),  # keys, their order, and columns in it
        }
        return parts | {"total": sum(parts.values())}

    def _clear(self) -> None:
        self._session_offsets = np.zeros(1, np.int64)
        self._session_items = np.empty(0, np.int32)
        self._session_places = np.empty(0, np.int32)
        self._session_values = np.empty(0, np.float32)
        self._turn()

    def _widen(self) -> None:
        new = len(self.item_ids) + 1 - len(self._item_offsets)
        self._item_offsets = np.pad(self._item_offsets, (0, new), mode="edge")

    def _count(self, log: Interactions, histories: DistinctItems) -> None:
        order = np.arange(log.n_histories)
        if log.time is not None:
            order = np.argsort(log.time[log.history_offsets[1:] - 1], kind="stable")
        starts, lengths = histories.offsets[:-1][order], np.diff(histories.offsets)[order]
        rows = ranges(starts, lengths)
        ends = self._session_offsets[-1] + np.cumsum(lengths)
        self._session_offsets = np.concatenate((self._session_offsets, ends))
        self._session_items = np.concatenate((self._session_items, histories.items[rows]))
        self._session_places = np.concatenate((self._session_places, histories.places[rows]))
        self._session_values = np.concatenate((self._session_values, histories.values[rows]))
        self._turn()

    def _turn(self) -> None:
        """Write down, for each item, the sessions that have it, oldest first."""
        items = self._session_items
        order = np.argsort(items, kind="stable")
        sessions = np.repeat(
            np.arange(len(self._session_offsets) - 1, dtype=np.int32),
            np.diff(self._session_offsets),
        )
        self._item_offsets = offsets_of(np.bincount(items, minlength=len(self.item_ids)))
        self._item_sessions = sessions[order]
        self._item_places = self._session_places[order]
        self._item_values = self._session_values[order]

    def _weights_of_age(self, age: np.ndarray, length: np.ndarray) -> np.ndarray:
        """Return w of items that ``age`` of ``length`` items of their history follow, float64."""
        if self.weighting == "harmonic":
            return 1 / (1 + age)
        if self.weighting == "log":
            return 1 / (1 + np.log1p(age))
        if self.weighting == "uniform":
            return np.ones(len(age))
        linear = 1 - age / length
        return linear**2 if self.weighting == "quadratic" else linear

    def _history_weights(self, queries: Queries) -> tuple[np.ndarray, np.ndarray]:
        self._check_params()
        histories = queries.histories
        weights = self._weights_of_age(ages(queries), histories.lengths[histories.row_numbers])
        value = values(queries)
        if value is not None:
            weights = weights * value
        return weights, totals(queries, weights)

    def _scorer(self, queries: Queries, weights: np.ndarray) -> Scorer:
        from fastrec.kernels import session_knn as kernel

        histories = queries.histories
        offsets = histories.offsets - histories.offsets[0]
        match_weights = self._weights_of_age(
            ages(queries), histories.lengths[histories.row_numbers]
        )
        weights = np.where(_is_last(histories, len(self.item_ids)), weights, 0.0)
        n_sessions = len(self._session_offsets) - 1
        longest = int(histories.lengths.max(initial=0))
        room = min(n_sessions, self.sample_size * longest)
        inputs = [
            _read_only(array)
            for array in (
                *(offsets, histories.flat, weights, match_weights),
                *(self._item_offsets, self._item_sessions, self._item_places, self._item_values),
                *(self._session_offsets, self._session_items),
                *(self._session_places, self._session_values),
                *self._weight_tables(),
            )
        ]
        free: list[tuple[np.ndarray, ...]] = []  # a thread takes one and puts it back

        def score(start: int, stop: int, scores: np.ndarray) -> None:
            scratch = free.pop() if free else _scratch(n_sessions, room)
            kernel.score(*inputs, self.sample_size, self.k, *scratch, scores, start, stop)
            free.append(scratch)

        return score

    def _weight_tables(self) -> tuple[np.ndarray, ...]:
        """Return f by session, the weights of items, and d by distance: float64."""
        tables = self._tables
        if tables is None:
            n_sessions = len(self._session_offsets) - 1
            age = np.arange(n_sessions - 1, -1, -1, dtype=np.float64)
            of_session = (
                np.ones(n_sessions) if self.recency is None else np.exp(-age / self.recency)
            )
            holders = np.maximum(np.diff(self._item_offsets), 1)
            of_item = 1 + self.idf_weight * np.log(max(n_sessions, 1) / holders)
            steps = np.arange(int(self._session_places.max(initial=0)) + 1)
            of_distance = np.power(self.distance_decay, steps, dtype=np.float64)
            # Two threads may make them at once; both get tables and one of them is kept.
            tables = self._tables = (of_session, of_item, of_distance)
        return tables

    def _forget_answers(self) -> None:
        self._tables = None

    def _parameters(self) -> dict[str, np.ndarray]:
        return {name: getattr(self, f"_{name}") for name in ARRAYS}

    def _restore(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        super()._restore(arrays, state)
        for name in ARRAYS:
            setattr(self, f"_{name}", arrays[name])
        events = len(self._session_items)
        if any(len(arrays[name]) != events for name in ARRAYS if not name.endswith("offsets")):
            raise ValueError(f"columns of other lengths than {events}")
        if not self._session_offsets[-1] == self._item_offsets[-1] == events:
            raise ValueError(f"offsets that do not end at {events}")
        if len(self._item_offsets) != len(self.item_ids) + 1:
            raise ValueError(f"sessions of {len(self._item_offsets) - 1} items")


def _is_last(histories: Ragged, n_items: int) -> np.ndarray:
    """Return which items of the histories do not occur again in theirs, bool."""
    keys = (histories.row_numbers * n_items + histories.flat)[::-1]
    is_last = np.zeros(len(keys), dtype=bool)
    is_last[len(keys) - 1 - np.unique(keys, return_index=True)[1]] = True
    return is_last


def _read_only(array: np.ndarray) -> np.ndarray:
    """Return a view that cannot be written to: kernels are compiled for one sort of array only."""
    view = array.view()
    view.flags.writeable = False
    return view


def _scratch(n_sessions: int, room: int) -> tuple[np.ndarray, ...]:
    """Return what a thread writes into; pages that no query touches take no memory."""
    return (
        np.zeros(n_sessions, np.float64),
        np.empty(n_sessions, np.float64),
        np.empty(n_sessions, np.int32),
        np.empty(max(room, 1), np.int32),
    )
