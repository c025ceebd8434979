"""How a log becomes training steps: whole sessions of like length, or lanes that run side by side.

A *step* is one update of the parameters. Its *rows* are pieces of sessions that
begin together, the longest first; a row reads events and predicts the one after
each. A session that is longer than a row continues in a later step, from the state
that its *slot* has kept. A *block* is some steps, about a tenth of a second's work,
for one call of compiled code. Plans depend on the log, the parameters and the
seed alone.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fastrec.data import Interactions, Ragged
from fastrec.data.ragged import offsets_of, ranges

# Batches whose sessions are sorted by length together. Were rows padded, 5 % more of nowplaying and
# 17 % more of diginetica would be computed; without sorting 4 and 5.6 times as much. Rows are not
# padded, but like lengths keep the products of a time step wide.
BATCHES_A_CHUNK = 50
PRODUCTS_A_BLOCK = 1 << 31  # about a tenth of a second on two cores


@dataclass(frozen=True)
class Limits:
    """What steps and blocks may hold.

    Attributes
    ----------
    batch_size : int
        Sessions or lanes of a step.
    truncation : int
        Events of a row.
    events_a_step, events_a_block : int
        Events of a step, so that its memory is bounded, and of a block, so that control
        comes back soon. A row of one event and a block of one step are always allowed.
    """

    batch_size: int
    truncation: int
    events_a_step: int
    events_a_block: int

    @property
    def row_events(self) -> int:
        """The most events of a row."""
        return max(1, min(self.truncation, self.events_a_step))

    @property
    def lane_events(self) -> int:
        """The most events of a row where every lane has one in each step."""
        return max(1, min(self.truncation, self.events_a_step // self.batch_size))


@dataclass(frozen=True)
class Block:
    """Steps in one piece; ``step_rows[s]:step_rows[s + 1]`` are the rows of step s.

    Attributes
    ----------
    session : int64 ndarray, shape (rows,)
        Whose events a row reads.
    begin : int64 ndarray, shape (rows,)
        Where in the session the row begins.
    length : int32 ndarray, shape (rows,)
        Events that it reads; descending within a step.
    slot : int32 ndarray, shape (rows,)
        Where its state is kept, or -1: a session that is not cut needs none.
    fresh : bool ndarray, shape (rows,)
        Whether it begins its session, with a state of zeros.
    step_rows : int64 ndarray, shape (steps + 1,)
    first_step : int
        Steps of the epoch before this block.
    """

    session: np.ndarray
    begin: np.ndarray
    length: np.ndarray
    slot: np.ndarray
    fresh: np.ndarray
    step_rows: np.ndarray
    first_step: int

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return len(self.step_rows) - 1

    @property
    def events(self) -> int:
        """Events that are predicted."""
        return int(self.length.sum(dtype=np.int64))


@dataclass(frozen=True)
class Sessions:
    """The sessions of a log as a model sees them: only the items that it knows.

    Attributes
    ----------
    log : Interactions
    row_of_code : int32 ndarray
        The model's row of each item code of the log, -1 for none.
    offsets : int64 ndarray, shape (sessions + 1,)
        Session s has the known events ``offsets[s]:offsets[s + 1]``.
    places : int ndarray, shape (known events,), or None
        Where in the log each known event is; None where all are known.
    """

    log: Interactions
    row_of_code: np.ndarray
    offsets: np.ndarray
    places: np.ndarray | None

    @classmethod
    def of(cls, log: Interactions, row_of_code: np.ndarray) -> Sessions:
        """Take the histories of a log. Where items are unknown, costs 4 or 8 bytes an event."""
        is_known = row_of_code >= 0
        if is_known[:-1].all():
            return cls(log, row_of_code, log.history_offsets, None)
        places = np.flatnonzero(is_known[log.item])
        if len(log) < 2**31:
            places = places.astype(np.int32)
        return cls(log, row_of_code, np.searchsorted(places, log.history_offsets), places)

    @property
    def targets(self) -> np.ndarray:
        """How many events of each session are predicted, int64; -1 where none is known."""
        return np.diff(self.offsets) - 1

    @property
    def last_moments(self) -> np.ndarray:
        """When the last event of each session was; without times, its place in the log."""
        last = np.maximum(self.log.history_offsets[1:] - 1, 0)
        return last if self.log.time is None else self.log.time[last]

    def places_of(self, block: Block) -> Ragged:
        """Return the places in the log of each row's events, and of the one after the last."""
        lengths = block.length.astype(np.int64) + 1
        known = ranges(self.offsets[block.session] + block.begin, lengths)
        places = known if self.places is None else self.places[known]
        return Ragged(places, offsets_of(lengths))

    def items_at(self, places: np.ndarray) -> np.ndarray:
        """Return the model's rows of the items at some places of the log, int32."""
        return self.row_of_code[self.log.item[places]].astype(np.int32, copy=False)


