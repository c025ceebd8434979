"""Small nets whose probabilities are known by construction, and models that have them."""

from dataclasses import asdict, dataclass

import numpy as np

from fastrec.data import IdMap
from fastrec.models.generates import GeneratesPlaylists
from fastrec.models.vector_model import VectorRecommender
from fastrec.search import TopKIndex


@dataclass
class Architecture:
    """As much of one as sessions ask for."""

    cell: str
    units: int

    def to_dict(self):
        return asdict(self)


class TrackByTrack:
    """A net that hears histories by advancing."""

    def encode(self, histories, features=None, threads=None):
        states = self.zero_states(len(histories))
        for row, history in enumerate(histories):
            for track in history:
                self.advance(states[row : row + 1], np.array([track], np.int32))
        return states


class MarkovNetwork(TrackByTrack):
    """The next track depends on the last one: the query is a row of log-probabilities.

    Its state is the code of the last track, plus one; the index over it is the identity.
    """

    bias = None

    def __init__(self, chances):
        self.chances = np.asarray(chances, np.float64)
        self.logs = np.log(self.chances).astype(np.float32)
        self.architecture = Architecture("markov", len(self.logs))

    def arrays(self):
        return {"logs": self.logs}

    def zero_states(self, n):
        return np.zeros((n, 1), np.float32)

    def advance(self, states, rows, features=None, threads=None):
        assert rows.dtype == np.int32
        states[rows >= 0, 0] = rows[rows >= 0] + 1

    def queries(self, states, threads=None):
        last = states[:, 0].astype(np.int64) - 1
        return np.where(last[:, None] >= 0, self.logs[last], 0).astype(np.float32)

    def output_vectors(self):
        return np.eye(len(self.logs), dtype=np.float32)


class TanhNetwork(TrackByTrack):
    """A plain recurrent net in float64, with biases; the state is h."""

    def __init__(self, items, units, seed=0):
        random = np.random.default_rng(seed)
        self.vectors = random.standard_normal((items, units)).astype(np.float32)
        self.weights = random.standard_normal((units, units)) / np.sqrt(units)
        self.bias = random.standard_normal(items).astype(np.float32)
        self.architecture = Architecture("tanh", units)

    def arrays(self):
        return {"vectors": self.vectors, "weights": self.weights, "bias": self.bias}

    def zero_states(self, n):
        return np.zeros((n, len(self.weights)), np.float32)

    def advance(self, states, rows, features=None, threads=None):
        heard = rows >= 0
        states[heard] = np.tanh(self.vectors[rows[heard]] + states[heard] @ self.weights)

    def queries(self, states, threads=None):
        return states.copy()

    def output_vectors(self):
        return self.vectors


class FakeModel(GeneratesPlaylists, VectorRecommender):
    """A recommender around one of these; ids are codes times ten, or strings."""

    def __init__(self, network, ids=None, loss="softmax", counts=None):
        self._network, self._features = network, None
        count = len(network.output_vectors())
        self.item_ids = IdMap.from_ids(np.arange(count) * 10 if ids is None else ids)[0]
        self.item_counts = np.ones(count, np.int64) if counts is None else counts
        self.loss = loss

    def _is_fitted(self):
        return self._network is not None

    def _build_index(self):
        return TopKIndex(self._network.output_vectors(), bias=self._network.bias, threads=2)


def softmax_logs(network, history):
    """Return the log-probability of every track after ``history`` (codes), in float64."""
    states = network.zero_states(1)
    for track in history:
        network.advance(states, np.array([track], np.int32))
    scores = np.float64(network.queries(states))[0] @ np.float64(network.output_vectors()).T
    if network.bias is not None:
        scores = scores + np.float64(network.bias)
    return scores - (scores.max() + np.log(np.exp(scores - scores.max()).sum()))
