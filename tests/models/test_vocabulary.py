"""Which words of a text a model learns, and that it cuts none of it without a word."""

from collections import Counter

import numpy as np
import pytest

import fastrec as fr
from fastrec.errors import InputError, UnknownIdError

TEXTS = ["a a a a b b b c c d", "A b", "", "e"]
COUNTS = Counter({"a": 5, "b": 4, "c": 2, "d": 1, "e": 1})


SMALL = {"dim": 4, "epochs": 1, "min_count": 1, "subsample": 0.0, "threads": 1}


def word2vec(**params):
    return fr.Word2Vec(**SMALL | params)


def doc2vec(**params):
    return fr.Doc2Vec(**SMALL | params)


def counts_of(model):
    return dict(zip(model.word_ids.ids.tolist(), model.word_counts.tolist(), strict=True))


@pytest.mark.parametrize("make", [word2vec, doc2vec])
@pytest.mark.parametrize("min_count", [1, 2, 4, 5])
def test_words_rarer_than_min_count_are_left_out(make, min_count):
    model = make(min_count=min_count).fit(TEXTS)
    assert counts_of(model) == {word: n for word, n in COUNTS.items() if n >= min_count}


@pytest.mark.parametrize("make", [word2vec, doc2vec])
def test_max_vocab_keeps_the_most_frequent_words(make):
    assert list(counts_of(make(max_vocab=3).fit(TEXTS))) == ["a", "b", "c"]
    assert list(counts_of(make(max_vocab=99).fit(TEXTS))) == ["a", "b", "c", "d", "e"]
    assert list(counts_of(make(max_vocab=3, min_count=3).fit(TEXTS))) == ["a", "b"]


def test_words_left_out_are_as_if_they_were_not_in_the_text():
    # Noise, windows and the rate go by the place in the text: none of them here.
    fixed = {"loss": "softmax", "dynamic_window": False, "window": 1, "min_learning_rate": 0.025}
    rare = word2vec(min_count=2, **fixed).fit([["a", "x", "b", "y", "a"], ["b", "z", "a"]])
    plain = word2vec(**fixed).fit([["a", "b", "a"], ["b", "a"]])
    np.testing.assert_allclose(rare.word_vectors.matrix, plain.word_vectors.matrix, rtol=1e-6)


def test_no_word_frequent_enough_is_an_error_that_says_how_frequent_they_are():
    with pytest.raises(InputError, match=r"no word occurs min_count=9 times.*5 times"):
        word2vec(min_count=9).fit(TEXTS)


def test_a_single_word_is_enough_for_paragraph_vectors_and_too_little_for_word_vectors():
    assert np.isfinite(doc2vec().fit(["word"]).document_vectors.matrix).all()
    with pytest.raises(InputError, match="there is nothing to learn from"):
        word2vec().fit(["word"])


def test_a_document_of_a_million_words_is_learned_from_to_its_end():
    text = [*["x", "y"] * 500_000, "last"]
    model = word2vec().fit([text])
    assert counts_of(model) == {"x": 500_000, "y": 500_000, "last": 1}
    barely_trained = word2vec(learning_rate=1e-30, min_learning_rate=0.0).fit([text])
    assert (model.word_vectors["last"] != barely_trained.word_vectors["last"]).any()


def test_an_embedding_of_a_long_document_counts_its_last_word():
    model = word2vec().fit(TEXTS)
    words = ["a"] * 99_999
    embedded = model.embed([[*words, "b"], words]).matrix.astype(np.float64)
    expected = (99_999 * model.word_vectors["a"] + model.word_vectors["b"]) / 100_000
    np.testing.assert_allclose(embedded[0], expected, atol=1e-6)
    assert (embedded[0] != embedded[1]).any()


def test_words_of_ten_thousand_letters_are_learned():
    long = "ü" * 10_000
    model = word2vec().fit([f"{long} b", f"b {long}"])
    assert counts_of(model) == {long: 2, "b": 2}
    assert model.similar_words("b", k=1).to_lists()[0][0][0] == long


@pytest.mark.parametrize("make", [word2vec, doc2vec])
def test_texts_of_unknown_words_alone_have_vectors_of_zeros(make):
    vectors = make().fit(TEXTS).embed(["unheard of", "", "a"]).matrix
    assert not vectors[:2].any()
    assert vectors[2].any()


def test_unknown_words_are_an_error_where_they_are_asked_to_be():
    model = word2vec().fit(TEXTS)
    with pytest.raises(UnknownIdError, match="2 words are none that the model has seen"):
        model.embed(["a b", "unheard of"], on_unknown="error")


def test_a_tokenizer_of_the_users_cuts_what_is_learned_and_what_is_embedded():
    model = word2vec(tokenize=lambda text: text.split("|")).fit(["New York|b", "b"])
    assert counts_of(model) == {"b": 2, "New York": 1}
    np.testing.assert_array_equal(
        model.embed(["New York"]).matrix[0], model.word_vectors["New York"]
    )


def test_a_file_that_lost_the_tokenizer_asks_for_it(tmp_path):
    word2vec(tokenize=str.split).fit(["a b"]).save(tmp_path / "m")
    loaded = fr.load(tmp_path / "m")
    with pytest.raises(InputError, match=r"set_params\(tokenize=\.\.\.\) gives it back"):
        loaded.embed(["a"])
    assert loaded.set_params(tokenize=str.split).embed(["a"]).matrix.any()


def test_a_corpus_and_its_texts_make_the_same_model():
    of_texts = word2vec().fit(TEXTS)
    of_corpus = word2vec().fit(fr.Corpus.from_texts(TEXTS))
    np.testing.assert_array_equal(of_texts.word_vectors.matrix, of_corpus.word_vectors.matrix)
