"""What the training rows train on: generated sessions, cut into the same steps for both sides.

Items are as common as words are (rank to the power -1) and half of the events follow from the
one before, so that there is something to learn. Lanes as in session-parallel training: each plays
one session, an event a step, and takes the next session where it ends; or whole sessions, put
together by length so that little padding is computed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ITEMS = 36_000
NEGATIVES = 2_048
NS_EXPONENT = 0.5
MEAN_LENGTH = 8
BUCKETS = 50  # batches whose sessions are sorted by length together


@dataclass(frozen=True)
class Shape:
    """A row's network and steps.

    Attributes
    ----------
    units, rows : int
        Of the GRU and the tied item vectors; lanes or sessions of a step.
    is_whole : bool
        Whole sessions with full back-propagation through time; else lanes, one event a step.
    optimizer : str
        "adagrad" or "adam", for layers and touched rows alike.
    rate : float
        Learning rate.
    steps : int
        Of a turn of the measurement.
    bar : float
        Times PyTorch that the project asks of itself.
    """

    units: int
    rows: int
    is_whole: bool
    optimizer: str
    rate: float
    steps: int
    bar: float


SHAPES = {
    "gru-train-100": Shape(100, 32, False, "adagrad", 0.05, 600, 6.0),
    "gru-train-224": Shape(224, 80, False, "adagrad", 0.05, 150, 4.0),
    "gru-train-512": Shape(512, 240, False, "adagrad", 0.05, 30, 1.1),
    "gru-train-bptt": Shape(256, 128, True, "adam", 0.002, 30, 1.5),
}


@dataclass(frozen=True)
class Work:
    """Rows of all steps, in the layout that the compiled trainer takes.

    Attributes
    ----------
    tokens : int32 (events,)
        All sessions, one after the other.
    starts : int64, lengths : int32, slots : int32, fresh : uint8 (rows,)
        A row hears ``tokens[starts + t]`` and has ``tokens[starts + t + 1]`` as its target,
        t < length; its lane, or -1; whether it begins at zero.
    step_rows : int64 (steps + 1,)
        Where the rows of each step begin; lengths fall within a step.
    counts : int64 (items,)
        How often each item occurs.
    negatives : int64 (steps, NEGATIVES)
        Items that the peer compares with; ours draws its own from the same distribution.
    """

    tokens: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    slots: np.ndarray
    fresh: np.ndarray
    step_rows: np.ndarray
    counts: np.ndarray
    negatives: np.ndarray

    def events(self, first: int, stop: int) -> int:
        """Return how many events the steps [first, stop) train."""
        return int(self.lengths[self.step_rows[first] : self.step_rows[stop]].sum())


def noise_shares(counts: np.ndarray) -> np.ndarray:
    """Return the chance of each item to be drawn as a negative."""
    shares = np.where(counts > 0, counts.astype(float) ** NS_EXPONENT, 0.0)
    return shares / shares.sum()


def log_q_of(counts: np.ndarray) -> np.ndarray:
    """Return the float32 log of how often a step expects to draw each item."""
    return np.log(np.maximum(NEGATIVES * noise_shares(counts), 1e-12)).astype(np.float32)


def generated(events: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return (tokens int32, offsets int64) of sessions of two events and more."""
    random = np.random.default_rng(seed)
    lengths = 1 + random.geometric(1 / (MEAN_LENGTH - 1), events // MEAN_LENGTH + 1)
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    shares = 1 / np.arange(1, ITEMS + 1)
    tokens = random.choice(ITEMS, offsets[-1], p=shares / shares.sum()).astype(np.int32)
    successor = random.permutation(ITEMS).astype(np.int32)
    follows = random.random(len(tokens)) < 0.5
    follows[offsets[:-1]] = False
    for place in np.flatnonzero(follows):
        tokens[place] = successor[tokens[place - 1]]
    return tokens, offsets


def make_work(shape: Shape, steps: int, seed: int = 0) -> Work:
    """Return the rows of ``steps`` steps."""
    mean = shape.rows * (MEAN_LENGTH - 1 if shape.is_whole else 1)
    tokens, offsets = generated(int(1.3 * steps * mean) + 100 * shape.rows * MEAN_LENGTH, seed)
    cut = whole_sessions if shape.is_whole else lanes
    starts, lengths, slots, fresh = cut(offsets, shape.rows, steps, seed)
    counts = np.bincount(tokens, minlength=ITEMS)
    random = np.random.default_rng(seed + 1)
    negatives = random.choice(ITEMS, (steps, NEGATIVES), p=noise_shares(counts))
    return Work(
        tokens,
        starts,
        lengths,
        slots,
        fresh,
        np.arange(0, len(starts) + 1, shape.rows, dtype=np.int64),
        counts,
        negatives,
    )


def lanes(offsets: np.ndarray, count: int, steps: int, seed: int) -> tuple[np.ndarray, ...]:
    """Return (starts, lengths, slots, fresh) of lanes that play one event a step."""
    del seed
    place, last = offsets[:count].copy(), offsets[1 : count + 1] - 1
    following = count
    starts = np.empty((steps, count), np.int64)
    fresh = np.zeros((steps, count), np.uint8)
    fresh[0] = 1
    for step in range(steps):
        starts[step] = place
        place = place + 1
        for lane in np.flatnonzero(place >= last):
            place[lane], last[lane] = offsets[following], offsets[following + 1] - 1
            following += 1
            if step + 1 < steps:
                fresh[step + 1, lane] = 1
    slots = np.tile(np.arange(count, dtype=np.int32), steps)
    return starts.ravel(), np.ones(steps * count, np.int32), slots, fresh.ravel()


def whole_sessions(
    offsets: np.ndarray, count: int, steps: int, seed: int
) -> tuple[np.ndarray, ...]:
    """Return (starts, lengths, slots, fresh) of batches of sessions of like lengths."""
    random = np.random.default_rng(seed)
    lengths = np.diff(offsets) - 1
    shuffled, batches = random.permutation(len(lengths)), []
    for begin in range(0, len(shuffled) - count * BUCKETS + 1, count * BUCKETS):
        part = shuffled[begin : begin + count * BUCKETS]
        part = part[np.argsort(-lengths[part], kind="stable")]
        batches += list(part.reshape(BUCKETS, count))
    chosen = np.concatenate([batches[i] for i in random.permutation(len(batches))[:steps]])
    return (
        offsets[chosen],
        lengths[chosen].astype(np.int32),
        np.full(len(chosen), -1, np.int32),
        np.ones(len(chosen), np.uint8),
    )


def initial_weights(units: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Return the float32 arrays that both sides begin with; gates r, z, n side by side."""
    random = np.random.default_rng(seed)
    spread = units**-0.5

    def uniform(*shape: int) -> np.ndarray:
        return random.uniform(-spread, spread, shape).astype(np.float32)

    return {
        "items": uniform(ITEMS, units),
        "input_weights": uniform(units, 3 * units),
        "state_weights": uniform(units, 3 * units),
        "bias": np.zeros(3 * units, np.float32),
        "state_bias": np.zeros(units, np.float32),
    }
