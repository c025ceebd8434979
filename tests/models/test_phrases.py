"""Phrases: scores against the formulas, joining against a plain loop, files, what is refused."""

import copy
import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import fastrec as fr
from fastrec.data import pair_counts, phrase_joiner
from fastrec.errors import FormatError, InputError, NotFittedError
from fastrec.storage import model_file
from tests.reference.phrases import joined, phrase_scores

WORDS = st.sampled_from(["a", "b", "c", "of", "the"])
DOCUMENTS = st.lists(st.lists(WORDS, max_size=14), min_size=1, max_size=8).filter(any)
CONNECTORS = st.sampled_from([(), ("of",), ("of", "the"), ("the", "of", "unheard")])
SETTINGS = st.fixed_dictionaries(
    {
        "scoring": st.sampled_from(["npmi", "word2vec"]),
        "min_count": st.integers(1, 3),
        "connectors": CONNECTORS,
        "threshold": st.sampled_from([-2.0, -0.1, 0.1, 0.5, 1.5]),
    }
)
TEXTS = ["he left new york", "new york is old", "old and new"] * 5


@pytest.fixture
def small_steps(monkeypatch):
    """Cut texts into pieces of a few words and count few pairs at once."""
    for module in (pair_counts, phrase_joiner):
        monkeypatch.setattr(module, "STEP", 3)
    monkeypatch.setattr(pair_counts, "FEWEST_PAIRS", 2)


def found_by(phrases):
    """Return count and score by name; two phrases may have the same."""
    table = phrases.table()
    columns = (table[name].tolist() for name in ("phrase", "count", "score"))
    return sorted(zip(*columns, strict=True))


def expected(documents, scoring, min_count, connectors, threshold):
    scores = phrase_scores(documents, scoring, min_count, connectors=connectors)
    return {pair: found for pair, found in scores.items() if found[1] > threshold}


def assume_no_score_is_the_threshold(documents, settings):
    """The last bit of a score may differ from that of the plain formula."""
    near = settings["threshold"] - 1e-9, settings["threshold"] + 1e-9
    assume(
        expected(documents, **settings | {"threshold": near[0]}).keys()
        == expected(documents, **settings | {"threshold": near[1]}).keys()
    )


def agrees(documents, settings, memory_limit=None):
    phrases = fr.Phrases(**settings).fit(documents, memory_limit=memory_limit)
    wanted = expected(documents, **settings)
    named = sorted(("_".join(pair), *found) for pair, found in wanted.items())
    found = found_by(phrases)
    assert [row[:2] for row in found] == [row[:2] for row in named]
    np.testing.assert_allclose([row[2] for row in found], [row[2] for row in named], atol=1e-12)
    connectors = settings["connectors"]
    plain = [joined(document, wanted, connectors) for document in documents]
    assert phrases.transform(documents) == plain
    corpus = phrases.transform(fr.Corpus.from_tokens(documents))
    assert list(corpus.decode()) == plain
    counts = Counter(word for words in plain for word in words)
    assert dict(zip(corpus.word_ids.ids, corpus.counts, strict=True)) == counts


@given(DOCUMENTS, SETTINGS)
def test_phrases_are_those_of_the_formulas(documents, settings):
    assume_no_score_is_the_threshold(documents, settings)
    agrees(documents, settings)


@given(DOCUMENTS, SETTINGS)
def test_phrases_are_the_same_however_the_text_is_cut_into_pieces(documents, settings):
    assume_no_score_is_the_threshold(documents, settings)
    with pytest.MonkeyPatch.context() as patch:
        for module in (pair_counts, phrase_joiner):
            patch.setattr(module, "STEP", 3)
        patch.setattr(pair_counts, "FEWEST_PAIRS", 2)
        agrees(documents, settings, memory_limit=0)


def test_a_larger_text_agrees_with_the_formulas():
    random = np.random.default_rng(5)
    codes = (300 * random.random((200, 400)) ** 3).astype(int)
    documents = [[f"w{code}" for code in row] for row in codes]
    settings = {"min_count": 5, "connectors": ("w0", "w2"), "threshold": 0.02}
    agrees(documents, {"scoring": "npmi", **settings})


# By hand


