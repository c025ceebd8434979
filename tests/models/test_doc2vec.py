"""What Doc2Vec promises beyond the contract of embedders."""

import itertools
import time

import numpy as np
import pytest

import fastrec as fr
from fastrec.models.skipgram import LOSSES
from tests.contract.embedders import topics
from tests.ctrl_c import ctrl_c_after


def filled(rows):
    """The documents with "and" between words, so that only the document tells what comes next."""
    return [[word for pair in zip(row, itertools.repeat("and")) for word in pair] for row in rows]


ROWS = filled(topics(240))
NEW = filled(topics(40, seed=8))  # even rows are about a, odd ones about b
KINDS = {
    "dbow": {},
    "dbow words": {"train_words": True},
    "dm mean": {"architecture": "dm"},
    "dm concatenate": {"architecture": "dm", "combine": "concatenate"},
}


@pytest.fixture(params=KINDS)
def kind(request):
    """The parameters of each architecture in turn."""
    return KINDS[request.param]


def make(**params):
    defaults = {"dim": 12, "epochs": 30, "learning_rate": 0.1, "min_count": 1, "window": 1}
    return fr.Doc2Vec(**{**defaults, "subsample": 0.0, "threads": 1, **params})


def share_at_home(model, documents, topic_of):
    """Share of the five training documents nearest to each that are about the same topic."""
    found = model.similar_documents(documents, 5).items
    return (found % 2 == np.asarray(topic_of)[:, None]).mean()


def same(one, other):
    assert one.ids == other.ids
    np.testing.assert_array_equal(one.matrix, other.matrix)


# What is learned


@pytest.mark.parametrize("loss", LOSSES)
def test_documents_about_one_topic_are_neighbours(kind, loss):
    model = make(**kind, loss=loss).fit(ROWS)
    everything = np.arange(len(ROWS))
    assert share_at_home(model, everything, everything % 2) > 0.9


@pytest.mark.parametrize("loss", LOSSES)
def test_new_documents_lie_beside_those_of_their_topic(kind, loss):
    model = make(**kind, loss=loss).fit(ROWS)
    inferred = model.infer(NEW, epochs=50)
    assert share_at_home(model, inferred, np.arange(len(NEW)) % 2) > 0.9


def test_a_training_document_is_found_again_by_its_words():
    """Of 240 documents the one that was asked for is the first answer for half of them."""
    random = np.random.default_rng(0)
    rows = [[f"w{number}" for number in random.integers(400, size=30)] for _ in range(240)]
    model = make(dim=40, epochs=60).fit(rows)
    inferred = model.infer(rows, epochs=60)
    found = model.similar_documents(inferred, 1).items[:, 0]
    assert (found == np.arange(240)).mean() > 0.5


@pytest.mark.parametrize("params", [{"threads": 3}, {"negative_sharing": "block"}, {"dim": 129}])
def test_every_option_still_learns_the_topics(kind, params):
    model = make(**kind, **params).fit(ROWS)
    assert share_at_home(model, model.infer(NEW), np.arange(len(NEW)) % 2) > 0.9


def test_words_are_trained_with_their_documents_where_asked():
    words = [f"{topic}{place}" for topic in "ab" for place in range(9)]
    for params in (KINDS["dbow words"], KINDS["dm mean"]):
        found = make(**params, window=3).fit(topics(240)).similar_words(words, 4).items
        home = [word[0] == like[0] for word, row in zip(words, found, strict=True) for like in row]
        assert np.mean(home) > 0.95


def test_dbow_without_words_says_that_it_has_no_word_vectors():
    model = make().fit(ROWS)
    for ask in (lambda: model.word_vectors, lambda: model.similar_words("a1")):
        with pytest.raises(fr.InputError, match="trains them with train_words=True"):
            ask()


# Documents


def test_vectors_have_one_row_a_document_in_their_order(kind):
    model = make(**kind, epochs=1).fit([*ROWS, []])
    assert model.document_vectors.matrix.shape == (241, 12)
    assert model.document_vectors.matrix.dtype == np.float32
    assert list(model.document_vectors) == list(range(241))


@pytest.mark.parametrize(
    "ids", [[f"doc {number}" for number in range(240)], list(range(1000, 1240))[::-1]], ids=type
)
def test_documents_go_by_the_ids_that_they_were_given(ids, tmp_path):
    model = make(epochs=3).fit(fr.Corpus.from_tokens(ROWS, ids=ids))
    plain = make(epochs=3).fit(ROWS)
    np.testing.assert_array_equal(model.document_vectors[ids[7]], plain.document_vectors[7])
    found = model.similar_documents([ids[7]], 3)
    numbers = plain.similar_documents([7], 3)
    assert found.items[0].tolist() == [ids[number] for number in numbers.items[0]]
    model.save(tmp_path / "m.fastrec")
    same(fr.load(tmp_path / "m.fastrec").document_vectors, model.document_vectors)