def sequence(
    targets: np.ndarray, random: np.random.Generator, moments: np.ndarray | None = None
) -> np.ndarray:
    """Return the sessions that have something to predict, by ``moments`` or in random order."""
    used = np.flatnonzero(targets > 0)
    if moments is None:
        return random.permutation(used)
    return used[np.argsort(moments[used], kind="stable")]


# Whole sessions


def session_blocks(
    targets: np.ndarray,
    limits: Limits,
    random: np.random.Generator,
    moments: np.ndarray | None = None,
) -> Iterator[Block]:
    """Yield blocks of steps that hold whole sessions of like length, in random order.

    Sessions are shuffled, sorted by length within chunks, and cut into batches, which
    are shuffled again: all of them, or with ``moments`` those of a chunk. A batch with
    sessions longer than a row is several steps, one right after the other, in which less
    and less of its sessions are left.

    Parameters
    ----------
    targets : int64 ndarray, shape (sessions,)
        Events to predict; sessions without any are passed over.
    limits : Limits
    random : Generator
        Memory is 8 bytes a session and 8 bytes a batch.
    moments : ndarray, shape (sessions,), or None
        Take sessions in this order instead of a random one.
    """
    order = sequence(targets, random, moments)
    chunk = limits.batch_size * BATCHES_A_CHUNK
    for start in range(0, len(order), chunk):
        part = order[start : start + chunk]
        order[start : start + chunk] = part[np.argsort(targets[part], kind="stable")]
    bounds = _batch_bounds(np.minimum(targets[order], limits.row_events), limits)
    steps = _Gathering(limits.events_a_block)
    batches = len(bounds) - 1
    near = batches if moments is None else BATCHES_A_CHUNK
    spans = range(0, batches, max(1, near))
    mixed = (start + random.permutation(min(near, batches - start)) for start in spans)
    for batch in itertools.chain.from_iterable(mixed):
        sessions = order[bounds[batch] : bounds[batch + 1]][::-1]
        lengths = targets[sessions]
        sessions = sessions[np.argsort(-lengths, kind="stable")]
        for step in _steps_of(sessions, targets[sessions], limits.row_events):
            yield from steps.add(*step)
    yield from steps.rest()


def _batch_bounds(lengths: np.ndarray, limits: Limits) -> np.ndarray:
    """Return where batches begin, and the end: at most so many sessions and so many events."""
    ends = np.cumsum(lengths, dtype=np.int64)
    bounds = [0]
    for start in range(0, len(lengths), limits.batch_size):
        stop = min(start + limits.batch_size, len(lengths))
        while start < stop:
            before = ends[start - 1] if start else 0
            fits = int(np.searchsorted(ends, before + limits.events_a_step, "right"))
            start = min(max(fits, start + 1), stop)
            bounds.append(start)
    return np.array(bounds, np.int64)


