"""Playlists from a recurrent net, beside the products that they cannot do without.

``generate``: 1,000 playlists of 30 tracks from a GRU of 256 units over 60,416 tracks,
greedy, without repeats, at most 1 track of an artist in a row and 3 in all, with
log-probabilities. The peer multiplies 30 times 1,000 x 256 by 256 x 60,416 in NumPy and
keeps nothing. The ``bar`` is the least ratio that the project asks of itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.harness import Row, medians, thread_counts

NAMES = ("generate",)
PLAYLISTS, LENGTH, UNITS, TRACKS, ARTIST_TRACKS = 1_000, 30, 256, 60_416, 12
BAR = 1 / 1.35


def rows(only: str | None = None) -> Iterator[Row]:
    """Measure the row of this module."""
    threads = thread_counts(1, 2)[-1]
    yield generate_row(threads)


def untrained(tracks: int, units: int, threads: int) -> Any:
    """Return a model with random weights: a step's work does not depend on what they are."""
    import fastrec as fr

    once = np.random.default_rng(0).permutation(tracks).reshape(-1, 8).tolist()
    model = fr.PlaylistRNN(units=units, epochs=1, batch_size=512, negatives=64, threads=threads)
    return model.fit(once)


def generate_row(threads: int, repeats: int = 3) -> Row:
    """Compare playlists with the products alone."""
    from threadpoolctl import threadpool_limits

    model = untrained(TRACKS, UNITS, threads)
    artist = np.arange(TRACKS) // ARTIST_TRACKS
    starts = np.random.default_rng(1).integers(0, TRACKS, (PLAYLISTS, 2)).tolist()
    queries = np.random.default_rng(2).standard_normal((PLAYLISTS, UNITS), dtype=np.float32)
    vectors = np.ascontiguousarray(model.item_vectors.matrix)

    def ours() -> None:
        found = model.generate(
            starts,
            LENGTH,
            groups=(np.arange(TRACKS), artist),
            max_in_row=1,
            max_per_group=3,
            threads=threads,
        )
        if int(found.counts.min()) < LENGTH:
            raise RuntimeError("a playlist met a dead end, which is less work")

    def products() -> None:
        with threadpool_limits(limits=threads, user_api="blas"):
            for _ in range(LENGTH):
                queries @ vectors.T

    measured = medians({"ours": ours, "products": products}, repeats=repeats)
    return Row(
        "generate",
        "s",
        measured["ours"],
        measured["products"],
        f"NumPy, {LENGTH} products",
        threads,
        {"bar": BAR},
    )
