"""Training a GRU against PyTorch and the bare matrix products; a service's step against reading.

``gru-train-*``: events/s of the same steps on both sides, with the same initial weights, loss
(sampled softmax with logQ over 2,048 shared negatives), optimizer and dot-product scores of tied
vectors, in float32; the mean losses over all timed steps stand beside, and should agree to 1 %.
``floor``: see ``rnn_floor``. A row's ``bar`` is the least ratio that the project asks of itself,
``of_floor`` should reach 0.7. ``gru-train-*-bf16``, where the processor has AVX-512 BF16: the same
steps with products of bfloat16, beside our own with those of float32; ``floor`` is PyTorch's
products of bfloat16.

``rnn-step``: sessions of 256 units over 1,000,000 tracks hear one track and get their exact top
20; a single one against one reading of the item matrix, 1,000 at once against the product of
their states with it, whose scores are neither kept nor ranked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import mean

import numpy as np

from benchmarks.harness import Row, medians, thread_counts
from benchmarks.rnn_work import (
    ITEMS,
    NEGATIVES,
    NS_EXPONENT,
    SHAPES,
    Shape,
    Work,
    initial_weights,
    log_q_of,
    make_work,
)
from fastrec.errors import DeviceError
from fastrec.runtime import isa

ROUNDED = tuple(f"{name}-bf16" for name in SHAPES)
NAMES = (*SHAPES, *ROUNDED, "rnn-step")
ROUNDED_BAR = 1.3
REPEATS = 5
TRACKS, UNITS, K, SESSIONS = 1_000_000, 256, 20, 1_000
STEP_BAR = 1 / 1.3
BLOCK = 20_000  # tracks of a product whose scores lie in the cache's reach


def rows(only: str | None = None) -> Iterator[Row]:
    """Measure the rows of this module, or the one that is named."""
    threads = thread_counts(1, 2)[-1]
    for name in SHAPES:
        if only in (None, name):
            yield training_row(name, threads)
    for name, rounded in zip(SHAPES, ROUNDED, strict=True):
        if only == rounded or (only is None and isa.load("rnn").HAS_BF16):
            yield rounded_row(name, threads)
    if only in (None, "rnn-step"):
        yield from step_rows(threads)


def training_row(name: str, threads: int, repeats: int = REPEATS) -> Row:
    """Train both sides in alternation, each on from where it was."""
    from benchmarks import peers_torch
    from benchmarks.rnn_floor import floor_of

    shape = SHAPES[name]
    work = make_work(shape, (repeats + 1) * shape.steps)
    weights = initial_weights(shape.units)
    way = peers_torch.fastest_way(weights, shape, work, threads)
    peer = peers_torch.Peer(weights, shape, work, way, threads)
    losses: dict[str, list[float]] = {"ours": [], "peer": []}
    with Ours(weights, shape, work, threads) as ours:
        sides = {
            "ours": turns(ours.run, shape, work, losses["ours"]),
            "peer": turns(peer.run, shape, work, losses["peer"]),
            "floor": floor_of(shape, work, threads),
        }
        measured = medians(sides, repeats=repeats)
    return Row(
        name,
        "events/s",
        measured["ours"],
        measured["peer"],
        f"PyTorch ({way})",
        threads,
        {
            "of_floor": measured["ours"] / measured["floor"],
            "bar": shape.bar,
            "loss_ours": mean(losses["ours"]),
            "loss_peer": mean(losses["peer"]),
        },
        floor=measured["floor"],
    )


def rounded_row(name: str, threads: int, repeats: int = REPEATS) -> Row:
    """Train the same steps with products of bfloat16 and of float32 numbers, in alternation."""
    from benchmarks.rnn_floor import floor_of

    if not isa.load("rnn").HAS_BF16:
        raise DeviceError(f"needs AVX-512 BF16, which the level {isa.level()} has not")
    shape = SHAPES[name]
    work = make_work(shape, (repeats + 1) * shape.steps)
    weights = initial_weights(shape.units)
    losses: dict[str, list[float]] = {"bfloat16": [], "float32": []}
    with (
        Ours(weights, shape, work, threads, is_bf16=True) as rounded,
        Ours(weights, shape, work, threads) as whole,
    ):
        sides = {
            "bfloat16": turns(rounded.run, shape, work, losses["bfloat16"]),
            "float32": turns(whole.run, shape, work, losses["float32"]),
            "floor": floor_of(shape, work, threads, is_bf16=True),
        }
        measured = medians(sides, repeats=repeats)
    return Row(
        f"{name}-bf16",
        "events/s",
        measured["bfloat16"],
        measured["float32"],
        "fastrec (float32)",
        threads,
        {
            "of_floor": measured["bfloat16"] / measured["floor"],
            "bar": ROUNDED_BAR,
            "loss_bfloat16": mean(losses["bfloat16"]),
            "loss_float32": mean(losses["float32"]),
        },
        floor=measured["floor"],
    )


def turns(
    run: Callable[[int, int], float], shape: Shape, work: Work, losses: list[float]
) -> Callable[[], float]:
    """Return a side that trains the next steps at each call and returns its events/s."""
    first = 0

    def turn() -> float:
        nonlocal first
        begin = time.perf_counter()
        losses.append(run(first, first + shape.steps))
        seconds = time.perf_counter() - begin
        first += shape.steps
        return work.events(first - shape.steps, first) / seconds

    return turn


class Ours:
    """The compiled trainer on the same weights and steps as the peer.

    Parameters
    ----------
    weights : dict of arrays
        See :func:`benchmarks.rnn_work.initial_weights`.
    shape : Shape
        What is trained.
    work : Work
        Its steps.
    threads : int
        Of the team that trains.
    is_bf16 : bool
        Products of bfloat16 numbers.
    """

    def __init__(
        self,
        weights: dict[str, np.ndarray],
        shape: Shape,
        work: Work,
        threads: int,
        *,
        is_bf16: bool = False,
    ) -> None:
        from fastrec.runtime.arrays import padded_copy, padded_zeros
        from fastrec.runtime.threads import Team
        from fastrec.training.negatives import noise_table

        kernel = isa.load("rnn")
        layout = kernel.dense_layout("gru", 1, shape.units, shape.units, False)
        slots = 2 if shape.optimizer == "adam" else 1
        dense, dense_slots = dense_arrays(layout, weights, shape.units, slots)
        items = padded_copy(weights["items"])
        state = padded_zeros(ITEMS, slots * items.shape[1])
        network = kernel.Network(
            "gru", 1, shape.units, shape.units, False, 0.0, dense, items, items
        )
        most = max(work.events(step, step + 1) for step in range(len(work.step_rows) - 1))
        kind = 2.0 if shape.optimizer == "adam" else 1.0
        optimizer = (kind, shape.rate, 0.0, 0.9, 0.999, 1e-8, 0.0, 1.0, 1.0)
        self.trainer = kernel.Trainer(
            network,
            loss="sampled_softmax",
            negatives=NEGATIVES,
            noise=noise_table(work.counts, NS_EXPONENT),
            log_q=log_q_of(work.counts),
            optimizer=np.array(optimizer, np.float32),
            dense_slots=dense_slots,
            input_slots=state,
            output_slots=state,
            is_bf16=is_bf16,
            max_rows=shape.rows,
            max_events=most,
            threads=threads,
        )
        self.work, self.rate, self.team = work, shape.rate, Team(threads)

    def run(self, first: int, stop: int) -> float:
        """Train the steps [first, stop) and return the mean loss of their events."""
        work, before = self.work, self.trainer.totals
        begin, end = work.step_rows[first], work.step_rows[stop]
        arguments = (
            work.tokens,
            *(array[begin:end] for array in (work.starts, work.lengths, work.slots, work.fresh)),
            work.step_rows[first : stop + 1] - begin,
            *(first, 1, self.rate),
        )
        self.team.run(lambda rank: self.trainer.run(rank, *arguments))
        loss, weight = np.subtract(self.trainer.totals, before)
        return float(loss / weight)

    def __enter__(self) -> Ours:
        return self

    def __exit__(self, *_: object) -> None:
        self.team.close()


def dense_arrays(
    layout: list[tuple[str, int, int, int]], weights: dict[str, np.ndarray], units: int, slots: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the layer's weights as the kernel has them, and zeros for their optimizer."""
    from fastrec.runtime.arrays import FLOATS_PER_LINE, aligned_zeros, stride_of

    _, offset, count, columns = layout[-1]
    size = offset + count * columns
    arrays = aligned_zeros((1 + slots, stride_of(size)))
    for name, offset, count, columns in layout:
        part = arrays[0, offset : offset + count * columns].reshape(count, -1, stride_of(units))
        part[:, :, :units] = weights[name.removeprefix("layer0.")].reshape(count, -1, units)
    assert size % FLOATS_PER_LINE == 0
    return arrays[0], arrays[1:]