def _steps_of(
    sessions: np.ndarray, lengths: np.ndarray, row_events: int
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield the steps of a batch, whose longest session is first: the columns of its rows."""
    slots = np.where(lengths > row_events, np.arange(len(sessions)), -1).astype(np.int32)
    for begin in range(0, int(lengths[0]), row_events):
        left = int(np.searchsorted(-lengths, -begin, "left"))  # of which more than begin is left
        yield (
            sessions[:left],
            np.full(left, begin, np.int64),
            np.minimum(lengths[:left] - begin, row_events).astype(np.int32),
            slots[:left],
            np.full(left, begin == 0),
        )


class _Gathering:
    """Puts steps together until they are a block."""

    def __init__(self, events_a_block: int) -> None:
        self._enough = events_a_block
        self._steps: list[tuple[np.ndarray, ...]] = []
        self._events, self._before = 0, 0

    def add(self, *step: np.ndarray) -> Iterator[Block]:
        """Take a step's rows; yield a block where it is full."""
        self._steps.append(step)
        self._events += int(step[2].sum(dtype=np.int64))
        if self._events >= self._enough:
            yield from self.rest()

    def rest(self) -> Iterator[Block]:
        """Yield what there is."""
        if not self._steps:
            return
        session, begin, length, slot, fresh = map(np.concatenate, zip(*self._steps, strict=True))
        step_rows = offsets_of(np.array([len(step[0]) for step in self._steps]))
        yield Block(session, begin, length, slot, fresh, step_rows, self._before)
        self._before += len(self._steps)
        self._steps, self._events = [], 0


# Lanes


def lane_blocks(
    targets: np.ndarray,
    limits: Limits,
    random: np.random.Generator,
    moments: np.ndarray | None = None,
) -> Iterator[Block]:
    """Yield blocks of steps in which every lane goes on with its session by one row.

    A lane whose session has ended takes the next one of the sequence of sessions in the
    following step, as in the session-parallel batches of Hidasi, Karatzoglou, Baltrunas,
    Tikk, "Session-based Recommendations with Recurrent Neural Networks" (2016). Takes
    what :func:`session_blocks` does.
    """
    order = sequence(targets, random, moments)
    row_events = limits.lane_events
    steps = -(-targets[order] // row_events)
    mean = float(np.minimum(targets[order], row_events).mean()) if len(order) else 1.0
    a_block = max(1, int(limits.events_a_block / (limits.batch_size * mean)))
    lanes = _Lanes(order, steps, limits.batch_size)
    first = 0
    while True:
        session, lane, start, count = lanes.until(first, first + a_block)
        if len(session) == 0:
            return
        # One row for each step of a session that falls into the block.
        begin = np.maximum(start, first)
        rows = np.minimum(start + count, first + a_block) - begin
        step = ranges(begin, rows)
        session, lane, start = (np.repeat(each, rows) for each in (session, lane, start))
        at = (step - start) * row_events
        length = np.minimum(targets[session] - at, row_events)
        by = np.lexsort((lane, -length, step))
        step_rows = np.searchsorted(step[by], np.arange(first, step.max() + 2))
        yield Block(
            session[by],
            at[by],
            length[by].astype(np.int32),
            lane[by].astype(np.int32),
            at[by] == 0,
            step_rows.astype(np.int64),
            first,
        )
        first += a_block


class _Lanes:
    """Which session each lane reads when: a lane takes the next one as soon as it is free."""

    def __init__(self, order: np.ndarray, steps: np.ndarray, lanes: int) -> None:
        self._order, self._steps = order, steps
        self._free = [(0, lane) for lane in range(min(lanes, len(order)))]  # a heap: (step, lane)
        self._next = 0
        self._running = np.empty((0, 4), np.int64)

    def until(self, first: int, stop: int) -> tuple[np.ndarray, ...]:
        """Return session, lane, first step and steps of what is read from ``first`` to ``stop``."""
        fresh = []
        most = self._next + len(self._free) * (stop - first)  # a session takes a step or more
        for session, steps in zip(
            self._order[self._next : most].tolist(),
            self._steps[self._next : most].tolist(),
            strict=True,
        ):
            start, lane = self._free[0]
            if start >= stop:
                break
            heapq.heapreplace(self._free, (start + steps, lane))
            fresh.append((session, lane, start, steps))
        self._next += len(fresh)
        new = np.array(fresh, np.int64).reshape(-1, 4)
        running = np.concatenate([self._running, new])
        self._running = running[running[:, 2] + running[:, 3] > stop]
        return tuple(np.ascontiguousarray(running.T))
