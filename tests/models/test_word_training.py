"""Whole fits and inferences against the float64 reference, and what each loss converges to."""

import numpy as np
import pytest

import fastrec as fr
from fastrec.models.catalogue import Tokens
from fastrec.models.skipgram import SCORED_AT_ONCE
from fastrec.runtime.arrays import stride_of
from fastrec.runtime.random import stream_key
from fastrec.training.huffman import huffman_tree
from fastrec.training.negatives import keep_thresholds, noise_table
from tests.reference import sgns as reference

DIM = 11
SMALL = {"dim": DIM, "window": 3, "epochs": 3, "negatives": 4, "learning_rate": 0.1}
SMALL |= {"min_count": 2, "subsample": 0.05, "seed": 5, "threads": 1}


def texts(seed=0, lengths=(9, 40, 1, 0, 70, 25), words=15):
    """Documents of fewer words than a piece of training has, so that one call trains them all."""
    random = np.random.default_rng(seed)
    return [
        [f"w{number}" for number in (words * random.random(length) ** 2).astype(int)]
        for length in lengths
    ]


CORPUS = fr.Corpus.from_tokens(texts())


def unpadded(matrix):
    """Rows without the zeros that fill each run of columns up, float64."""
    runs = matrix.reshape(len(matrix), -1, stride_of(DIM))[:, :, :DIM]
    return runs.reshape(len(matrix), -1).astype(float)


def setup_of(model, corpus, inputs, outputs, **options):
    """What the reference has to train to do what the model does."""
    tokens, counts = Tokens.of_corpus(corpus), model.word_counts
    is_sampling = model.loss == "negative_sampling"
    tree = huffman_tree(counts) if model.loss == "hierarchical_softmax" else None
    group, has_own_noise = 1, False
    if is_sampling and model.negative_sharing != "block":
        has_own_noise = options.get("cbow", False) or options.get("documents_only", False)
    if is_sampling:
        group = {"pair": 0, "window": 1, "block": 4}[model.negative_sharing]
    return reference.Setup(
        tokens=tokens.codes,
        rows=corpus.word_ids.codes_in(model.word_ids),
        offsets=tokens.offsets,
        input=unpadded(inputs),
        output=unpadded(outputs),
        noise=noise_table(counts, model.ns_exponent) if is_sampling else None,
        tree=None if tree is None else (tree.paths, tree.nodes, tree.branches),
        keep=keep_thresholds(counts, model.subsample),
        window=model.window,
        negatives=model.negatives,
        group=SCORED_AT_ONCE if has_own_noise else group,
        apart=has_own_noise,
        **{"dynamic_window": model.dynamic_window, **options},
    )


LOSSES = ("negative_sampling", "hierarchical_softmax", "softmax")
WORD_CASES = {
    **{
        f"{architecture} {loss}": {"architecture": architecture, "loss": loss}
        for architecture in ("skipgram", "cbow")
        for loss in LOSSES
    },
    "pair noise": {"negative_sharing": "pair"},
    "block noise": {"negative_sharing": "block"},
    "wide window": {"window": 30, "dynamic_window": False, "subsample": 0.0},
}
DOCUMENT_CASES = {
    f"{name} {loss}": {**params, "loss": loss}
    for loss in LOSSES
    for name, params in {
        "dbow": {},
        "dbow words": {"train_words": True},
        "dm mean": {"architecture": "dm"},
        "dm concatenate": {"architecture": "dm", "combine": "concatenate"},
    }.items()
}


def made(case):
    """The model of a case, and what of it the reference calls by other names."""
    if case in WORD_CASES:
        model = fr.Word2Vec(**{**SMALL, **WORD_CASES[case]})
        return model, {"cbow": model.architecture == "cbow"}
    model = fr.Doc2Vec(**{**SMALL, **DOCUMENT_CASES[case]})
    if model.architecture == "dbow":
        return model, {"documents_only": not model.train_words}
    concatenated = model.combine == "concatenate"
    return model, {"cbow": True, "concatenated": concatenated, "dynamic_window": not concatenated}


@pytest.mark.parametrize("case", [*WORD_CASES, *DOCUMENT_CASES])
def test_a_fit_follows_the_reference(case):
    model, options = made(case)
    model._begin(CORPUS)
    start = {name: matrix.copy() for name, matrix in model._parameters().items()}
    setup = setup_of(model, CORPUS, start["word_vectors"], start["output_vectors"], **options)
    if "document_vectors" in start:
        setup.documents = unpadded(start["document_vectors"])
    losses = []
    for epoch in range(3):
        setup.keys = [stream_key(5, "sgns", name, epoch) for name in ("keep", "window", "noise")]
        rates = [0.1 + (1e-4 - 0.1) * done / 3 for done in (epoch, epoch + 1)]
        loss, weight = reference.train(setup, 0, CORPUS.n_tokens, *rates)
        losses.append(loss / weight)
    model.fit(CORPUS)
    got = {name: unpadded(matrix) for name, matrix in model._parameters().items()}
    np.testing.assert_allclose(got["word_vectors"], setup.input, atol=1e-4)
    np.testing.assert_allclose(got["output_vectors"], setup.output, atol=1e-4)
    if setup.documents is not None:
        np.testing.assert_allclose(got["document_vectors"], setup.documents, atol=1e-4)
        assert np.abs(setup.documents - unpadded(start["document_vectors"])).max() > 1e-3
    np.testing.assert_allclose(model.history.column("loss"), losses, rtol=1e-5)