def step_rows(threads: int, tracks: int = TRACKS, repeats: int = 11) -> Iterator[Row]:
    """Advance one session and many, and look for their next tracks."""
    from benchmarks.topk_bench import READS_AHEAD, reading

    items = np.random.default_rng(0).standard_normal((tracks, UNITS), dtype=np.float32)
    items *= UNITS**-0.5
    service = Service(items, threads)
    sides = {str(ahead): reading(items, ahead, threads) for ahead in READS_AHEAD}
    sides["ours"] = service.steps(1)
    measured = medians(sides, repeats=repeats)
    ours = measured.pop("ours")
    yield step_row(ours, min(measured.values()), "reading the items once", threads, 1)
    sides = products(items, service.queries(SESSIONS), threads)
    sides["ours"] = service.steps(SESSIONS)
    measured = medians(sides, repeats=3)
    ours = measured.pop("ours")
    yield step_row(ours, min(measured.values()), "the matrix product alone", threads, SESSIONS)


def step_row(ours: float, peer: float, name: str, threads: int, sessions: int) -> Row:
    """Return a row of milliseconds."""
    extra = {"sessions": sessions, "bar": STEP_BAR}
    return Row("rnn-step", "ms", 1e3 * ours, 1e3 * peer, name, threads, extra)


class Service:
    """A GRU of random weights and the index of its items."""

    def __init__(self, items: np.ndarray, threads: int) -> None:
        from fastrec.runtime.arrays import aligned_empty
        from fastrec.search import TopKIndex

        kernel = isa.load("rnn")
        layout = kernel.dense_layout("gru", 1, UNITS, UNITS, False)
        weights = initial_weights(UNITS)
        dense, _ = dense_arrays(layout, weights, UNITS, 1)
        self.net = kernel.Network("gru", 1, UNITS, UNITS, False, 0.0, dense, items, items)
        self.index, self.threads = TopKIndex(items, threads=threads), threads
        self.scratch = [aligned_empty((self.net.scratch_floats(32),)) for _ in range(threads)]
        self.heard = np.random.default_rng(1).integers(0, len(items), SESSIONS).astype(np.int32)

    def queries(self, sessions: int) -> np.ndarray:
        """Let as many sessions hear a track and return what they look for."""
        from fastrec.runtime.arrays import padded_zeros
        from fastrec.runtime.threads import run_ranges

        states, out = (padded_zeros(sessions, UNITS) for _ in range(2))
        grain = -(-sessions // self.threads)

        def advance(start: int, stop: int) -> None:
            scratch = self.scratch[start // grain]
            self.net.advance(states, self.heard[:sessions], start, stop, scratch)
            self.net.queries(states, out, start, stop)

        run_ranges(advance, sessions, grain, self.threads)
        return out

    def steps(self, sessions: int) -> Callable[[], None]:
        """Return one step of as many sessions: each hears a track and gets its top 20."""

        def step() -> None:
            self.index.search(self.queries(sessions), K)

        return step


def products(items: np.ndarray, queries: np.ndarray, threads: int) -> dict[str, Callable[[], None]]:
    """Return the product of queries and items by NumPy and by PyTorch, block by block."""
    import torch
    from threadpoolctl import threadpool_limits

    blocks = [items[start : start + BLOCK] for start in range(0, len(items), BLOCK)]
    out = np.empty((len(queries), BLOCK), np.float32)

    def by_numpy() -> None:
        with threadpool_limits(limits=threads, user_api="blas"):
            for block in blocks:
                np.matmul(queries, block.T, out=out[:, : len(block)])

    def by_torch() -> None:
        torch.set_num_threads(threads)
        left, target = torch.from_numpy(queries), torch.from_numpy(out)
        for block in blocks:
            torch.mm(left, torch.from_numpy(block).T, out=target[:, : len(block)])

    return {"NumPy": by_numpy, "PyTorch": by_torch}
