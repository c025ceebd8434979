"""What a corpus is: codes by frequency, documents with ids, parts, copies, memory."""

import copy
import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrec.data import Corpus, as_corpus, corpus_builder, encode_documents, growing
from fastrec.errors import FastrecError, InputError

WORD = st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.sampled_from("abc")
DOCUMENTS = st.lists(st.lists(WORD, max_size=8), min_size=1, max_size=12).filter(any)
CATS = [["the", "cat", "sat"], ["the", "dog"], [], ["a", "cat", "the"]]


def documents_of(corpus):
    return list(corpus.decode())


def counts_of(corpus):
    return dict(zip(corpus.word_ids.ids.tolist(), corpus.counts.tolist(), strict=True))


@given(DOCUMENTS)
def test_a_corpus_holds_its_documents_word_by_word(documents):
    corpus = Corpus.from_tokens(documents)
    assert documents_of(corpus) == documents
    assert [row.tolist() for row in corpus.sequences()] == [
        corpus.word_ids.encode(words).tolist() for words in documents
    ]
    assert (len(corpus), corpus.n_tokens) == (len(documents), sum(map(len, documents)))


@given(DOCUMENTS)
def test_codes_go_by_frequency_and_then_by_first_appearance(documents):
    counts = Counter(word for words in documents for word in words)
    corpus = Corpus.from_tokens(documents)
    assert corpus.word_ids.ids.tolist() == [word for word, _ in counts.most_common()]
    assert corpus.counts.tolist() == [count for _, count in counts.most_common()]
    assert corpus.n_words == len(counts)


@given(DOCUMENTS, st.data())
def test_a_part_of_a_corpus_has_its_documents_and_counts_anew(documents, data):
    rows = data.draw(st.lists(st.sampled_from(range(len(documents))), min_size=1, unique=True))
    chosen = [documents[row] for row in rows]
    corpus = Corpus.from_tokens(documents)
    if not any(chosen):
        with pytest.raises(InputError, match="at least one word"):
            corpus.take(rows)
        return
    part = corpus.take(rows)
    assert documents_of(part) == chosen
    assert counts_of(part) == Counter(word for words in chosen for word in words)
    assert part.document_ids.decode(np.arange(len(rows))).tolist() == rows


@given(DOCUMENTS, st.lists(st.lists(WORD, max_size=8), max_size=5))
def test_new_documents_are_encoded_without_their_unknown_words(documents, new):
    corpus = Corpus.from_tokens(documents)
    tokens, offsets, unknown = encode_documents(new, corpus.word_ids)
    known = set(corpus.word_ids.ids.tolist())
    kept = [[word for word in words if word in known] for words in new]
    cuts = [corpus.word_ids.decode(part).tolist() for part in np.split(tokens, offsets[1:-1])]
    assert (cuts if new else []) == kept
    assert unknown == sum(map(len, new)) - sum(map(len, kept))


def test_a_corpus_in_the_codes_of_another_is_what_its_words_are():
    corpus, other = Corpus.from_tokens(CATS), Corpus.from_tokens([["dog", "cow", "the"], ["cow"]])
    tokens, offsets, unknown = encode_documents(other, corpus.word_ids)
    assert corpus.word_ids.decode(tokens).tolist() == ["dog", "the"]
    assert (offsets.tolist(), unknown) == ([0, 2, 2], 2)


# Sizes


def test_one_word_makes_a_corpus():
    corpus = Corpus.from_texts(["word"])
    assert documents_of(corpus) == [["word"]]


def test_a_document_of_a_million_words_is_not_cut():
    words = [f"w{number % 1013}" for number in range(1_000_000)]
    texts, lists = [" ".join(words), "end"], [words, ["end"]]
    for corpus in (Corpus.from_texts(texts), Corpus.from_tokens(lists)):
        assert np.diff(corpus.offsets).tolist() == [1_000_000, 1]
        assert corpus.word_ids.decode(corpus.tokens[:-1]).tolist() == words


def test_many_documents_keep_their_order():
    documents = [[f"w{row}"] if row % 3 else [] for row in range(20_000)]
    corpus = Corpus.from_tokens(iter(documents))
    assert documents_of(corpus) == documents


def test_empty_documents_keep_their_place():
    corpus = Corpus.from_texts(["", "a b", "...", "c", ""])
    assert documents_of(corpus) == [[], ["a", "b"], [], ["c"], []]


@pytest.mark.parametrize("length", [10_000, 3_000_000])
def test_words_of_any_length_are_kept(length):
    long = "x" * length
    corpus = Corpus.from_tokens([["short", long, long]])
    assert counts_of(corpus) == {long: 2, "short": 1}


