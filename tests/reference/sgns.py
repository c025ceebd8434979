"""Skip-gram and CBOW with negative sampling in float64, written from the papers.

Draws are the same functions of key and place as in the compiled kernel, so that
both train on the same pairs: Mikolov et al., "Distributed Representations of
Words and Phrases and their Compositionality" (2013), equation 4; noise shared by
the windows of ``group`` neighbouring centers as in Ji et al. (2016).

A block is a set of input rows and output rows whose scores are all taken before
any of them changes; see ``train_block``.
"""

from dataclasses import dataclass

import numpy as np

from fastrec.runtime.random import GOLDEN, mix64

MASK = 0xFFFFFFFFFFFFFFFF
TILE = 6  # output rows whose update is applied before that of the next ones
BLOCK_ROWS = 16  # input rows of a block


@dataclass
class Setup:
    """What is trained and how; the names are those of the compiled ``Trainer``."""

    tokens: np.ndarray
    rows: np.ndarray
    offsets: np.ndarray
    input: np.ndarray
    output: np.ndarray
    noise: np.ndarray
    keep: np.ndarray | None = None
    values: np.ndarray | None = None
    window: int = 5
    dynamic_window: bool = True
    past_only: bool = False
    cbow: bool = False
    negatives: int = 5
    group: int = 1
    keys: tuple[int, int, int] = (1, 2, 3)


def draw_at(key, place):
    """Number ``place`` of a stream."""
    return mix64((key + (place + 1) * GOLDEN) & MASK)


class Stream:
    """The numbers of a stream, one after the other."""

    def __init__(self, key):
        self.state = key

    def __next__(self):
        self.state = (self.state + GOLDEN) & MASK
        return mix64(self.state)


def draw_noise(table, stream):
    draw = next(stream)
    slot = ((draw >> 32) * len(table)) >> 32
    entry = int(table[slot])
    return slot if (draw & 0xFFFFFFFF) <= (entry & 0xFFFFFFFF) else entry >> 32


def softplus(x):
    return np.logaddexp(0, x)


def sigmoid(x):
    return 0.5 * (1 + np.tanh(x / 2))


def train_block(x_rows, y_rows, inputs, outputs, weight, rate, change=None):
    """Update a block in place and return its loss.

    weight[r, t] is +w for a seen pair, -w for a noise pair, 0 for none. Tiles of
    output rows are updated one after the other, rows in order, so that a row that
    stands twice receives both updates. With ``change`` the inputs stay as they are
    and their steps are added to it.
    """
    score = np.array([[inputs[x] @ outputs[y] for y in y_rows] for x in x_rows])
    z = np.where(weight < 0, -score, score)
    loss = float((np.abs(weight) * softplus(-z)).sum())
    slope = rate * weight * sigmoid(-z)
    for first in range(0, len(y_rows), TILE):
        tile = range(first, min(first + TILE, len(y_rows)))
        old = {t: outputs[y_rows[t]].copy() for t in tile}
        step = {t: np.zeros(inputs.shape[1]) for t in tile}
        for r, x in enumerate(x_rows):
            row = inputs[x].copy()
            for t in tile:
                step[t] += slope[r, t] * row
            total = sum(slope[r, t] * old[t] for t in tile)
            if change is None:
                inputs[x] = row + total
            else:
                change[r] += total
        for t in tile:
            outputs[y_rows[t]] += step[t]
    return loss


def kept_tokens(setup):
    """Places of the tokens that are in the catalogue and pass sub-sampling, per sequence."""
    kept = []
    for begin, end in zip(setup.offsets[:-1], setup.offsets[1:], strict=True):
        places = []
        for place in range(begin, end):
            row = setup.rows[setup.tokens[place]]
            if row < 0:
                continue
            draw = draw_at(setup.keys[0], place) >> 32
            if setup.keep is None or draw <= int(setup.keep[row]):
                places.append(place)
        kept.append(places)
    return kept


def window_of(setup, place, index, length):
    """Bounds of the contexts of the center at ``index`` of its kept sequence."""
    reach = setup.window or length
    if setup.window and setup.dynamic_window:
        reach = 1 + (((draw_at(setup.keys[1], place) >> 32) * setup.window) >> 32)
    low, high = max(0, index - reach), min(length, index + reach + 1)
    return (low, index) if setup.past_only else (low, high)


