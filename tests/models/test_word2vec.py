"""What Word2Vec promises beyond the contract of embedders."""

import numpy as np
import pytest

import fastrec as fr
from fastrec.models.skipgram import LOSSES
from tests.contract.embedders import TOPIC_SIZE, topics
from tests.ctrl_c import ctrl_c_after

ROWS = topics(240)
WORDS = [f"{topic}{place}" for topic in "ab" for place in range(TOPIC_SIZE)]


def make(**params):
    defaults = {"dim": 16, "epochs": 12, "learning_rate": 0.05, "min_count": 1}
    return fr.Word2Vec(**{**defaults, "subsample": 0.0, "threads": 1, **params})


def share_at_home(vectors):
    """Share of the nearest five words that are of the same topic; by chance 11 of 23."""
    found = vectors.similar(WORDS, 5).items
    return np.mean(
        [word[0] == like[0] for word, row in zip(WORDS, found, strict=True) for like in row]
    )


# What is learned


@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])
@pytest.mark.parametrize("loss", LOSSES)
def test_words_of_one_topic_are_neighbours(architecture, loss):
    model = make(architecture=architecture, loss=loss).fit(ROWS)
    assert share_at_home(model.word_vectors) > 0.95


@pytest.mark.parametrize(
    "params",
    [
        {"negative_sharing": "pair"},
        {"negative_sharing": "block"},
        {"architecture": "cbow", "negative_sharing": "block"},
        {"dynamic_window": False},
        {"window": 1, "epochs": 30},
        {"window": 100},
        {"subsample": 0.02, "epochs": 30},
        {"ns_exponent": 0.0},
        {"ns_exponent": -0.5},
        {"negatives": 1, "epochs": 30},
        {"threads": 3},
        {"threads": 3, "loss": "hierarchical_softmax"},
        {"threads": 3, "loss": "softmax"},
        {"dim": 3, "epochs": 40},
        {"dim": 129},
    ],
    ids=str,
)
def test_every_option_still_learns_the_topics(params):
    assert share_at_home(make(**params).fit(ROWS).word_vectors) > 0.9


def test_the_loss_falls():
    losses = make().fit(ROWS).history.column("loss")
    assert losses[-1] < losses[0]


def test_another_seed_gives_other_vectors():
    one, other = (make(seed=seed).fit(ROWS).word_vectors.matrix for seed in (1, 2))
    assert np.abs(one - other).max() > 0.01


# Words


def test_vectors_have_one_row_a_word_the_most_frequent_first():
    model = make(dim=17).fit(ROWS)
    assert model.word_vectors.matrix.shape == (len(model.word_ids), 17)
    assert model.word_vectors.ids == model.word_ids
    assert (np.diff(model.word_counts) <= 0).all()


def test_similar_words_take_one_word_or_several():
    model = make().fit(ROWS)
    one, several = model.similar_words("a3", 4), model.similar_words(["b1", "a3"], 4)
    assert one.items[0].tolist() == several.items[1].tolist()
    assert "a3" not in one.items[0]
    with pytest.raises(fr.UnknownIdError, match="unheard"):
        model.similar_words(["a3", "unheard"])


def test_a_text_has_the_mean_of_the_vectors_of_its_words():
    model = make().fit(ROWS)
    got = model.embed(["a1 b2, b2 unheard!"])[0]
    words = model.word_vectors[["a1", "b2", "b2"]].astype(float)
    np.testing.assert_allclose(got, words.mean(axis=0), rtol=1e-5)


def test_min_count_leaves_rare_words_out_as_if_they_were_not_there():
    rare = [[*row[:3], f"once{number}", *row[3:]] for number, row in enumerate(ROWS)]
    model, plain = make(min_count=2).fit(rare), make().fit(ROWS)
    np.testing.assert_array_equal(model.word_counts, plain.word_counts)
    assert model.word_ids == plain.word_ids
    assert share_at_home(model.word_vectors) > 0.95
    with pytest.raises(fr.InputError, match="no word occurs min_count=1000000 times"):
        make(min_count=10**6).fit(ROWS)


def test_max_vocab_keeps_the_most_frequent_words():
    model = make().fit(ROWS)
    few = make(max_vocab=7).fit(ROWS)
    assert few.word_ids.ids.tolist() == model.word_ids.ids[:7].tolist()
    few.partial_fit([["new", "a0", "b0"]] * 9)
    assert "new" not in few.word_ids
    few.set_params(max_vocab=8).partial_fit([["newer", "new", "new", "a0"]] * 9)
    assert few.word_ids.ids[7:].tolist() == ["new"]


def test_words_of_any_length_and_script_are_words(tmp_path):
    long, other = "x" * 10_000, "x" * 9_999 + "y"
    strange = ["東京", "naïve", "with space", "", "\t", "🙂"]
    model = make().fit([[long, word, other, "a1"] for word in strange] * 9)
    assert {long, other, *strange} <= set(model.word_ids.ids)
    model.save(tmp_path / "m.fastrec")
    loaded = fr.load(tmp_path / "m.fastrec")
    np.testing.assert_array_equal(loaded.word_vectors[[long, ""]], model.word_vectors[[long, ""]])
    assert loaded.embed([[long]], on_unknown="error").matrix.any()
    assert not loaded.embed([[long[:-1]]]).matrix.any()


