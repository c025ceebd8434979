"""Lookups in 100,000 x 128 float32, 256 bags of 50 ids, against PyTorch's sparse embeddings.

``lookup-bag`` sums the bags; its peers are ``EmbeddingBag`` and, in the column
``gather_us``, a plain gather of the same rows written out by our own kernel.
``lookup-bag-bf16`` is the same from rows of bfloat16, ours with sums in float32;
``float32_us`` is our ``lookup-bag`` in the same run.
``lookup-update`` (Adam) and ``lookup-update-adagrad`` take the gradient of the bags
back to the rows and update each touched row once; the peers' backward pass and step
are timed, without their forward pass. ``share`` is the memory traffic of the rows and
their optimizer's state, read and written, over what a read of a gigabyte reaches in the
same run.

A row's ``bar`` is the least ratio that the project asks of itself, ``share_bar`` the
least share.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.harness import Row, medians, thread_counts

SUMS = ("lookup-bag", "lookup-bag-bf16")
UPDATES = ("lookup-update", "lookup-update-adagrad")
NAMES = (*SUMS, *UPDATES)
ROWS, DIM, BAGS, LENGTH = 100_000, 128, 256, 50
READ_ROWS = 2_000_000
STEPS = 40  # steps of one measurement, each with ids of its own
SHARE_BAR = 0.6
PEERS = {
    "lookup-bag": ("torch EmbeddingBag", 1.2),
    "lookup-bag-bf16": ("torch EmbeddingBag, bfloat16", 1.2),
    "lookup-update": ("torch SparseAdam", 3.0),
    "lookup-update-adagrad": ("torch Adagrad, sparse", 3.0),
}


def rows(only: str | None = None) -> Iterator[Row]:
    """Measure the rows of this module, or the one that is named."""
    threads = thread_counts(1, 2)[-1]
    for name in SUMS:
        if only in (None, name):
            yield bag_row(name, threads)
    for name in UPDATES:
        if only in (None, name):
            yield update_row(name, threads)


def draw() -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Return a matrix, the int32 ids of each step and the offsets of their bags."""
    from fastrec.runtime.arrays import padded_copy

    random = np.random.default_rng(0)
    # On cache lines, as either side's own layers keep their rows.
    matrix = padded_copy(random.standard_normal((ROWS, DIM), dtype=np.float32))
    ids = [random.integers(0, ROWS, BAGS * LENGTH).astype(np.int32) for _ in range(STEPS)]
    return matrix, ids, np.arange(BAGS + 1) * LENGTH


def gradients() -> np.ndarray:
    """Return a gradient for each bag."""
    return np.random.default_rng(1).standard_normal((BAGS, DIM), dtype=np.float32)


def middle(step: Callable[[int], float | None]) -> float:
    """Return the median seconds of STEPS calls; a step may return what it measured itself."""
    seconds = []
    for number in range(STEPS):
        start = time.perf_counter()
        own = step(number)
        seconds.append(time.perf_counter() - start if own is None else own)
    return float(np.median(seconds))


def bag_row(name: str, threads: int, repeats: int = 7) -> Row:
    """Compare the sums of bags, of float32 rows or of bfloat16 ones."""
    from fastrec.nn import BFloat16Rows, bag, gather

    is_bf16 = name == "lookup-bag-bf16"
    matrix, ids, offsets = draw()
    rows = BFloat16Rows(matrix, threads=threads) if is_bf16 else matrix
    sides = {
        "ours": lambda: middle(lambda i: untold(bag(rows, ids[i], offsets, threads=threads))),
        "gather": lambda: middle(lambda i: untold(gather(rows, ids[i], threads=threads))),
        "peer": peer_bag(matrix, ids, offsets, threads, is_bf16=is_bf16),
    }
    if is_bf16:
        sides["float32"] = lambda: middle(
            lambda i: untold(bag(matrix, ids[i], offsets, threads=threads))
        )
    measured = medians(sides, repeats=repeats)
    label, bar = PEERS[name]
    times = 1e6 * measured.pop("ours"), 1e6 * measured.pop("peer")
    extra = {"bar": bar} | {f"{side}_us": 1e6 * seconds for side, seconds in measured.items()}
    return Row(name, "us", *times, label, threads, extra)


