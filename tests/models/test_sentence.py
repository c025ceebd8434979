"""Sentence vectors against their formulas, and what they promise beyond the contract."""

import numpy as np
import pytest

import fastrec as fr
from fastrec.models import bags, sentence
from tests.reference.sentence import sentence_vectors

WEIGHTINGS = ["mean", "sum", "tfidf", "sif"]


def vectors_of(words, dim=12, seed=0):
    """Vectors with a part that all share, as trained ones have."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(len(words), dim)) + 3 * random.normal(size=dim)
    return fr.Vectors(fr.IdMap.from_ids(words)[0], matrix.astype(np.float32))


def texts_of(count=300, words=60, seed=1):
    """Texts of 0 to 19 words, the low numbers more frequent."""
    random = np.random.default_rng(seed)
    return [
        [f"w{n}" for n in (words * random.random(random.integers(0, 20)) ** 3).astype(int)]
        for _ in range(count)
    ]


TEXTS = texts_of()
# w50 to w59 have no vector; w60 to w69 are in no text of the fit.
VECTORS = vectors_of([f"w{n}" for n in range(50)] + [f"w{n}" for n in range(60, 70)])
ASKED = [*TEXTS[:30], [], ["w3"], ["w3"] * 9, ["w55", "unheard"], ["w65", "w1", "w55", "w65"]]


def fitted(**params):
    return fr.SentenceVectors(**params).fit(TEXTS, vectors=VECTORS)


def expected(asked=ASKED, **params):
    return sentence_vectors(TEXTS, asked, dict(zip(VECTORS, VECTORS.matrix, strict=True)), **params)


@pytest.mark.parametrize("components", [0, 1, 3])
@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_vectors_follow_the_reference(weighting, components):
    model = fitted(weighting=weighting, components=components)
    rows, directions = expected(weighting=weighting, components=components)
    np.testing.assert_allclose(model.embed(ASKED).matrix, rows, atol=3e-5)
    signs = np.sign((model.principal_components * directions).sum(axis=1))[:, None]
    np.testing.assert_allclose(model.principal_components * signs, directions, atol=1e-5)


@pytest.mark.parametrize("smoothing", [1e-5, 1e-3, 1.0])
def test_smoothing_weighs_frequent_words_as_the_reference_does(smoothing):
    rows, _ = expected(weighting="sif", smoothing=smoothing, components=1)
    got = fitted(smoothing=smoothing).embed(ASKED).matrix
    np.testing.assert_allclose(got, rows, atol=3e-5)


@pytest.mark.parametrize(
    ("weighting", "count"), [("mean", 0), ("sum", 0), ("tfidf", 0), ("sif", 1)]
)
def test_components_are_taken_out_by_default_with_sif_only(weighting, count):
    assert len(fitted(weighting=weighting).principal_components) == count


def test_the_loss_is_the_share_that_the_components_leave():
    plain, _ = expected(TEXTS, weighting="sif")
    rest, _ = expected(TEXTS, weighting="sif", components=2)
    loss = fitted(components=2).history[0]["loss"]
    assert loss == pytest.approx((rest**2).sum() / (plain**2).sum(), rel=1e-5)
    assert fitted(components=0).history[0]["loss"] == 1.0


def test_what_the_fit_has_counted_can_be_seen():
    model = fitted()
    flat = [word for text in TEXTS for word in text]
    assert model.word_ids == VECTORS.ids
    assert model.word_counts[model.word_ids.code("w0")] == flat.count("w0")
    assert model.word_counts[model.word_ids.code("w65")] == 0
    share = flat.count("w0") / len(flat)
    assert model.word_weights[0] == pytest.approx(1e-3 / (1e-3 + share))


def test_many_pieces_give_what_one_does(monkeypatch):
    whole = fitted(weighting="tfidf", components=2)
    monkeypatch.setattr(sentence, "WORDS_AT_ONCE", 40)
    monkeypatch.setattr(sentence, "DOCUMENTS_AT_ONCE", 7)
    monkeypatch.setattr(sentence, "MOMENT_BYTES", 3 * 12 * 12 * 8)
    monkeypatch.setattr(bags, "WORDS_AT_ONCE", 30)
    monkeypatch.setattr(bags, "DOCUMENTS_AT_ONCE", 5)
    pieces = fitted(weighting="tfidf", components=2)
    np.testing.assert_allclose(pieces.embed(ASKED).matrix, whole.embed(ASKED).matrix, atol=1e-5)


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_of_fit_do_not_change_the_bits(threads, monkeypatch):
    monkeypatch.setattr(sentence, "WORDS_AT_ONCE", 40)
    one, many = fitted(threads=1), fitted(threads=threads)
    np.testing.assert_array_equal(one.embed(ASKED).matrix, many.embed(ASKED).matrix)


def test_a_model_with_word_vectors_will_do():
    words = fr.Word2Vec(dim=8, min_count=1, epochs=1, threads=1).fit(TEXTS)
    by_model = fr.SentenceVectors().fit(TEXTS, vectors=words).embed(TEXTS)
    by_vectors = fr.SentenceVectors().fit(TEXTS, vectors=words.word_vectors).embed(TEXTS)
    np.testing.assert_array_equal(by_model.matrix, by_vectors.matrix)


def test_later_changes_of_the_word_vectors_are_not_seen():
    matrix = np.array(VECTORS.matrix)
    model = fr.SentenceVectors().fit(TEXTS, vectors=fr.Vectors(VECTORS.ids, matrix))
    before = model.embed(ASKED).matrix
    matrix[:] = 0
    np.testing.assert_array_equal(model.embed(ASKED).matrix, before)


def test_a_weighting_set_after_the_fit_waits_for_the_next_one():
    model = fitted(weighting="mean")
    before = model.embed(ASKED).matrix
    model.set_params(weighting="sum")
    np.testing.assert_array_equal(model.embed(ASKED).matrix, before)


def test_fewer_directions_than_asked_for_are_taken_out_where_there_are_no_more():
    model = fr.SentenceVectors(weighting="mean", components=5)
    model.fit([["w1"], ["w2"], ["w1", "w2"]] * 5, vectors=VECTORS)
    assert len(model.principal_components) == 2
    assert model.history[0]["loss"] == pytest.approx(0, abs=1e-9)


def test_vectors_of_zeros_have_no_components():
    zeros = fr.Vectors(VECTORS.ids, np.zeros((60, 12), np.float32))
    model = fr.SentenceVectors().fit(TEXTS, vectors=zeros)
    assert len(model.principal_components) == 0
    assert not model.embed(ASKED).matrix.any()


def test_a_text_of_a_million_words_is_all_counted():
    places = np.random.default_rng(2).integers(0, 50, 1_000_000)
    places[-1] = 55  # the row of w65, which is nowhere else
    text = np.array(list(VECTORS), dtype=object)[places].tolist()
    got = fitted(weighting="sum").embed([text]).matrix[0]
    exact = np.bincount(places, minlength=60) @ VECTORS.matrix.astype(np.float64)
    np.testing.assert_allclose(got, exact, rtol=2e-6)


def test_the_last_of_a_million_words_counts():
    matrix = np.array(VECTORS.matrix)
    matrix[0] = 0
    model = fr.SentenceVectors(weighting="sum")
    model.fit(TEXTS, vectors=fr.Vectors(VECTORS.ids, matrix))
    got = model.embed([["w0"] * 999_999 + ["w65"]]).matrix[0]
    np.testing.assert_array_equal(got, VECTORS["w65"])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"weighting": "max"}, "weighting must be one of 'mean', 'sum', 'tfidf', 'sif'"),
        ({"smoothing": 0}, "smoothing must be above 0"),
        ({"smoothing": float("nan")}, "smoothing must be a finite number"),
        ({"smoothing": "much"}, "smoothing must be a number"),
        ({"components": -1}, "components must be a whole number"),
        ({"components": 1.5}, "components must be a whole number"),
        ({"components": 12}, "components must be less than the 12 dimensions"),
        ({"threads": 0}, "threads must be a whole number"),
    ],
    ids=str,
)
def test_a_parameter_out_of_range_is_refused_by_fit(params, message):
    with pytest.raises(fr.InputError, match=message):
        fitted(**params)


@pytest.mark.parametrize("vectors", [None, np.ones((3, 2)), "glove.txt", fr.Popularity()])
def test_what_holds_no_word_vectors_is_refused(vectors):
    with pytest.raises(fr.InputError, match="fit needs word vectors: give vectors="):
        fr.SentenceVectors().fit(TEXTS, vectors=vectors)


def test_a_model_that_is_not_fitted_has_no_word_vectors():
    with pytest.raises(fr.NotFittedError, match="Word2Vec has not been fitted"):
        fr.SentenceVectors().fit(TEXTS, vectors=fr.Word2Vec())


def test_words_of_ten_thousand_letters_are_words_like_others():
    words = ["x" * 10_000, "x" * 9_999 + "y", "z"]
    texts = [words[:2], words[1:], words]
    model = fr.SentenceVectors(weighting="sum").fit(texts, vectors=vectors_of(words))
    assert model.word_counts.tolist() == [2, 3, 2]
    np.testing.assert_array_equal(
        model.embed([words[:1], words[1:2], ["x" * 9_999]]).matrix,
        [*vectors_of(words)[words[:2]], np.zeros(12)],
    )


@pytest.mark.parametrize("number", [np.nan, np.inf, 3e38])
def test_vectors_that_are_not_finite_are_refused(number):
    matrix = np.array(VECTORS.matrix)
    matrix[7, 2] = number
    with pytest.raises(fr.InputError, match="vectors must be finite"):
        fr.SentenceVectors(weighting="tfidf").fit(TEXTS, vectors=fr.Vectors(VECTORS.ids, matrix))


def test_texts_without_one_known_word_are_refused_by_fit():
    with pytest.raises(fr.InputError, match="none of the 2 words of the texts has a vector"):
        fr.SentenceVectors().fit([["W1", "W2"]], vectors=VECTORS)


def test_training_on_is_refused():
    with pytest.raises(fr.InputError, match="cannot be trained on"):
        fitted().partial_fit(TEXTS)


def test_ctrl_c_while_components_are_sought_leaves_a_model_without_them(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sentence, "_leading_directions", interrupt)
    model = fr.SentenceVectors()
    with pytest.raises(KeyboardInterrupt):
        model.fit(TEXTS, vectors=VECTORS)
    assert model.history.column("partial") == [True]
    rows, _ = expected(weighting="sif")
    np.testing.assert_allclose(model.embed(ASKED).matrix, rows, atol=3e-5)
