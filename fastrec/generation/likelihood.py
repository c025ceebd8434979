"""How likely a net finds given playlists: teacher forcing under the softmax over all tracks."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrec.data import Ragged
from fastrec.generation.network import Listeners, Network, rows_of
from fastrec.search import TopKIndex

QUERIES_AT_ONCE = 4096


def log_probabilities(
    network: Network, index: TopKIndex, playlists: Ragged, features: Any, threads: int | None
) -> Ragged:
    """Return the log of the probability of every track but the first, given those before it.

    Parameters
    ----------
    network : Network
    index : TopKIndex
        Over all tracks.
    playlists : Ragged of int32
    features : named tuple of ndarray, or None
        One row a playlist.
    threads : int or None

    Returns
    -------
    Ragged of float64
        Rows are one shorter than those of ``playlists``; empty where these are.
    """
    order = np.argsort(-playlists.lengths, kind="stable")
    lengths = playlists.lengths[order]
    begins = playlists.offsets[:-1][order]
    steps = np.maximum(playlists.lengths - 1, 0)
    found = Ragged.from_lengths(np.full(int(steps.sum()), np.nan), steps)
    places = found.offsets[:-1][order]
    pending = _Pending(index, found.values, threads)
    states = network.zero_states(len(order))
    features = rows_of(features, order)
    for step in range(int(lengths.max(initial=0)) - 1):
        active = int(np.searchsorted(-lengths, -(step + 1)))  # those that have a track after this
        part = slice(0, active)
        rows = playlists.values[begins[part] + step].astype(np.int32)
        listeners = Listeners(network, states[part], rows_of(features, np.arange(active)), threads)
        listeners.hear(rows)
        targets = playlists.values[begins[part] + step + 1]
        pending.add(listeners.queries(), targets, places[part] + step)
    pending.settle()
    return found


class _Pending:
    """Queries and the tracks that came, collected until they are worth a search."""

    def __init__(self, index: TopKIndex, out: np.ndarray, threads: int | None) -> None:
        self.index, self.out, self.threads = index, out, threads
        self.parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.count = 0

    def add(self, queries: np.ndarray, targets: np.ndarray, places: np.ndarray) -> None:
        """Take queries, the tracks that came, and where their log-probabilities go."""
        for start in range(0, len(queries), QUERIES_AT_ONCE):
            part = slice(start, start + QUERIES_AT_ONCE)
            self.parts.append((queries[part], targets[part], places[part]))
            self.count += len(queries[part])
            if self.count >= QUERIES_AT_ONCE:
                self.settle()

    def settle(self) -> None:
        """Write what is pending."""
        if self.count:
            queries, targets, places = map(np.concatenate, zip(*self.parts, strict=True))
            sums = self.index.logsumexp(queries, threads=self.threads)
            self.out[places] = self.index.scores_of(queries, targets) - sums
        self.parts, self.count = [], 0
