"""The embedders that the contract suite runs on, and the texts of known structure it uses."""

import numpy as np

import fastrec as fr

TOPIC_SIZE = 12
LOSSES = ("negative_sampling", "hierarchical_softmax", "softmax")


def topics(documents=120, size=TOPIC_SIZE, length=8, seed=3):
    """Documents as lists of words, each about one topic: only words a0, a1, ... or only b0, b1, ...

    Even documents are about a. Low numbers are the more frequent words; the order is random.
    """
    random = np.random.default_rng(seed)
    share = 1.0 / np.arange(1, size + 1)
    share /= share.sum()
    return [
        [f"{'ab'[number % 2]}{place}" for place in random.choice(size, length, p=share)]
        for number in range(documents)
    ]


def _word2vec(**fixed):
    small = {"dim": 8, "epochs": 3, "learning_rate": 0.05, "min_count": 1, "subsample": 0.0}
    return lambda **params: fr.Word2Vec(**{**small, "threads": 1, **fixed, **params})


def _doc2vec(**fixed):
    small = {"dim": 8, "epochs": 3, "learning_rate": 0.05, "min_count": 1, "subsample": 0.0}
    small |= {"window": 3, "infer_epochs": 5}
    return lambda **params: fr.Doc2Vec(**{**small, "threads": 1, **fixed, **params})


def _sentence(**fixed):
    return lambda **params: fr.SentenceVectors(**{"threads": 1, **fixed, **params})


TRAINED = {
    **{
        f"word2vec {architecture} {loss}": _word2vec(architecture=architecture, loss=loss)
        for architecture in ("skipgram", "cbow")
        for loss in LOSSES
    },
    **{f"doc2vec dbow {loss}": _doc2vec(loss=loss) for loss in LOSSES},
    "doc2vec dbow with words": _doc2vec(train_words=True),
    "doc2vec dbow pair noise": _doc2vec(negative_sharing="pair"),
    **{f"doc2vec dm mean {loss}": _doc2vec(architecture="dm", loss=loss) for loss in LOSSES},
    "doc2vec dm concatenate": _doc2vec(architecture="dm", combine="concatenate"),
}
"""A factory per model that learns its words, quick to fit on :func:`topics`."""

MODELS = {
    **TRAINED,
    **{f"sentence {w}": _sentence(weighting=w) for w in ("mean", "sum", "tfidf", "sif")},
}
"""A factory per model."""


def fit(model, texts, **options):
    """Fit a model; one that is made of given word vectors gets some that know the topics."""
    if isinstance(model, fr.SentenceVectors):
        options["vectors"] = word_vectors()
    return model.fit(texts, **options)


def word_vectors(dim=8, seed=5):
    """Vectors of the words of :func:`topics`, those of one topic close together."""
    random = np.random.default_rng(seed)
    words = [f"{topic}{place}" for topic in "ab" for place in range(TOPIC_SIZE)]
    centers = np.repeat(random.normal(size=(2, dim)), TOPIC_SIZE, axis=0)
    matrix = centers + 0.2 * random.normal(size=(len(words), dim))
    return fr.Vectors(fr.IdMap.from_ids(words)[0], matrix.astype(np.float32))
