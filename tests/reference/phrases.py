"""Phrases in plain Python and float64, one pair of words after the other, from the formulas.

Mikolov et al., "Distributed Representations of Words and Phrases and their Compositionality"
(2013), equation 6, times the words of the text, for "word2vec"; Bouma, "Normalized (Pointwise)
Mutual Information in Collocation Extraction" (2009) for "npmi".
"""

import math
from collections import Counter
from itertools import pairwise

MOST_BETWEEN = 4


def neighbours(words, connectors):
    """Yield (place, place) of words beside each other, or with connectors between."""
    places = [place for place, word in enumerate(words) if word not in connectors]
    for left, right in pairwise(places):
        if right - left - 1 <= MOST_BETWEEN:
            yield left, right


def phrase_scores(documents, scoring, min_count, discount=None, connectors=()):
    """Return the count and the score of every pair, as a dict of words to two numbers."""
    words = Counter(word for document in documents for word in document)
    total = sum(words.values())
    pairs = Counter(
        tuple(document[left : right + 1])
        for document in documents
        for left, right in neighbours(document, connectors)
    )
    found = {}
    for pair, count in pairs.items():
        if count < min_count:
            continue
        left, right = words[pair[0]], words[pair[-1]]
        if scoring == "npmi":
            together = count / total
            score = math.log(together / (left / total * right / total)) / -math.log(together)
        else:
            score = (count - (min_count if discount is None else discount)) / (left * right) * total
        found[pair] = count, score
    return found


def joined(document, phrases, connectors=(), separator="_"):
    """Return a document in which the first of overlapping phrases is one word."""
    result, begin, free = [], 0, 0
    for left, right in neighbours(document, connectors):
        if left >= free and tuple(document[left : right + 1]) in phrases:
            result += [*document[begin:left], separator.join(document[left : right + 1])]
            begin = free = right + 1
    return result + document[begin:]