def train(setup, start, stop, rate_from, rate_to):
    """Train on the centers among the tokens [start, stop); return loss and weight of the pairs."""
    loss = weight = 0.0
    for places in kept_tokens(setup):
        rows = [int(setup.rows[setup.tokens[place]]) for place in places]
        centers = [i for i, place in enumerate(places) if start <= place < stop]
        size = max(setup.group, 1)
        for first in range(0, len(centers), size):
            group = centers[first : first + size]
            rate = rate_from + (rate_to - rate_from) * (places[group[0]] - start) / (stop - start)
            trainer = train_cbow if setup.cbow else train_skipgram if setup.group else train_pairs
            got = trainer(setup, places, rows, group, rate)
            loss, weight = loss + got[0], weight + got[1]
    return loss, weight


def value_of(setup, place):
    return 1.0 if setup.values is None else float(setup.values[place])


def noise_stream(setup, place):
    key = setup.keys[2]
    return Stream(mix64(((key ^ place) + GOLDEN) & MASK))


def train_skipgram(setup, places, rows, group, rate):
    windows = {c: window_of(setup, places[c], c, len(rows)) for c in group}
    stream = noise_stream(setup, places[group[0]])
    noise = [draw_noise(setup.noise, stream) for _ in range(setup.negatives)]
    targets = [rows[c] for c in group] + noise
    low = min([group[0], *(w[0] for w in windows.values())])
    high = max([group[0], *(w[1] for w in windows.values())])
    loss = total = 0.0
    for begin in range(low, high, BLOCK_ROWS):
        positions = range(begin, min(begin + BLOCK_ROWS, high))
        weight = np.zeros((len(positions), len(targets)))
        for r, position in enumerate(positions):
            for j, c in enumerate(group):
                if windows[c][0] <= position < windows[c][1] and position != c:
                    value = value_of(setup, places[c])
                    weight[r, j] = value
                    total += value
                    for k, item in enumerate(noise):
                        if item != rows[c]:
                            weight[r, len(group) + k] -= value
        inputs = [rows[position] for position in positions]
        loss += train_block(inputs, targets, setup.input, setup.output, weight, rate)
    return loss, total


def train_pairs(setup, places, rows, group, rate):
    (center,) = group
    low, high = window_of(setup, places[center], center, len(rows))
    stream = noise_stream(setup, places[center])
    value = value_of(setup, places[center])
    loss = total = 0.0
    for position in range(low, high):
        if position == center:
            continue
        noise = [draw_noise(setup.noise, stream) for _ in range(setup.negatives)]
        weight = [[value, *(0.0 if item == rows[center] else -value for item in noise)]]
        targets = [rows[center], *noise]
        loss += train_block(
            [rows[position]], targets, setup.input, setup.output, np.array(weight), rate
        )
        total += value
    return loss, total


def train_cbow(setup, places, rows, group, rate):
    stream = noise_stream(setup, places[group[0]])
    noise = [draw_noise(setup.noise, stream) for _ in range(setup.negatives)]
    targets = [rows[c] for c in group] + noise
    contexts = []
    for c in group:
        low, high = window_of(setup, places[c], c, len(rows))
        contexts.append([rows[i] for i in range(low, high) if i != c])
    dim = setup.input.shape[1]
    hidden = np.array(
        [setup.input[items].mean(axis=0) if items else np.zeros(dim) for items in contexts]
    )
    weight = np.zeros((len(group), len(targets)))
    for j, c in enumerate(group):
        value = value_of(setup, places[c]) if contexts[j] else 0.0
        weight[j, j] = value
        weight[j, len(group) :] = [0.0 if item == rows[c] else -value for item in noise]
    error = np.zeros((len(group), dim))
    loss = train_block(range(len(group)), targets, hidden, setup.output, weight, rate, change=error)
    for j, items in enumerate(contexts):
        for item in items:
            setup.input[item] += error[j]
    return loss, float(weight[weight > 0].sum())