def test_normalized_mutual_information_by_hand():
    # 10 words: a 2, b 4, c 4; the pair ab twice: ln(.2 / (.2 * .4)) / -ln .2 = ln 2.5 / ln 5.
    documents = [["a", "b", "c"], ["c", "a", "b"], ["b", "c"], ["b", "c"]]
    # b 4, c 4, bc three times: ln(.3 / (.4 * .4)) / -ln .3 = ln 1.875 / ln(10 / 3).
    first, second = found_by(fr.Phrases(min_count=2, threshold=0.5).fit(documents))
    assert first == ("a_b", 2, pytest.approx(0.569323441926606, rel=1e-14))
    assert second == ("b_c", 3, pytest.approx(0.522112008812616, rel=1e-14))


def test_the_score_of_word2vec_by_hand():
    # (2 - 1) * 10 / (2 * 4) = 1.25 for ab; bc is there three times: (3 - 1) * 10 / (4 * 4).
    documents = [["a", "b", "c"], ["c", "a", "b"], ["b", "c"], ["b", "c"]]
    phrases = fr.Phrases(scoring="word2vec", min_count=2, discount=1, threshold=1.0).fit(documents)
    assert found_by(phrases) == [("a_b", 2, 1.25), ("b_c", 3, 1.25)]
    plain = fr.Phrases(scoring="word2vec", min_count=2, threshold=-1).fit(documents)
    assert found_by(plain) == [("a_b", 2, 0.0), ("b_c", 3, 0.625)]  # the discount is min_count


def test_words_that_are_only_seen_together_score_one():
    phrases = fr.Phrases(min_count=1, threshold=0.9).fit([["a", "b"], ["c", "d"], ["e"]])
    assert found_by(phrases) == [("a_b", 1, pytest.approx(1)), ("c_d", 1, pytest.approx(1))]


def test_the_usual_thresholds_are_those_that_the_docstring_names():
    random = np.random.default_rng(2)
    documents = [[f"w{n}" for n in random.integers(0, 60, 30)] for _ in range(300)]
    documents += [["new", "york"]] * 9 + [["w0", "york"], ["new", "w0"]] * 4
    for scoring, threshold in (("npmi", 0.5), ("word2vec", 100.0)):
        usual = fr.Phrases(scoring=scoring).fit(documents)
        given = fr.Phrases(scoring=scoring, threshold=threshold).fit(documents)
        assert found_by(usual) == found_by(given)
        assert len(usual) > 0


def test_min_count_is_how_often_a_phrase_occurs_at_least():
    documents = [["a", "b"]] * 3 + [["c", "d"]] * 2 + [["x"]]
    assert [row[0] for row in found_by(fr.Phrases(min_count=3).fit(documents))] == ["a_b"]
    assert len(fr.Phrases(min_count=4).fit(documents)) == 0


# Joining

AB = [["a", "b"], ["b", "c"], ["x"]]  # with min_count=1 a_b and b_c are phrases


def test_a_word_goes_into_the_first_of_two_phrases():
    phrases = fr.Phrases(min_count=1, threshold=0).fit(AB)
    asked = [["a", "b", "c"], ["b", "c", "a", "b", "b", "c"], ["b", "a"]]
    assert phrases.transform(asked) == [["a_b", "c"], ["b_c", "a_b", "b_c"], ["b", "a"]]


def test_a_repeated_word_is_joined_in_twos():
    phrases = fr.Phrases(min_count=1, threshold=-2).fit([["ho"] * 3])
    assert phrases.transform([["ho"] * 5, ["ho"] * 4]) == [["ho_ho"] * 2 + ["ho"], ["ho_ho"] * 2]


