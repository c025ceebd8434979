"""The skip-gram family in float64, written from the papers: skip-gram, CBOW, paragraph vectors.

Draws are the same functions of key and place as in the compiled kernel, so that
both train on the same pairs: Mikolov et al., "Distributed Representations of
Words and Phrases and their Compositionality" (2013), equation 4; noise shared by
the windows of ``group`` neighbouring centers as in Ji et al. (2016); hierarchical
softmax: Mikolov et al., equation 3; paragraph vectors: Le and Mikolov, "Distributed
Representations of Sentences and Documents" (2014).

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
    noise: np.ndarray | None
    tree: tuple | None = None
    documents: np.ndarray | None = None
    documents_only: bool = False
    frozen: bool = False
    concatenated: bool = False
    keep: np.ndarray | None = None
    values: np.ndarray | None = None
    window: int = 5
    dynamic_window: bool = True
    past_only: bool = False
    cbow: bool = False
    negatives: int = 5
    group: int = 1
    apart: bool = False
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


def sampling_slope(score, weight):
    """Loss of a block of seen (weight > 0) and noise pairs, and minus its slope in the scores."""
    z = np.where(weight < 0, -score, score)
    return float((np.abs(weight) * softplus(-z)).sum()), weight * sigmoid(-z)


def softmax_slope(score, weight, target):
    """Loss of a softmax over the columns whose rows should all choose ``target``."""
    shifted = score - score.max(axis=1, keepdims=True)
    log_share = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    chosen = np.zeros(score.shape)
    chosen[:, target] = 1
    return float(-(weight * log_share[:, target]).sum()), weight[:, None] * (
        chosen - np.exp(log_share)
    )


def train_block(xs, ys, weight, rate, *, change=None, target=None, frozen=False):
    """Update the rows of a block in place and return its loss.

    ``xs`` and ``ys`` are rows (views). weight[r, t] is +w for a seen pair, -w for a
    noise pair, 0 for none; with a ``target`` column, weight[r] is that of a row in a
    softmax. Tiles of output rows are updated one after the other, rows in order, so
    that a row that stands twice receives both updates. With ``change`` the inputs stay
    as they are and their steps are added to it; frozen outputs stay as they are.
    """
    score = np.array([[x @ y for y in ys] for x in xs])
    slope_of = sampling_slope if target is None else lambda z, w: softmax_slope(z, w, target)
    loss, slope = slope_of(score, weight)
    move(xs, ys, rate * slope, change=change, frozen=frozen)
    return loss


def move(xs, ys, slope, *, change=None, frozen=False):
    """Move the rows of a block in place by rate * slope, tile by tile; see ``train_block``."""
    for first in range(0, len(ys), TILE):
        tile = range(first, min(first + TILE, len(ys)))
        old = {t: ys[t].copy() for t in tile}
        step = {t: np.zeros(len(ys[0])) for t in tile}
        for r, x in enumerate(xs):
            row = x.copy()
            for t in tile:
                step[t] += slope[r, t] * row
            total = sum(slope[r, t] * old[t] for t in tile)
            if change is None:
                x[:] = row + total
            else:
                change[r] += total
        for t in tile:
            if not frozen:
                ys[t] += step[t]


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
    for sequence, places in enumerate(kept_tokens(setup)):
        rows = [int(setup.rows[setup.tokens[place]]) for place in places]
        document = None if setup.documents is None else setup.documents[sequence]
        centers = [i for i, place in enumerate(places) if start <= place < stop]
        size = max(setup.group, 1)
        for first in range(0, len(centers), size):
            walk = Walk(setup, places, rows, document, centers[first : first + size])
            done = (places[centers[first]] - start) / (stop - start)
            got = walk.train(rate_from + (rate_to - rate_from) * done)
            loss, weight = loss + got[0], weight + got[1]
    return loss, weight


@dataclass
class Walk:
    """A group of centers of one sequence, whose kept tokens stand at ``places``."""

    setup: Setup
    places: list
    rows: list
    document: np.ndarray | None
    group: list

    def train(self, rate):
        """Train the group; return loss and weight of the pairs."""
        if self.setup.apart:
            return self.train_apart(rate)
        if self.setup.cbow:
            return self.train_cbow(rate)
        return self.train_skipgram(rate) if self.setup.group else self.train_pairs(rate)

    def value(self, center):
        values = self.setup.values
        return 1.0 if values is None else float(values[self.places[center]])

    def window(self, center):
        if self.setup.documents_only:
            return center, center
        return window_of(self.setup, self.places[center], center, len(self.rows))

    def noise_stream(self, center=None):
        center = self.group[0] if center is None else center
        key, place = self.setup.keys[2], self.places[center]
        return Stream(mix64(((key ^ place) + GOLDEN) & MASK))

    def draw(self, stream):
        return [draw_noise(self.setup.noise, stream) for _ in range(self.setup.negatives)]

    def block(self, xs, seen, noise, rate, change=None):
        """Train rows that were seen with the centers by the weights seen[r][j]."""
        setup, item = self.setup, self.rows[self.group[0]]
        if setup.tree is not None:
            paths, nodes, branches = setup.tree
            path = slice(paths[item], paths[item + 1])
            ys = [setup.output[node] for node in nodes[path]]
            weight, target = seen * branches[path], None
        elif setup.noise is None:
            ys, weight, target = list(setup.output), seen[:, 0], item
        else:
            ys, target = [setup.output[self.rows[c]] for c in self.group], None
            ys += [setup.output[one] for one in noise]
            hit = np.array([[one == self.rows[c] for one in noise] for c in self.group])
            weight = np.hstack((seen, -seen @ ~hit.reshape(len(self.group), len(noise))))
        loss = 0.0
        if ys:
            options = {"change": change, "target": target, "frozen": setup.frozen}
            loss = train_block(xs, ys, weight, rate, **options)
        return loss, float(seen.sum())

    def contexts(self):
        """The rows of the group's windows with their weights, the document last."""
        windows = {c: self.window(c) for c in self.group}
        low = min([self.group[0], *(w[0] for w in windows.values())])
        high = max([self.group[0], *(w[1] for w in windows.values())])
        found = []
        for position in range(low, high):
            is_pair = [
                windows[c][0] <= position < windows[c][1] and position != c for c in self.group
            ]
            seen = [self.value(c) * pair for c, pair in zip(self.group, is_pair, strict=True)]
            found.append((self.setup.input[self.rows[position]], seen))
        if self.document is not None:
            found.append((self.document, [self.value(c) for c in self.group]))
        return found

    def train_skipgram(self, rate):
        noise = self.draw(self.noise_stream()) if self.setup.noise is not None else []
        contexts, total = self.contexts(), np.zeros(2)
        for begin in range(0, len(contexts), BLOCK_ROWS):
            part = [pair for pair in contexts[begin : begin + BLOCK_ROWS] if any(pair[1])]
            if part:
                xs, seen = zip(*part, strict=True)
                total += self.block(xs, np.array(seen, dtype=float), noise, rate)
        return total

    def train_pairs(self, rate):
        stream, total = self.noise_stream(), np.zeros(2)
        for x, seen in self.contexts():
            if any(seen):
                total += self.block([x], np.array([seen], dtype=float), self.draw(stream), rate)
        return total

    def sources(self, center):
        """The rows that a center's hidden row is made of, by their slot."""
        low, high = self.window(center)
        reach = self.setup.window
        found = [] if self.document is None else [(0, self.document)]
        for i in range(low, high):
            if i != center:
                slot = 1 + reach + i - center - (i > center)
                found.append((slot, self.setup.input[self.rows[i]]))
        return found

    def train_cbow(self, rate):
        noise = self.draw(self.noise_stream()) if self.setup.noise is not None else []
        sources, hidden, values = self.hidden_rows()
        error = np.zeros(hidden.shape)
        result = self.block(list(hidden), np.diag(values), noise, rate, change=error)
        self.spread(sources, error)
        return result

    def hidden_rows(self):
        """The sources of each center, their mean or all of them side by side, and its weight."""
        setup, dim = self.setup, self.setup.input.shape[1]
        sources = [self.sources(c) for c in self.group]
        width = 1 + 2 * setup.window if setup.concatenated else 1
        hidden = np.zeros((len(sources), width, dim))
        for j, rows in enumerate(sources):
            for slot, row in rows:
                if setup.concatenated:
                    hidden[j, slot] = row
                else:
                    hidden[j, 0] += row / len(rows)
        values = [self.value(c) * bool(rows) for c, rows in zip(self.group, sources, strict=True)]
        return sources, hidden.reshape(len(sources), -1), values

    def spread(self, sources, error):
        """Add the errors of hidden rows to their sources."""
        dim = self.setup.input.shape[1]
        for j, rows in enumerate(sources):
            steps = error[j].reshape(-1, dim)
            for slot, row in rows:
                if row is self.document or not self.setup.frozen:
                    row += steps[slot if self.setup.concatenated else 0]

    def train_apart(self, rate):
        """Each center with noise of its own; all scores are taken before any row changes."""
        setup = self.setup
        if setup.documents_only:
            xs, change = [self.document for _ in self.group], None
            values = [self.value(c) for c in self.group]
        else:
            sources, hidden, values = self.hidden_rows()
            xs, change = list(hidden), np.zeros(hidden.shape)
        blocks = []
        for x, center, value in zip(xs, self.group, values, strict=True):
            items = [self.rows[center], *self.draw(self.noise_stream(center))]
            weight = np.array([[value] + [-value * (one != items[0]) for one in items[1:]]])
            ys = [setup.output[item] for item in items]
            blocks.append((ys, *sampling_slope(np.array([[x @ y for y in ys]]), weight)))
        for j, (ys, _, slope) in enumerate(blocks):
            part = None if change is None else change[j : j + 1]
            move([xs[j]], ys, rate * slope, change=part, frozen=setup.frozen)
        if change is not None:
            self.spread(sources, change)
        return sum(loss for _, loss, _ in blocks), float(sum(values))