@pytest.mark.parametrize("ids", [[5, 5], ["x", "x"]], ids=str)
def test_two_documents_of_one_id_are_refused(ids):
    with pytest.raises(fr.InputError, match="ids must be different"):
        fr.Corpus.from_tokens(ROWS[:2], ids=ids)


def test_a_document_is_no_answer_to_itself_but_to_its_inferred_vector():
    model = make().fit(ROWS)
    assert 7 not in model.similar_documents([7], 239).items[0]
    assert 7 in model.similar_documents(model.infer([ROWS[7]]), 240).items[0]
    np.testing.assert_array_equal(
        model.similar_documents(model.document_vectors, 1).items[:, 0], np.arange(240)
    )


def test_similar_documents_of_an_unknown_id_are_an_error():
    model = make(epochs=1).fit(ROWS)
    with pytest.raises(fr.UnknownIdError, match="999"):
        model.similar_documents([3, 999])
    with pytest.raises(fr.NotFittedError):
        make().similar_documents([3])


def test_partial_fit_brings_new_documents_and_keeps_the_old(kind):
    old, new = ([f"{name} {number}" for number in range(40)] for name in ("old", "new"))
    model = make(**kind).fit(fr.Corpus.from_tokens(ROWS[:40], ids=old))
    before = model.document_vectors.matrix.copy()
    start = model._new_rows("doc2vec documents", 80, 40)[40:, : model.dim]
    model.partial_fit(fr.Corpus.from_tokens(NEW, ids=new))
    assert list(model.document_vectors) == [*old, *new]
    np.testing.assert_array_equal(model.document_vectors.matrix[:40], before)
    trained = model.document_vectors.matrix[40:]
    assert np.abs(trained - start).max(axis=1).min() > 0.01
    found = model.similar_documents(new, 5).items
    home = [
        int(like.split()[1]) % 2 == number % 2 for number, row in enumerate(found) for like in row
    ]
    assert np.mean(home) > 0.9


def test_partial_fit_trains_a_document_on_where_it_knows_the_id():
    model = make().fit(fr.Corpus.from_tokens(ROWS[:40], ids=range(40)))
    before = model.document_vectors.matrix.copy()
    model.partial_fit(fr.Corpus.from_tokens([ROWS[41], ROWS[43]], ids=[100, 6]))
    assert list(model.document_vectors) == [*range(40), 100]
    changed = np.abs(model.document_vectors.matrix[:40] - before).max(axis=1) > 0
    assert np.flatnonzero(changed).tolist() == [6]


def test_partial_fit_with_ids_of_another_kind_is_refused():
    model = make(epochs=1).fit(ROWS)
    before = model.infer(NEW)
    with pytest.raises(fr.InputError, match="ids"):
        model.partial_fit(fr.Corpus.from_tokens(NEW, ids=[f"new {n}" for n in range(40)]))
    same(model.infer(NEW), before)


# Inference


def test_embed_is_infer_with_the_parameters_of_the_model():
    model = make(infer_epochs=7, seed=3).fit(ROWS)
    same(model.embed(NEW), model.infer(NEW, epochs=7, learning_rate=0.1, seed=3))


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_inference_gives_the_same_bits_for_any_threads_and_batches(kind, threads):
    model = make(**kind, epochs=10).fit(ROWS)
    expected = model.infer(NEW, seed=9, threads=1).matrix
    np.testing.assert_array_equal(model.infer(NEW, seed=9, threads=threads).matrix, expected)
    for size in (1, 7, 39):
        parts = [
            model.infer(NEW[start : start + size], seed=9, threads=threads).matrix
            for start in range(0, 40, size)
        ]
        np.testing.assert_array_equal(np.concatenate(parts), expected)


def test_another_seed_infers_another_vector_close_by():
    model = make().fit(ROWS)
    one, other = (model.infer(NEW, seed=seed).matrix for seed in (1, 2))
    assert (one != other).any(axis=1).all()
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    assert ((one * other).sum(axis=1) / norms).min() > 0.8


def test_more_passes_move_the_vector_farther():
    model = make().fit(ROWS)
    few, many = (np.linalg.norm(model.infer(NEW, epochs=n).matrix, axis=1) for n in (1, 40))
    assert (many > 1.2 * few).all()


def test_documents_without_a_known_word_get_zeros():
    got = make().fit(ROWS).infer([[], ["unheard"], ["unheard", "a1"], ["a1"]], ids=list("wxyz"))
    assert got.matrix.any(axis=1).tolist() == [False, False, True, True]
    np.testing.assert_array_equal(got["y"], got["z"])


@pytest.mark.parametrize("loss", LOSSES)
def test_a_document_of_one_word_has_a_vector(kind, loss):
    model = make(**kind, loss=loss).fit([*ROWS, ["a1"]])
    assert model.infer([["a1"]]).matrix.any()


def test_dbow_learns_from_documents_of_one_word():
    model = make().fit([["a"], ["b"]] * 40)
    topic_of = np.arange(80) % 2
    assert share_at_home(model, np.arange(80), topic_of) == 1
    assert share_at_home(model, model.infer([["a"], ["b"]]), [0, 1]) == 1


