"""The ranking metrics in float64, as plain loops over the scores of all items.

Written from the definitions in the docstring of ``fastrec.evaluation.metrics``,
without ever making a ranked list: a place is a count of better and of equal scores.
"""

import math


def hit_places(scores, targets, excluded, k):
    """Return the places within the first ``k`` of a query's targets, best first.

    ``scores`` has one number for each item; ``targets`` and ``excluded`` are sets
    of items. Equal scores count against the targets.
    """
    candidates = [item for item in range(len(scores)) if item not in excluded]
    places = []
    for score in {scores[item] for item in candidates}:
        better = sum(1 for item in candidates if scores[item] > score)
        equal = [item for item in candidates if scores[item] == score]
        wanted = sum(1 for item in equal if item in targets)
        if better + len(equal) > k:
            continue
        last = better + len(equal)
        places += range(last - wanted + 1, last + 1)
    return sorted(places)


def recall(places, n_targets, k):
    return len(places) / n_targets


def precision(places, n_targets, k):
    return len(places) / k


def hit(places, n_targets, k):
    return 1.0 if places else 0.0


def mrr(places, n_targets, k):
    return 1 / places[0] if places else 0.0


def ndcg(places, n_targets, k):
    gain = sum(1 / math.log2(1 + place) for place in places)
    ideal = sum(1 / math.log2(1 + place) for place in range(1, min(k, n_targets) + 1))
    return gain / ideal


def average_precision(places, n_targets, k):
    total = 0.0
    for place in places:
        total += sum(1 for other in places if other <= place) / place
    return total / min(k, n_targets)


TARGET_METRICS = {
    "recall": recall,
    "precision": precision,
    "hit": hit,
    "mrr": mrr,
    "ndcg": ndcg,
    "map": average_precision,
}


def novelty(recommended, item_counts):
    """Return the mean surprise in bits of a list of items; None for an empty list."""
    if not recommended:
        return None
    counts = [max(1, count) for count in item_counts]
    return sum(-math.log2(counts[i] / sum(counts)) for i in recommended) / len(recommended)


def coverage(lists, n_items):
    return len({item for recommended in lists for item in recommended}) / n_items


def mean_and_interval(values):
    """Return the mean and the ends of its normal 95 % interval (two values or more)."""
    n = len(values)
    mean = sum(values) / n
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
    margin = 1.959963984540054 * deviation / math.sqrt(n)
    return mean, mean - margin, mean + margin
