"""The judge of held-out pairs agrees with its formula, pair by pair."""

import math

import numpy as np
import pytest

from benchmarks.words import HeldOut, held_out_loss


def log_sigmoid(z):
    return -math.log1p(math.exp(-z))


@pytest.fixture
def example():
    generator = np.random.default_rng(3)
    inputs, outputs = generator.standard_normal((2, 6, 4)).astype(np.float32)
    contexts = np.array([[1, -1, 2], [3, 4, -1], [-1, -1, -1]])
    negatives = generator.integers(6, size=(3, 3, 2))
    return inputs, outputs, HeldOut(np.array([0, 5, 2]), contexts, negatives)


def test_skipgram_pairs_each_context_word_with_the_center(example):
    inputs, outputs, held_out = example
    losses = []
    for center, contexts, negatives in zip(
        held_out.centers, held_out.contexts, held_out.negatives, strict=True
    ):
        for word, noise in zip(contexts, negatives, strict=True):
            if word >= 0:
                x = inputs[word].astype(float)
                loss = -log_sigmoid(x @ outputs[center])
                losses.append(loss - sum(log_sigmoid(-x @ outputs[n]) for n in noise))
    assert held_out_loss(inputs, outputs, held_out, "skipgram") == pytest.approx(np.mean(losses))


def test_cbow_pairs_the_mean_of_the_context_words_with_the_center(example):
    inputs, outputs, held_out = example
    losses = []
    for center, contexts, negatives in zip(
        held_out.centers, held_out.contexts, held_out.negatives, strict=True
    ):
        if (contexts >= 0).any():
            x = inputs[contexts[contexts >= 0]].astype(float).mean(axis=0)
            loss = -log_sigmoid(x @ outputs[center])
            losses.append(loss - sum(log_sigmoid(-x @ outputs[n]) for n in negatives[0]))
    assert held_out_loss(inputs, outputs, held_out, "cbow") == pytest.approx(np.mean(losses))
