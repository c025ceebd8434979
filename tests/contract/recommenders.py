"""The recommenders that the contract suite runs on, and the log of known structure it uses."""

import numpy as np

import fastrec as fr

MODELS = {
    "popularity": lambda **params: fr.Popularity(**params),
    "item2vec": lambda **params: fr.Item2Vec(
        **{"dim": 16, "epochs": 12, "learning_rate": 0.05, "threads": 1, **params}
    ),
    "item-knn": lambda **params: fr.ItemKNN(**params),
    "session-knn": lambda **params: fr.SessionKNN(**params),
    "playlist-rnn": lambda **params: fr.PlaylistRNN(
        **{"units": 16, "epochs": 6, "batch_size": 16, "negatives": 20, **params}
    ),
    "two nets": lambda **params: fr.PlaylistRNN(
        **{"units": 17, "members": 2, "epochs": 6, "batch_size": 16, "negatives": 20, **params}
    ),
}
"""A factory per model, quick to fit on :func:`islands`."""


def islands(histories=240, size=12, length=6, seed=3):
    """Histories that stay on one of two islands: items below ``size``, and items from it on.

    Low numbers of each island are the more popular ones; item 0 is the most popular of all.
    """
    random = np.random.default_rng(seed)
    share = 1.0 / np.arange(1, size + 1)
    share /= share.sum()
    rows = []
    for number in range(histories):
        first = 0 if number % 5 < 3 else size
        rows.append((first + random.choice(size, length, replace=False, p=share)).tolist())
    return rows