def test_phrases_do_not_reach_over_the_end_of_a_document():
    phrases = fr.Phrases(min_count=1, threshold=0).fit(AB)
    corpus = fr.Corpus.from_tokens([["x", "a"], ["b", "x"], [], ["a"], ["b"]])
    assert list(phrases.transform(corpus).decode()) == list(corpus.decode())


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("count", [2, 3, 4, 50, 51])
def test_a_long_run_of_phrases_is_joined_in_small_pieces(monkeypatch, count):
    phrases = fr.Phrases(min_count=1, threshold=-2).fit([["ho"] * 3])
    longest = []
    of_piece = phrase_joiner.neighbours_of

    def recorded(tokens, offsets, start, stop, digits):
        longest.append(stop - start)
        return of_piece(tokens, offsets, start, stop, digits)

    monkeypatch.setattr(phrase_joiner, "neighbours_of", recorded)
    (document,) = phrases.transform([["ho"] * count])
    assert document == ["ho_ho"] * (count // 2) + ["ho"] * (count % 2)
    assert max(longest) <= 6


def test_connectors_stand_inside_a_phrase_and_nowhere_else():
    documents = [["bank", "of", "america"], ["of", "bank"], ["america", "the"], ["x"]] * 5
    phrases = fr.Phrases(connectors=["of", "the"], min_count=2, threshold=0.1).fit(documents)
    assert [name for name, _, _ in found_by(phrases)] == ["bank_of_america"]
    asked = ["the", "bank", "of", "america", "of", "bank", "america"]
    assert phrases.transform([asked]) == [
        ["the", "bank_of_america", "of", "bank", "america"]  # without "of" it is another pair
    ]


def test_at_most_four_connectors_stand_inside_a_phrase():
    texts = [["a", *["of"] * between, "b"] for between in range(7)]
    phrases = fr.Phrases(connectors=["of"], min_count=1, threshold=-2).fit(texts)
    expected = [["_".join(text)] if len(text) <= 6 else text for text in texts]
    assert phrases.transform(texts) == expected


def test_more_passes_find_longer_phrases():
    documents = [["new", "york", "times", "square"], ["new", "york"], ["new"], ["x"]] * 9
    joined_by = {
        passes: fr.Phrases(passes=passes, threshold=0.4).fit(documents).transform(documents[:2])
        for passes in (1, 2)
    }
    assert joined_by == {
        1: [["new_york", "times_square"], ["new_york"]],
        2: [["new_york_times_square"], ["new_york"]],
    }


def test_passes_end_where_nothing_more_is_found():
    phrases = fr.Phrases(passes=9).fit(TEXTS)
    table = phrases.table()
    assert table["pass"].max() < 9
    assert found_by(fr.Phrases(passes=int(table["pass"].max())).fit(TEXTS)) == found_by(phrases)


def test_several_passes_are_those_of_one_after_the_other():
    random = np.random.default_rng(3)
    codes = (40 * random.random((80, 60)) ** 2).astype(int)
    corpus = fr.Corpus.from_tokens([[f"w{code}" for code in row] for row in codes])
    settings = {"min_count": 3, "threshold": 0.05, "connectors": ["w1"]}
    both = fr.Phrases(passes=2, **settings).fit(corpus)
    first = fr.Phrases(**settings).fit(corpus)
    second = fr.Phrases(**settings).fit(first.transform(corpus))
    assert found_by(both) == sorted(found_by(first) + found_by(second))
    assert len(second) > 0
    once = second.transform(first.transform(corpus))
    assert list(both.transform(corpus).decode()) == list(once.decode())
    assert both.transform(corpus.decode()) == list(once.decode())


def test_a_phrase_that_was_a_word_before_is_that_word():
    documents = [["new", "york"], ["new_york"], ["x", "y"]] * 5
    corpus = fr.Phrases().fit(documents).transform(fr.Corpus.from_tokens(documents))
    counts = dict(zip(corpus.word_ids.ids, corpus.counts, strict=True))
    assert counts == {"new_york": 10, "x_y": 5}
    assert fr.Phrases().fit(documents).transform(documents[:2]) == [["new_york"], ["new_york"]]


@pytest.mark.parametrize("separator", ["", " ", "\0", "··"])
def test_any_string_separates_the_words_of_a_phrase(separator):
    phrases = fr.Phrases(separator=separator).fit(TEXTS)
    assert phrases.transform(["New York"]) == [[f"new{separator}york"]]


def test_documents_keep_their_ids_and_those_without_phrases_their_words():
    corpus = fr.Corpus.from_texts(["new york", "", "other words"], ids=["c", "a", "b"])
    changed = fr.Phrases().fit(TEXTS).transform(corpus)
    assert changed.document_ids.ids.tolist() == ["c", "a", "b"]
    assert list(changed.decode()) == [["new_york"], [], ["other", "words"]]


def test_a_corpus_beyond_the_memory_limit_is_joined_in_a_file():
    phrases = fr.Phrases(passes=2).fit(TEXTS * 50, memory_limit=0)
    corpus = fr.Corpus.from_texts(TEXTS * 50)
    limited, free = (phrases.transform(corpus, memory_limit=limit) for limit in (0, None))
    assert list(limited.decode()) == list(free.decode())


def test_texts_words_and_generators_are_joined():
    phrases = fr.Phrases().fit(TEXTS)
    assert phrases.transform(text for text in ["In New York.", ""]) == [["in", "new_york"], []]
    assert phrases.transform([("new", "york")]) == [["new_york"]]
    assert phrases.transform([]) == []
    assert phrases.transform([[]]) == [[]]
    assert phrases.transform([["unheard", "of"]]) == [["unheard", "of"]]


def test_many_phrases_are_told_apart():
    # Left words times right words are more than 32 bits tell apart: the last of each document's
    # pairs is no phrase, but has the number of the first one there.
    count = 70_000
    left = 2**32 // count + 1
    right = left * count - 2**32
    words = [f"w{number}" for number in range(count)]
    joiner = phrase_joiner.Joiner(
        words=fr.IdMap.from_ids(words)[0],
        left=np.arange(count, dtype=np.int32),
        gaps=np.zeros(count, np.int64),
        right=np.arange(count, dtype=np.int32)[::-1].copy(),
        counts=np.ones(count, np.int64),
        scores=np.ones(count),
        connectors=(),
        separator="_",
    )
    documents = [
        [words[n], words[-1 - n], words[left + n], words[-1 - n - right]]
        for n in range(count - left)
    ]
    corpus = joiner.join_corpus(fr.Corpus.from_tokens(documents), None)
    assert list(corpus.decode()) == [
        [f"{first}_{second}", *rest] for first, second, *rest in documents
    ]


# Determinism, models, files


def test_the_same_text_gives_the_same_phrases_in_the_same_order():
    first, second = (fr.Phrases(passes=2, threshold=0.1).fit(TEXTS).table() for _ in range(2))
    for column, values in first.items():
        assert values.tolist() == second[column].tolist()
    assert (np.diff(first["score"][first["pass"] == 1]) <= 0).all()


def test_phrases_are_words_of_word_and_sentence_vectors():
    phrases = fr.Phrases().fit(TEXTS)
    corpus = phrases.transform(fr.Corpus.from_texts(TEXTS))
    model = fr.Word2Vec(dim=4, min_count=1, epochs=1, subsample=0, threads=1).fit(corpus)
    assert "new_york" in model.word_vectors
    sentences = fr.SentenceVectors(weighting="sum").fit(corpus, vectors=model)
    embedded = sentences.embed(phrases.transform(["New York"])).matrix[0]
    np.testing.assert_allclose(embedded, model.word_vectors["new_york"], rtol=1e-6)


@pytest.mark.parametrize("mmap", [False, True])
def test_a_file_gives_the_same_phrases_back(tmp_path, mmap):
    phrases = fr.Phrases(passes=2, threshold=0.1, connectors=["is"]).fit(TEXTS)
    phrases.save(tmp_path / "phrases.fastrec")
    loaded = fr.load(tmp_path / "phrases.fastrec", mmap=mmap)
    assert isinstance(loaded, fr.Phrases)
    assert found_by(loaded) == found_by(phrases)
    assert loaded.transform(TEXTS) == phrases.transform(TEXTS)
    assert loaded.get_params() == phrases.set_params(connectors=["is"]).get_params()
    assert found_by(loaded.fit(TEXTS)) == found_by(phrases)


def test_phrases_travel_through_pickle_and_copy():
    phrases = fr.Phrases(connectors=("of",)).fit(TEXTS)
    for again in (pickle.loads(pickle.dumps(phrases)), copy.deepcopy(phrases)):
        assert again.transform(TEXTS) == phrases.transform(TEXTS)
    assert len(pickle.loads(pickle.dumps(fr.Phrases(min_count=3)))) == 0


def test_a_file_without_any_phrase_comes_back(tmp_path):
    fr.Phrases(min_count=99).fit(TEXTS).save(tmp_path / "p")
    assert fr.load(tmp_path / "p").transform([["new", "york"]]) == [["new", "york"]]


def _two_phrases():
    return fr.Phrases(threshold=0.75, connectors=["of"]).fit(TEXTS)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("pass_1.left", np.array([99, 0], np.int32)),
        ("pass_1.left", np.array([0], np.int32)),
        ("pass_1.right", np.array([-1, 0], np.int32)),
        ("pass_1.counts", np.array([1, 2], np.float64)),
        ("pass_1.gaps", np.array([7, 0], np.int64)),
        ("pass_1.gaps", np.array([-1, 0], np.int64)),
        ("pass_1.gaps", np.array([1 << 15, 0], np.int64)),
        ("pass_1.scores", None),
    ],
)
def test_a_file_that_does_not_fit_together_is_a_format_error(tmp_path, name, array):
    class_name, params, arrays, state = _two_phrases()._content()
    assert len(arrays["pass_1.left"]) == 2
    arrays.pop(name)
    model_file.save(
        tmp_path / "p", class_name, params, arrays | ({} if array is None else {name: array}), state
    )
    with pytest.raises(FormatError, match="is damaged"):
        fr.load(tmp_path / "p")