def test_a_text_of_a_million_words_is_one_document():
    random = np.random.default_rng(0)
    words = np.array(WORDS)[random.integers(len(WORDS), size=1_000_000)].tolist()
    model = make(dim=8, window=1, epochs=1, threads=2).fit([words])
    assert model.word_counts.sum() == 1_000_000
    counts = dict(zip(model.word_ids.ids, model.word_counts, strict=True))
    weights = np.array([counts[word] for word in model.word_vectors])
    mean = weights @ model.word_vectors.matrix.astype(float) / 1_000_000
    np.testing.assert_allclose(model.embed([words])[0], mean, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("rows", "params"), [([["a"]], {}), ([["a"], ["b"]], {}), (ROWS, {"subsample": 1e-300})]
)
def test_texts_without_two_words_side_by_side_are_refused(rows, params):
    with pytest.raises(fr.InputError, match="nothing to learn from"):
        make(**params).fit(rows)


# Training on


def test_new_words_are_trained_and_old_ones_keep_their_rows():
    model = make().fit(ROWS)
    old, before = model.word_ids.ids.tolist(), model.word_vectors.matrix.copy()
    model.partial_fit([[f"a{place}", "new", f"a{place + 1}"] for place in range(9)] * 20)
    assert model.word_ids.ids.tolist() == [*old, "new"]
    assert all(word[0] == "a" for word in model.similar_words("new", 5).items[0])
    untouched = [old.index(word) for word in old if word[0] == "b"]
    np.testing.assert_array_equal(model.word_vectors.matrix[untouched], before[untouched])


def test_training_on_learns_as_much_as_training_longer():
    model = make(epochs=6, min_learning_rate=0.05).fit(ROWS)
    model.partial_fit(ROWS)
    longer = make(epochs=12, min_learning_rate=0.05).fit(ROWS)
    np.testing.assert_array_equal(model.word_vectors.matrix, longer.word_vectors.matrix)


def test_training_on_with_another_dim_is_refused():
    model = make().fit(ROWS)
    with pytest.raises(fr.InputError, match="dim is 8, but"):
        model.set_params(dim=8).partial_fit(ROWS)


def test_ctrl_c_keeps_the_state_reached_and_marks_the_epoch():
    model = make(epochs=10**5, threads=2)
    with pytest.raises(KeyboardInterrupt), ctrl_c_after(0.5):
        model.fit(ROWS * 20)
    assert 9 <= len(model.history) < 10**5
    assert share_at_home(model.word_vectors) > 0.9


def test_progress_shows_loss_and_rate(capsys):
    make(epochs=2).fit(ROWS, progress=True)
    shown = capsys.readouterr().err
    assert "Word2Vec" in shown
    assert "loss" in shown


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"dim": 0}, "dim must be a whole number"),
        ({"window": None}, "window must be a whole number"),
        ({"window": 0}, "window must be a whole number"),
        ({"architecture": "dm"}, "architecture must be one of 'skipgram', 'cbow'"),
        ({"loss": "hs"}, "loss must be one of 'negative_sampling', 'hierarchical_softmax'"),
        ({"negatives": 0}, "negatives must be a whole number"),
        ({"epochs": 0}, "epochs must be a whole number"),
        ({"learning_rate": 0, "min_learning_rate": 0}, "learning_rate must be above 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be a finite number"),
        ({"min_learning_rate": 1}, "min_learning_rate must be a finite number from 0 to 0.05"),
        ({"dynamic_window": 1}, "dynamic_window must be True or False"),
        ({"subsample": 2}, "subsample must be a finite number from 0 to 1"),
        ({"ns_exponent": float("inf")}, "ns_exponent must be a finite number"),
        ({"negative_sharing": 4}, "negative_sharing must be one of"),
        ({"min_count": 0}, "min_count must be a whole number"),
        ({"max_vocab": 0}, "max_vocab must be a whole number"),
        ({"tokenize": "split"}, "tokenize must be a function"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"threads": 0}, "threads must be a whole number"),
    ],
    ids=str,
)
def test_a_parameter_out_of_range_is_refused_by_fit(params, message):
    with pytest.raises(fr.InputError, match=message):
        make(**params).fit(ROWS)
    with pytest.raises(fr.InputError, match=message):
        make(**params).memory(ROWS)


# gensim


@pytest.mark.parametrize("binary", [False, True])
def test_gensim_finds_the_neighbours_that_we_find(tmp_path, binary):
    models = pytest.importorskip("gensim.models")
    vectors = make().fit(ROWS).word_vectors
    vectors.save_word2vec(tmp_path / "v", binary=binary)
    theirs = models.KeyedVectors.load_word2vec_format(str(tmp_path / "v"), binary=binary)
    for word, found in zip(WORDS, vectors.similar(WORDS, 6).to_lists(), strict=True):
        names, scores = zip(*theirs.most_similar(word, topn=6), strict=True)
        assert names == tuple(name for name, _ in found)
        np.testing.assert_allclose(scores, [score for _, score in found], atol=1e-5)


def test_we_read_what_gensim_has_trained(tmp_path):
    models = pytest.importorskip("gensim.models")
    trained = models.Word2Vec(ROWS, vector_size=16, min_count=1, epochs=12, seed=1, workers=1)
    trained.wv.save_word2vec_format(str(tmp_path / "v.bin"), binary=True)
    vectors = fr.Vectors.load_word2vec(tmp_path / "v.bin")
    np.testing.assert_array_equal(vectors[WORDS], trained.wv[WORDS])
    texts = fr.SentenceVectors(weighting="mean").fit(ROWS, vectors=vectors)
    np.testing.assert_allclose(
        texts.embed([["a1", "b2"]])[0], trained.wv[["a1", "b2"]].mean(axis=0), rtol=1e-5
    )
