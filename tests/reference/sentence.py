"""Sentence vectors in float64, one text after the other, written from the formulas.

Arora, Liang, Ma, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings"
(2017), algorithm 1, for "sif"; scikit-learn's smoothed idf for "tfidf".
"""

import math
from collections import Counter

import numpy as np


def word_weights(texts, weighting, smoothing):
    """The weight of a word as a function of the word; texts are lists of words."""
    counts = Counter(word for text in texts for word in text)
    documents = Counter(word for text in texts for word in set(text))
    total = sum(counts.values())
    if weighting == "sif":
        return lambda word: smoothing / (smoothing + counts[word] / total)
    if weighting == "tfidf":
        return lambda word: math.log((1 + len(texts)) / (1 + documents[word])) + 1
    return lambda word: 1.0


def plain_vectors(texts, vectors, weighting, weight):
    """The vectors before components are taken out; ``vectors`` is a dict of word to vector."""
    dim = len(next(iter(vectors.values())))
    rows = np.zeros((len(texts), dim))
    for row, text in zip(rows, texts, strict=True):
        known = [word for word in text if word in vectors]
        if not known:
            continue
        row += sum(weight(word) * vectors[word].astype(np.float64) for word in known)
        if weighting == "tfidf":
            row /= sum(weight(word) for word in known)
        elif weighting != "sum":
            row /= len(known)
    return rows


def sentence_vectors(texts, asked, vectors, weighting, smoothing=1e-3, components=0):
    """Fit on ``texts``, embed ``asked``; return the vectors and the components taken out."""
    weight = word_weights(texts, weighting, smoothing)
    rows = plain_vectors(asked, vectors, weighting, weight)
    fitted = plain_vectors(texts, vectors, weighting, weight)
    directions = np.linalg.svd(fitted, full_matrices=False)[2][:components]
    return rows - rows @ directions.T @ directions, directions