@pytest.mark.parametrize("case", DOCUMENT_CASES)
def test_inference_trains_a_new_row_against_words_and_outputs_as_they_are(case):
    model, options = made(case)
    model.fit(CORPUS)
    new = fr.Corpus.from_tokens(texts(seed=9, lengths=(30, 2, 60)))
    start = unpadded(model._new_rows("doc2vec inference", 1, 0))
    options = {**options, "documents_only": model.architecture == "dbow", "frozen": True}
    expected = []
    for row in range(len(new)):
        one = new.take([row])
        setup = setup_of(model, one, model._inputs, model._outputs, **options)
        setup.documents = start.copy()
        for epoch in range(4):
            names = ("keep", "window", "noise")
            setup.keys = [stream_key(8, "infer", name, epoch) for name in names]
            rate = 0.2 + (1e-4 - 0.2) * epoch / 4
            reference.train(setup, 0, one.n_tokens, rate, rate)
        expected.append(setup.documents[0])
    got = model.infer(new, epochs=4, learning_rate=0.2, seed=8).matrix
    np.testing.assert_allclose(got, expected, atol=1e-4)


# Convergence

RING, REACH = 12, 2


def ring_walks(walks=400, length=25, seed=0):
    """Walks around a ring of words, mostly to the neighbours: few words, all counts in hundreds."""
    random = np.random.default_rng(seed)
    steps = random.choice([-2, -1, 1, 2, 5], p=[0.15, 0.3, 0.35, 0.15, 0.05], size=(walks, length))
    return np.cumsum(steps, axis=1) % RING


def chances_in_text(walks):
    """For each context word (row), the share of each center: what a perfect model predicts."""
    pairs = np.zeros((RING, RING))
    for distance in range(1, REACH + 1):
        np.add.at(pairs, (walks[:, :-distance], walks[:, distance:]), 1)
    pairs += pairs.T
    return pairs / pairs.sum(axis=1, keepdims=True)


def chances_in_model(model):
    """The same by the model, from the stationary point of its loss."""
    scores = (model._inputs @ model._outputs.T).astype(float)
    counts = model.word_counts
    if model.loss == "softmax":
        chances = np.exp(scores)
        chances /= chances.sum(axis=1, keepdims=True)
    elif model.loss == "hierarchical_softmax":
        tree = huffman_tree(counts)
        steps = 1 / (1 + np.exp(-tree.branches * scores[:, tree.nodes]))
        chances = np.multiply.reduceat(steps, tree.paths[:-1], axis=1)
    else:
        # A center c with share p among the centers of a context is pushed up p times and, as
        # noise that hits the center is left out, down k q (1 - p) times: exp(x y) = p/(1-p) / kq.
        noise = counts**model.ns_exponent / (counts**model.ns_exponent).sum()
        odds = np.exp(scores) * model.negatives * noise
        chances = odds / (1 + odds)
    order = np.argsort([int(word[1:]) for word in model.word_ids.ids])
    return chances[np.ix_(order, order)]


def converged(**params):
    settings = {"dim": 16, "window": REACH, "dynamic_window": False, "subsample": 0.0}
    settings |= {"min_count": 1, "threads": 1, "epochs": 30}
    settings |= {"learning_rate": 0.05, "min_learning_rate": 1e-3}
    return fr.Word2Vec(**{**settings, **params}).fit(
        [[f"w{number}" for number in walk] for walk in ring_walks()]
    )


def farthest(chances):
    """The largest distance, half the sum of differences, from the shares of the text."""
    return (np.abs(chances - chances_in_text(ring_walks())).sum(axis=1) / 2).max()


@pytest.mark.parametrize(
    "params",
    [
        {"loss": "softmax"},
        {"loss": "hierarchical_softmax"},
        *({"negative_sharing": sharing} for sharing in ("pair", "window", "block")),
        {"negatives": 2},
        {"negatives": 12},
        {"ns_exponent": 0.0},
    ],
    ids=str,
)
def test_each_loss_converges_to_the_shares_of_the_text(params):
    """To 0.08; a model that has learned nothing is 0.4 away."""
    assert farthest(np.full((RING, RING), 1 / RING)) > 0.35
    assert farthest(chances_in_model(converged(**params))) < 0.08


@pytest.mark.parametrize("sharing", ["pair", "window", "block"])
def test_negative_sampling_finds_the_neighbours_that_a_full_softmax_finds(sharing):
    """Of the four nearest words seven in eight are the same; by chance four in eleven would be."""
    words = [f"w{number}" for number in range(RING)]
    wanted = converged(loss="softmax").similar_words(words, 4).items
    found = converged(negative_sharing=sharing).similar_words(words, 4).items
    shared = [len({*one} & {*other}) / 4 for one, other in zip(found, wanted, strict=True)]
    assert np.mean(shared) > 0.875