def test_a_fit_that_fails_leaves_the_phrases_that_were_there():
    phrases = fr.Phrases().fit(TEXTS)
    with pytest.raises(InputError):
        phrases.fit([""])
    assert phrases.transform(["new york"]) == [["new_york"]]


# What is refused


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"scoring": "pmi"}, "scoring must be one of 'npmi', 'word2vec', got 'pmi'"),
        ({"threshold": "high"}, "threshold must be a number"),
        ({"threshold": float("nan")}, "threshold must be a finite number"),
        ({"min_count": 0}, "min_count must be a whole number of at least 1"),
        ({"passes": 0}, "passes must be a whole number of at least 1"),
        ({"discount": 3}, "discount is a part of scoring='word2vec'"),
        ({"scoring": "word2vec", "discount": -1}, "discount must be a finite number of at least 0"),
        ({"separator": None}, "separator must be a str of valid Unicode, got None"),
        ({"separator": "\ud800"}, "separator must be a str of valid Unicode"),
        ({"connectors": "of"}, "connectors must be a list of words, got 'of'"),
        ({"connectors": iter(["of"])}, "connectors must be a list of words"),
        ({"connectors": [1]}, "connectors must be words of valid Unicode, got 1"),
        ({"connectors": [str(n) for n in range(40_000)]}, "connectors must be at most 32767, got"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(params, message):
    with pytest.raises(InputError, match=message):
        fr.Phrases(**params).fit(TEXTS)


def test_what_is_no_text_is_refused():
    phrases = fr.Phrases().fit(TEXTS)
    with pytest.raises(InputError, match="documents must be an iterable of documents, got the si"):
        phrases.transform("new york")
    with pytest.raises(InputError, match="document 0 must be a list of words, got 7"):
        phrases.transform([7])
    with pytest.raises(InputError, match="memory_limit is for a Corpus"):
        phrases.transform(["new york"], memory_limit=5)
    with pytest.raises(InputError, match="memory_limit must be a whole number"):
        phrases.fit(TEXTS, memory_limit=-1)


def test_before_fit_there_are_no_phrases(tmp_path):
    phrases = fr.Phrases()
    assert len(phrases) == 0
    for ask in (phrases.table, lambda: phrases.transform(TEXTS), lambda: phrases.save(tmp_path)):
        with pytest.raises(NotFittedError, match="call fit"):
            ask()


@pytest.mark.realdata
def test_phrases_of_an_encyclopedia_have_their_counts_and_scores(real_data):
    corpus = fr.Corpus.from_parquet(real_data / "wiki17m" / "articles.parquet")
    phrases = fr.Phrases(scoring="npmi", threshold=0.5).fit(corpus)
    table = phrases.table()
    (place,) = np.flatnonzero(table["phrase"] == "united_states")
    united, states = corpus.word_ids.encode(["united", "states"])
    begins = np.zeros(corpus.n_tokens + 1, bool)
    begins[corpus.offsets] = True
    pairs = (corpus.tokens[:-1] == united) & (corpus.tokens[1:] == states) & ~begins[1:-1]
    share = pairs.sum() / corpus.n_tokens
    by_chance = np.prod(corpus.counts[[united, states]] / corpus.n_tokens)
    assert table["count"][place] == pairs.sum()
    assert table["score"][place] == pytest.approx(np.log(share / by_chance) / -np.log(share))
    joined_corpus = phrases.transform(corpus)
    assert joined_corpus.n_tokens < corpus.n_tokens
    assert len(joined_corpus) == len(corpus)