def test_words_given_as_such_are_kept_as_they_are():
    words = ["", " ", "A", "a", "a\0b", "\0", "é", "e\u0301", "\r\n", "👨‍👩‍👧", "\ufeff", "ﷺ"]
    corpus = Corpus.from_tokens([words])
    assert documents_of(corpus) == [words]


# Where texts come from


@pytest.mark.parametrize(
    "documents",
    [
        CATS,
        tuple(map(tuple, CATS)),
        (iter(words) for words in CATS),
        [np.array(words, dtype=str) for words in CATS],
        [np.array(words, dtype=object) for words in CATS],
    ],
    ids=["lists", "tuples", "iterators", "NumPy strings", "NumPy objects"],
)
def test_lists_of_words_come_in_many_forms(documents):
    assert documents_of(Corpus.from_tokens(documents)) == CATS


def test_a_generator_is_read_once():
    taken = []

    def texts():
        for text in ("one two", "three"):
            taken.append(text)
            yield text

    assert documents_of(as_corpus(texts())) == [["one", "two"], ["three"]]
    assert taken == ["one two", "three"]


def test_texts_and_lists_of_words_are_told_apart_by_the_first_document():
    assert documents_of(as_corpus(["A b", "c"])) == [["a", "b"], ["c"]]
    assert documents_of(as_corpus([["A b"], ["c"]])) == [["A b"], ["c"]]
    corpus = Corpus.from_texts(["a"])
    assert as_corpus(corpus) is corpus


def test_a_tokenizer_of_the_users_cuts_the_texts():
    assert documents_of(Corpus.from_texts(["A-b C", ""], tokenize=str.split)) == [["A-b", "C"], []]
    assert documents_of(as_corpus(["xyz"], tokenize=list)) == [["x", "y", "z"]]
    lazy = Corpus.from_texts(["a b"], tokenize=lambda text: (word for word in text.split()))
    assert documents_of(lazy) == [["a", "b"]]


def test_what_a_tokenizer_raises_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        Corpus.from_texts(["a"], tokenize=lambda text: 1 / 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Corpus.from_texts([]), "at least one document, got none"),
        (lambda: Corpus.from_texts(["", "?!"]), "at least one word, got 2 without any"),
        (lambda: Corpus.from_tokens([[], []]), "at least one word, got 2 without any"),
        (lambda: Corpus.from_texts("a text"), "got the single str 'a text'; put one text into"),
        (lambda: Corpus.from_texts(["a", None]), "document 1 must be a str, got None; drop"),
        (lambda: Corpus.from_texts(["a", b"b"]), r"document 1 must be a str, got b'b'; decode"),
        (lambda: Corpus.from_texts(["a", ["b"]]), "document 1 must be a str.*from_tokens"),
        (lambda: Corpus.from_texts(5), "iterable of str or of lists of str, got int"),
        (lambda: Corpus.from_tokens([["a"], "b"]), "document 1 must be a list of words.*from_tex"),
        (lambda: Corpus.from_tokens([["a"], 7]), "document 1 must be a list of words, got 7"),
        (lambda: Corpus.from_tokens([{"a": 1}]), "document 0 must be a list of words"),
        (lambda: Corpus.from_tokens([np.array([["a"]])]), "document 0 must be a list of words"),
        (lambda: Corpus.from_tokens([["a"], ["b", 7]]), "document 1 .* got 7 of type int"),
        (lambda: Corpus.from_tokens([["a"], ["b", None]]), "document 1 .* got None of type"),
        (lambda: Corpus.from_tokens([["\ud800"]]), "document 0 .* with a lone surrogate"),
        (lambda: as_corpus(["a", ["b"]]), "document 1 must be a str"),
        (lambda: as_corpus([["a"], "b"]), "document 1 must be a list of words"),
        (lambda: as_corpus([["a"]], tokenize=str.split), "leave tokenize out for lists"),
        (lambda: as_corpus(Corpus.from_texts(["a"]), tokenize=str.split), "is cut already"),
        (lambda: Corpus.from_texts(["a"], tokenize=3), "tokenize must be a function"),
        (lambda: Corpus.from_texts(["a"], tokenize=lambda t: t), "tokenize must return a list"),
        (lambda: Corpus.from_texts(["a"], tokenize=lambda t: [1]), "got 1 of type int; tokenize"),
        (lambda: Corpus.from_texts(["a"], tokenize=lambda t: None), "tokenize must return a list"),
        (lambda: Corpus.from_texts(["a"], memory_limit=-1), "memory_limit must be a whole number"),
    ],
)
def test_what_makes_no_corpus_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_a_wrong_document_far_down_is_named_by_its_number():
    with pytest.raises(InputError, match="document 9000 must be a str, got None"):
        Corpus.from_texts(None if row == 9000 else "text" for row in range(10_000))
    with pytest.raises(InputError, match=r"document 9000 must hold words.* got 1\.5 of type float"):
        Corpus.from_tokens([1.5] if row == 9000 else ["a"] for row in range(10_000))


