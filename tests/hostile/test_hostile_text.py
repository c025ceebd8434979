"""Whatever is handed to texts and their vectors, the answer is a result or an error of fastrec."""

import pytest

import fastrec as fr
from fastrec.data import as_corpus, encode_documents
from tests.hostile.values import problems_of, with_options

CORPORA = {
    "Corpus.from_texts": lambda g, x: fr.Corpus.from_texts(x),
    "Corpus.from_texts([x])": lambda g, x: fr.Corpus.from_texts([x]),
    "Corpus.from_texts(tokenize returns x)": lambda g, x: fr.Corpus.from_texts(
        ["a"], tokenize=lambda _: x
    ),
    "Corpus.from_tokens": lambda g, x: fr.Corpus.from_tokens(x),
    "Corpus.from_tokens([x])": lambda g, x: fr.Corpus.from_tokens([x]),
    "Corpus.from_file": lambda g, x: fr.Corpus.from_file(x),
    "Corpus.from_file([x])": lambda g, x: fr.Corpus.from_file([x]),
    "Corpus.from_parquet": lambda g, x: fr.Corpus.from_parquet(x),
    "Corpus.take": lambda g, x: g.corpus.take(x),
    "Corpus.decode": lambda g, x: list(g.corpus.decode(x)),
    "Corpus.to_file": lambda g, x: g.corpus.to_file(x),
    "as_corpus": lambda g, x: as_corpus(x),
    "as_corpus(tokenize=)": lambda g, x: as_corpus(["a"], x),
    "encode_documents": lambda g, x: encode_documents(x, g.words),
    "encode_documents(word_ids=)": lambda g, x: encode_documents(["a"], x),
    **with_options(
        "Corpus",
        ("tokens", "offsets", "word_ids", "counts", "given_ids"),
        lambda g, **option: fr.Corpus(
            **{name: getattr(g.corpus, name) for name in PARTS} | option
        ).sequences(),
    ),
    **with_options(
        "Corpus.from_texts",
        ("ids", "tokenize", "memory_limit"),
        lambda g, **option: fr.Corpus.from_texts(["a b", "b"], **option),
    ),
    **with_options(
        "Corpus.from_tokens",
        ("ids", "memory_limit"),
        lambda g, **option: fr.Corpus.from_tokens([["a", "b"], ["b"]], **option),
    ),
    **with_options(
        "Corpus.from_file",
        ("tokenize", "memory_limit"),
        lambda g, **option: fr.Corpus.from_file(g.folder / "text", **option),
    ),
    **with_options(
        "Corpus.from_parquet",
        ("text", "id", "tokenize", "memory_limit"),
        lambda g, **option: fr.Corpus.from_parquet(g.folder / "text.parquet", **option),
    ),
}
PARTS = ("tokens", "offsets", "word_ids", "counts", "given_ids")
SMALL = {"dim": 4, "epochs": 1, "threads": 1, "min_count": 1, "subsample": 0}
EMBEDDERS = {
    "Word2Vec.fit": lambda g, x: fr.Word2Vec(**SMALL).fit(x),
    "Word2Vec.memory": lambda g, x: fr.Word2Vec(**SMALL).memory(x),
    "Doc2Vec.fit": lambda g, x: fr.Doc2Vec(**SMALL).fit(x),
    "Doc2Vec.partial_fit": lambda g, x: fr.Doc2Vec(**SMALL).fit(["a b"]).partial_fit(x),
    "Doc2Vec.embed": lambda g, x: g.texts.embed(x, threads=1),
    "Doc2Vec.embed([x])": lambda g, x: g.texts.embed([x], threads=1),
    "Doc2Vec.infer": lambda g, x: g.texts.infer(x, threads=1),
    "Doc2Vec.similar_documents": lambda g, x: g.texts.similar_documents(x),
    "Doc2Vec.similar_words": lambda g, x: g.texts.similar_words(x),
    "Embedder.fit": lambda g, x: fr.Embedder().fit(x),
    "SentenceVectors.fit": lambda g, x: fr.SentenceVectors().fit(x, vectors=g.word_vectors),
    "SentenceVectors.fit(vectors=)": lambda g, x: fr.SentenceVectors().fit(["a"], vectors=x),
    "SentenceVectors.embed": lambda g, x: g.sums.embed(x),
    "SentenceVectors.set_params": lambda g, x: fr.SentenceVectors().set_params(weighting=x),
    **with_options(
        "fit",
        ("callbacks", "progress"),
        lambda g, **option: fr.Word2Vec(**SMALL).fit(["a b"], **option),
    ),
    **with_options(
        "Doc2Vec.embed",
        ("ids", "on_unknown", "threads"),
        lambda g, **option: g.texts.embed(["a", "b c"], **option),
    ),
    **with_options(
        "Doc2Vec.infer",
        ("epochs", "ids", "seed", "threads"),
        lambda g, **option: g.texts.infer(["a", "b c"], **option),
    ),
    **with_options(
        "Doc2Vec.similar_documents",
        ("k", "threads"),
        lambda g, **option: g.texts.similar_documents([0], **option),
    ),
    **with_options(
        "Word2Vec",
        sorted(fr.Word2Vec().get_params()),
        lambda g, **option: fr.Word2Vec(**SMALL | option).fit(["a b", "b c a"]),
    ),
    **with_options(
        "Doc2Vec",
        sorted(fr.Doc2Vec().get_params()),
        lambda g, **option: fr.Doc2Vec(**SMALL | option).fit(["a b", "b c a"]),
    ),
    **with_options(
        "SentenceVectors",
        sorted(fr.SentenceVectors().get_params()),
        lambda g, **option: fr.SentenceVectors(**option).fit(["a b"], vectors=g.word_vectors),
    ),
}
QUESTION = [("a", "b", "c", "a")]
VECTORS = {
    "Vectors.analogy": lambda g, x: g.word_vectors.analogy(x),
    "Vectors.analogy([x])": lambda g, x: g.word_vectors.analogy([x]),
    "Vectors.analogy(negative)": lambda g, x: g.word_vectors.analogy(["a"], x),
    "Vectors.analogy(negative [x])": lambda g, x: g.word_vectors.analogy([["a"]], [x]),
    "Vectors.rank_analogies": lambda g, x: g.vectors.rank_analogies(x, g.ragged, 2),
    "Vectors.rank_analogies(negative)": lambda g, x: g.vectors.rank_analogies(g.ragged, x, 2),
    "Vectors.project": lambda g, x: g.word_vectors.project(x),
    "Vectors.plot(ids)": lambda g, x: g.word_vectors.plot(x, 3),
    "Vectors.plot(path)": lambda g, x: g.word_vectors.plot(["a", "b"], x),
    "Vectors.save_npz": lambda g, x: g.word_vectors.save_npz(x),
    "Vectors.load_npz": lambda g, x: fr.Vectors.load_npz(x),
    "Vectors.to_parquet": lambda g, x: g.word_vectors.to_parquet(x),
    "Vectors.from_parquet": lambda g, x: fr.Vectors.from_parquet(x),
    "evaluate_analogies(vectors)": lambda g, x: fr.evaluate_analogies(x, QUESTION),
    "evaluate_analogies": lambda g, x: fr.evaluate_analogies(g.word_vectors, x),
    "evaluate_analogies([x])": lambda g, x: fr.evaluate_analogies(g.word_vectors, [x]),
    "evaluate_analogies(word)": lambda g, x: fr.evaluate_analogies(
        g.word_vectors, [("a", "b", "c", x)]
    ),
    "evaluate_analogies(section)": lambda g, x: fr.evaluate_analogies(
        g.word_vectors, [(x, "a", "b", "c", "a")]
    ),
    "evaluate_analogies(column)": lambda g, x: fr.evaluate_analogies(
        g.word_vectors, {"a": ["a"], "b": ["b"], "c": ["c"], "d": x}
    ),
    "evaluate_analogies(section column)": lambda g, x: fr.evaluate_analogies(
        g.word_vectors, {"section": x, "a": ["a"], "b": ["b"], "c": ["c"], "d": ["a"]}
    ),
    "evaluate_similarity(vectors)": lambda g, x: fr.evaluate_similarity(x, [("a", "b", 1)]),
    "evaluate_similarity": lambda g, x: fr.evaluate_similarity(g.word_vectors, x),
    "evaluate_similarity([x])": lambda g, x: fr.evaluate_similarity(g.word_vectors, [x]),
    "evaluate_similarity(word)": lambda g, x: fr.evaluate_similarity(g.word_vectors, [("a", x, 1)]),
    "evaluate_similarity(score)": lambda g, x: fr.evaluate_similarity(
        g.word_vectors, [("a", "b", x)]
    ),
    "evaluate_similarity(column)": lambda g, x: fr.evaluate_similarity(
        g.word_vectors, {"word1": ["a"], "word2": ["b"], "score": x}
    ),
    **with_options(
        "Vectors.analogy",
        ("k", "method", "restrict", "threads"),
        lambda g, **option: g.word_vectors.analogy(["a"], ["b"], **option),
    ),
    **with_options(
        "Vectors.rank_analogies",
        ("k", "method", "exclude", "restrict"),
        lambda g, **option: g.vectors.rank_analogies(g.ragged, g.ragged, **{"k": 2} | option),
    ),
    **with_options(
        "Vectors.from_parquet",
        ("id", "vector"),
        lambda g, **option: fr.Vectors.from_parquet(g.folder / "vectors.parquet", **option),
    ),
    **with_options(
        "evaluate_analogies",
        ("method", "restrict_vocab", "ignore_case", "threads"),
        lambda g, **option: fr.evaluate_analogies(g.word_vectors, QUESTION, **option),
    ),
    **with_options(
        "evaluate_similarity",
        ("ignore_case",),
        lambda g, **option: fr.evaluate_similarity(g.word_vectors, [("a", "b", 1)], **option),
    ),
}
DRAWN = with_options(
    "Vectors.plot",
    ("title", "labels", "groups"),
    lambda g, **option: g.word_vectors.plot(["a", "b"], "drawn.png", **option),
)
CALLS = CORPORA | EMBEDDERS | VECTORS


def left_out(name):
    """What tells which values a call does not get."""
    if "epochs" in name:  # training for so many would take a while
        return lambda value: isinstance(value, int) and value > 1000
    if "tokenize=" in name:  # what a function of the user's raises is the user's
        return callable
    return lambda _: False


@pytest.mark.parametrize("name", CALLS)
def test_no_value_is_answered_by_an_error_of_another_package(name, good, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # some of the values are names of files
    assert problems_of(CALLS[name], good, left_out(name)) == []


@pytest.mark.parametrize("name", DRAWN)
def test_no_value_for_a_picture_is_answered_so(name, good, monkeypatch, tmp_path):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    assert problems_of(DRAWN[name], good) == []