@pytest.mark.parametrize("threads", [1, 3])
def test_every_word_of_a_million_counts(kind, threads):
    """The last word is the only one that tells two documents apart."""
    model = make(**kind, epochs=1).fit(ROWS)
    words = np.array(["a1", "a2", "b1"])[np.arange(1_000_000) % 3].tolist()
    documents = fr.Corpus.from_tokens([words, [*words[:-1], "b9"]])
    one, other = model.infer(documents, epochs=1, threads=threads).matrix
    assert np.isfinite(one).all()
    assert np.abs(one - other).max() > 1e-4


def test_words_of_ten_thousand_letters_are_inferred_like_others():
    long = {f"{topic}{place}": f"{topic}{place}" * 5000 for topic in "ab" for place in range(12)}
    long["and"] = "and" * 3000
    short, longer = make().fit(ROWS), make().fit([[long[w] for w in row] for row in ROWS])
    same(longer.infer([[long[w] for w in row] for row in NEW]), short.infer(NEW))


def test_ctrl_c_is_heard_in_the_inference_of_one_long_document():
    model = make(**KINDS["dm mean"], epochs=1).fit(ROWS)
    document = fr.Corpus.from_tokens(
        [list(itertools.islice(itertools.cycle(["a1", "b2"]), 50_000))]
    )
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt), ctrl_c_after(0.5):
        model.infer(document, epochs=20_000, threads=2)
    assert time.monotonic() - begin < 15  # of minutes


def test_a_diverging_inference_names_the_parameter():
    model = make().fit(ROWS)
    with pytest.raises(fr.DivergedError, match=r"learning rate of 1e\+39; lower learning_rate"):
        model.infer(NEW, learning_rate=1e39)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number"),
        ({"epochs": 1.5}, "epochs must be a whole number"),
        ({"learning_rate": 1e-9}, "learning_rate must be a finite number"),
        ({"learning_rate": float("nan")}, "learning_rate must be a finite number"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"threads": 0}, "threads must be a whole number"),
        ({"on_unknown": "skip"}, "on_unknown must be one of"),
        ({"ids": [1, 2]}, "ids must name each of 40 texts"),
    ],
    ids=str,
)
def test_an_argument_out_of_range_is_refused_by_infer(options, message):
    with pytest.raises(fr.InputError, match=message):
        make(epochs=1).fit(ROWS).infer(NEW, **options)


# Parameters


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"architecture": "cbow"}, "architecture must be one of 'dbow', 'dm'"),
        ({"combine": "sum"}, "combine must be one of 'mean', 'concatenate'"),
        ({"train_words": 1}, "train_words must be True or False"),
        ({"architecture": "dm", "train_words": True}, "train_words is for PV-DBOW"),
        ({"combine": "concatenate"}, "combine='concatenate' is for PV-DM"),
        ({"window": 0}, "window must be a whole number"),
        ({"window": 2000}, "window must be a whole number"),
        ({"infer_epochs": 0}, "infer_epochs must be a whole number"),
    ],
    ids=str,
)
def test_a_parameter_out_of_range_is_refused_by_fit(params, message):
    with pytest.raises(fr.InputError, match=message):
        make(**params).fit(ROWS)


@pytest.mark.parametrize(
    ("made", "changed"),
    [
        ("dbow", {"architecture": "dm"}),
        ("dbow", {"train_words": True}),
        ("dm mean", {"combine": "concatenate"}),
        ("dm concatenate", {"window": 2}),
        ("dm concatenate", {"combine": "mean"}),
    ],
    ids=str,
)
def test_what_the_output_layer_was_made_for_cannot_change_without_a_new_fit(
    made, changed, tmp_path
):
    model = make(**KINDS[made], epochs=2).fit(ROWS)
    before, old = model.infer(NEW), model.get_params()
    model.set_params(**changed)
    for ask in (model.infer, model.embed, model.partial_fit):
        with pytest.raises(fr.InputError, match="set it back, or fit anew"):
            ask(NEW)
    model.save(tmp_path / "m.fastrec")
    loaded = fr.load(tmp_path / "m.fastrec").set_params(**old)
    same(loaded.infer(NEW), before)
    same(model.set_params(**old).infer(NEW), before)
    model.set_params(**changed).fit(ROWS)
    assert np.isfinite(model.infer(NEW).matrix).all()


# gensim


def test_gensim_finds_the_documents_that_we_find(tmp_path):
    models = pytest.importorskip("gensim.models")
    ids = [f"doc_{number}" for number in range(len(ROWS))]
    vectors = make().fit(fr.Corpus.from_tokens(ROWS, ids=ids)).document_vectors
    vectors.save_word2vec(tmp_path / "v.bin", binary=True)
    theirs = models.KeyedVectors.load_word2vec_format(str(tmp_path / "v.bin"), binary=True)
    for one, found in zip(ids, vectors.similar(ids, 6).to_lists(), strict=True):
        names = [name for name, _ in theirs.most_similar(one, topn=6)]
        assert names == [name for name, _ in found]