# Ids of documents


def test_documents_are_numbered_unless_they_have_ids():
    assert Corpus.from_tokens(CATS).document_ids.ids.tolist() == [0, 1, 2, 3]
    assert Corpus.from_tokens(CATS).given_ids is None
    named = Corpus.from_tokens(CATS, ids=["d", "b", "c", "a"])
    assert named.document_ids.ids.tolist() == ["d", "b", "c", "a"]
    assert named.take([2, 1]).document_ids.ids.tolist() == ["c", "b"]


def test_ids_that_are_numbers_stay_with_their_documents():
    corpus = Corpus.from_texts(["a", "b", "c"], ids=np.array([30, 10, 20]))
    assert corpus.document_ids.encode([10]).tolist() == [1]
    assert corpus.document_ids.decode([0, 1, 2]).tolist() == [30, 10, 20]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1, 2], "ids must be one for each of 3 documents, got 2"),
        ([1, 2, 1], "ids must be different, got 1 twice"),
        (["x", "y", "x"], "ids must be different, got 'x' again for document 2"),
        ([1, 2, -1], "-1"),
        (["x", None, "y"], "missing"),
    ],
)
def test_ids_are_one_and_another_for_each_document(ids, message):
    with pytest.raises(InputError, match=message):
        Corpus.from_texts(["a", "b", "c"], ids=ids)


# Parts


def test_a_mask_chooses_documents():
    corpus = Corpus.from_tokens(CATS)
    assert documents_of(corpus.take(np.array([True, False, True, False]))) == [CATS[0], []]
    assert list(corpus.decode([3, 0])) == [CATS[3], CATS[0]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([0, 0], "got one twice"),
        ([4], "from 0 to 3, got 4 to 4"),
        ([-1], "from 0 to 3"),
        ([True, False], "one value a document, 4, got 2"),
        ([0.5], "whole numbers"),
        ([], "at least one document"),
        ([2], "at least one word"),
    ],
)
def test_parts_that_are_none_are_refused(rows, message):
    with pytest.raises(InputError, match=message):
        Corpus.from_tokens(CATS).take(rows)


def test_a_long_corpus_is_taken_apart_in_steps(monkeypatch):
    monkeypatch.setattr(corpus_builder, "STEP", 4)
    documents = [[f"w{row}"] * (row % 7) for row in range(50)]
    part = Corpus.from_tokens(documents).take(np.arange(49, -1, -1))
    assert documents_of(part) == documents[::-1]


# Memory, copies


def test_a_text_beyond_the_memory_limit_lies_in_a_file_and_is_the_same():
    small, large = (Corpus.from_tokens(CATS * 500, memory_limit=limit) for limit in (0, None))
    assert growing.is_mapped(small.tokens)
    assert growing.is_mapped(small.offsets)
    assert not growing.is_mapped(large.tokens)
    assert documents_of(small) == documents_of(large)
    assert small.word_ids == large.word_ids


def test_a_disk_that_is_full_is_reported(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(FastrecError, match="set TMPDIR to a folder with room"):
        Corpus.from_tokens(CATS, memory_limit=0)


def test_the_arrays_cannot_be_written_to():
    corpus = Corpus.from_tokens(CATS)
    for array in (corpus.tokens, corpus.offsets, corpus.counts):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize("limit", [0, None])
def test_a_corpus_travels_through_pickle(limit):
    corpus = Corpus.from_tokens(CATS, ids=["d", "b", "c", "a"], memory_limit=limit)
    again = pickle.loads(pickle.dumps(corpus))
    assert documents_of(again) == CATS
    assert again.document_ids == corpus.document_ids
    assert not again.tokens.flags.writeable
    assert copy.deepcopy(corpus) is corpus


def test_the_size_is_that_of_the_arrays():
    corpus = Corpus.from_tokens(CATS * 100)
    words = corpus.word_ids.nbytes + corpus.counts.nbytes
    assert corpus.nbytes == 4 * corpus.n_tokens + 8 * (len(corpus) + 1) + words


def test_a_different_word_takes_its_utf8_and_20_bytes():
    short, long = ([f"{row:0{width}}" for row in range(1000)] for width in (4, 14))
    few, more = (Corpus.from_tokens([words[:500]]) for words in (short, long))
    many = Corpus.from_tokens([short])
    assert many.nbytes - few.nbytes == 500 * (4 + 4 + 20)  # a token, four letters, the word
    assert more.nbytes - few.nbytes == 500 * 10


def test_a_corpus_says_what_it_holds():
    assert repr(Corpus.from_tokens(CATS)) == "Corpus(4 documents, 8 tokens, 5 words)"
