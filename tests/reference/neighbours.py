"""Item-KNN and V-SKNN as their definitions say, item by item, in float64.

Histories are lists of item numbers, oldest first; ``values`` beside them weigh the items, the
largest one where a history has an item several times.
"""

import numpy as np


def holdings(histories, n_items, values=None):
    """B: what each history holds, (histories, n_items)."""
    holds = np.zeros((len(histories), n_items))
    for row, history in enumerate(histories):
        for place, item in enumerate(history):
            value = 1.0 if values is None else values[row][place]
            holds[row, item] = max(holds[row, item], value)
    return holds


def item_similarity(histories, n_items, shrinkage, values=None):
    """s_ij = n_ij / sqrt((n_i + shrinkage) (n_j + shrinkage)), 0 on the diagonal."""
    holds = holdings(histories, n_items, values)
    similarity = np.zeros((n_items, n_items))
    for i in range(n_items):
        for j in range(n_items):
            together = sum(holds[:, i] * holds[:, j])
            if i != j and together > 0:
                sizes = [sum(holds[:, x] ** 2) + shrinkage for x in (i, j)]
                similarity[i, j] = together / np.sqrt(sizes[0] * sizes[1])
    return similarity


def item_scores(similarity, history, decay, items=None, weights=None):
    """The sum of s over the history, the t-th latest weighted by decay ** (t - 1)."""
    scores = np.zeros(len(similarity))
    for age, (item, weight) in enumerate(
        zip(history[::-1], weighted(history, weights), strict=True)
    ):
        if items is None or age < items:
            scores += weight * decay**age * similarity[item]
    return scores


def weighted(history, weights):
    """The weights of a history's items, latest first."""
    return [1.0] * len(history) if weights is None else list(weights)[::-1]


AGE = {
    "harmonic": lambda age, length: 1 / (1 + age),
    "linear": lambda age, length: 1 - age / length,
    "quadratic": lambda age, length: (1 - age / length) ** 2,
    "log": lambda age, length: 1 / (1 + np.log(1 + age)),
    "uniform": lambda age, length: 1.0,
}


def session_scores(
    sessions,
    history,
    n_items,
    *,
    k,
    sample_size,
    weighting,
    idf_weight,
    distance_decay,
    recency,
    values=None,
    weights=None,
):
    """What the nearest of the sessions, oldest first, vote for."""
    holds = holdings(sessions, n_items, values)
    by_age, given = AGE[weighting], weighted(history, weights)
    latest = {}  # of each item: how many items follow it
    for age, item in enumerate(history[::-1]):
        latest.setdefault(item, age)
    asked = {item: by_age(age, len(history)) for item, age in latest.items()}
    ranked = []
    for number in reversed(range(len(sessions))):
        common = [i for i in latest if given[latest[i]] * holds[number, i] > 0]
        if common and len(ranked) < sample_size:
            similarity = sum(asked[i] * given[latest[i]] * holds[number, i] for i in common)
            if recency is not None:
                similarity *= np.exp(-(len(sessions) - 1 - number) / recency)
            ranked.append((similarity, number, min(common, key=latest.get)))
    scores = np.zeros(n_items)
    for similarity, number, item in sorted(ranked, reverse=True)[:k]:
        session = sessions[number]
        place = {other: at for at, other in enumerate(session)}
        for other in place:
            idf = np.log(len(sessions) / sum(other in each for each in sessions))
            scores[other] += (
                similarity
                * asked[item]
                * holds[number, other]
                * distance_decay ** abs(place[other] - place[item])
                * (1 + idf_weight * idf)
            )
    return scores