def untold(_: Any) -> None:
    """Forget a result, so that the call is timed."""


def peer_bag(
    matrix: np.ndarray,
    ids: list[np.ndarray],
    offsets: np.ndarray,
    threads: int,
    *,
    is_bf16: bool = False,
) -> Callable[[], float]:
    """Return the sums of bags by PyTorch, without gradients."""
    import torch

    torch.set_num_threads(threads)
    weights = torch.from_numpy(matrix)
    weights = weights.bfloat16() if is_bf16 else weights
    layer = torch.nn.EmbeddingBag.from_pretrained(weights, mode="sum")
    chosen = [torch.from_numpy(own) for own in ids]
    begins = torch.from_numpy(offsets[:-1].astype(np.int32))

    def measure() -> float:
        with torch.no_grad():
            return middle(lambda i: untold(layer(chosen[i], begins)))

    return measure


def update_row(name: str, threads: int, repeats: int = 3) -> Row:
    """Compare an update of the rows of all bags; torch takes tens of milliseconds a step."""
    from fastrec.nn import Adagrad, Adam, Lookup

    optimizer = Adam(rate=0.001) if name == "lookup-update" else Adagrad(rate=0.01)
    matrix, ids, offsets = draw()
    table, gradient = Lookup(matrix, optimizer, threads=threads), gradients()
    values = np.ones(READ_ROWS * DIM, np.float32)
    sides = {
        "ours": lambda: middle(lambda i: table.update_bags(ids[i], offsets, gradient)),
        "read": lambda: reading(values, threads),
        "peer": peer_update(name, matrix, ids, offsets, gradient, threads),
    }
    measured = medians(sides, repeats=repeats)
    touched = np.median([len(np.unique(own)) for own in ids])
    rate = 2 * 4 * touched * (DIM + table.state.shape[1]) / measured["ours"]
    read = values.nbytes / measured["read"]
    label, bar = PEERS[name]
    extra = {"bar": bar, "gb_s": 1e-9 * rate, "read_gb_s": 1e-9 * read}
    extra |= {"share": rate / read, "share_bar": SHARE_BAR}
    times = 1e6 * measured["ours"], 1e6 * measured["peer"]
    return Row(name, "us", *times, label, threads, extra)


def reading(values: np.ndarray, threads: int) -> float:
    """Return the seconds that the fastest of a few reads of every byte takes."""
    from benchmarks.harness import seconds_of
    from benchmarks.topk_bench import READS_AHEAD
    from benchmarks.topk_bench import reading as read

    return min(seconds_of(read(values, ahead, threads)) for ahead in READS_AHEAD for _ in range(3))


def peer_update(
    name: str,
    matrix: np.ndarray,
    ids: list[np.ndarray],
    offsets: np.ndarray,
    gradient: np.ndarray,
    threads: int,
) -> Callable[[], float]:
    """Return the backward pass and the step of PyTorch on sparse gradients, in seconds a step."""
    import torch

    torch.set_num_threads(threads)
    layer = torch.nn.EmbeddingBag.from_pretrained(
        torch.from_numpy(matrix.copy()), freeze=False, mode="sum", sparse=True
    )
    if name == "lookup-update":
        optimizer = torch.optim.SparseAdam(layer.parameters(), lr=0.001)
    else:
        optimizer = torch.optim.Adagrad(layer.parameters(), lr=0.01)
    chosen = [torch.from_numpy(own.astype(np.int64)) for own in ids]
    begins, slope = torch.from_numpy(offsets[:-1]), torch.from_numpy(gradient)

    def step(number: int) -> float:
        optimizer.zero_grad()
        found = layer(chosen[number], begins)
        start = time.perf_counter()
        found.backward(slope)
        optimizer.step()
        return time.perf_counter() - start

    return lambda: middle(step)
