"""The tokenizer, regular and compiled, against one that goes character by character."""

import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastrec.data.corpus import Corpus
from fastrec.data.tokenize import words
from tests.reference.words import plain_words

# Characters that mean something to the tokenizer come up often.
SPECIAL = (
    "ab_' \u2019\u00ad\u200c\u200d\u0301\u0327\u1161\u11a8é東Iİß\u017f\0\r\n\t\ufeff\u2028🙂ﬁΣ2²½"
)
TEXT = st.text(st.sampled_from(SPECIAL) | st.characters(), max_size=40)
ASCII = st.text(st.sampled_from("aZ0_' .\0\r\n\x7f") | st.characters(max_codepoint=127))


@given(TEXT | ASCII)
@example("a__b _a a_ a_\u0301b a\u0301_b a'\u0301b a''b a'_b 'a' a\u200d\u200db")
def test_words_are_those_found_character_by_character(text):
    assert words(text) == plain_words(text)


@given(st.lists(TEXT | ASCII, min_size=1))
def test_a_corpus_has_the_words_of_its_texts_in_order(texts):
    expected = [plain_words(text) for text in texts]
    if not any(expected):
        return
    assert list(Corpus.from_texts(texts).decode()) == expected


@given(TEXT)
def test_words_joined_by_spaces_are_the_same_words(text):
    once = words(text)
    assert words(" ".join(once)) == [unicodedata.normalize("NFC", word.lower()) for word in once]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop: NEW_YORK, it\u2019s 3!", ["don't", "stop", "new_york", "it's", "3"]),
        ("e\u0301te\u0301 \u00e9t\u00e9", ["été", "été"]),
        ("İstanbul", ["i\u0307stanbul"]),  # a lower case of two characters
        ("STRASSE STRAẞE ﬁn", ["strasse", "straße", "ﬁn"]),
        ("ΟΔΟΣ ΟΔΟΣ.", ["οδος", "οδος"]),
        ("שָׁלוֹם, עולם", ["שָׁלוֹם", "עולם"]),
        ("مرحبا\u060c بالعالم", ["مرحبا", "بالعالم"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),  # noqa: RUF001
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("x👨‍👩‍👧y 🙂 z👍🏽", ["x", "y", "z"]),
        ("a\0b\r\nc\rd\u2028e\x85f\x0bg", list("abcdefg")),
        ("\ufeffa\ufeffb", ["a", "b"]),
        ("a\ud800b", ["a", "b"]),  # half of a surrogate pair is no letter
        ("co\u00adoperate", ["cooperate"]),
        ("__a__ _ ' ''", ["a"]),
        ("", []),
        (" \n!?…—🙂", []),
    ],
    ids=ascii,
)
def test_words_of_a_text(text, expected):
    assert words(text) == expected


def test_every_combining_mark_is_part_of_a_word():
    marks = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c)[0] == "M"]
    cut = [mark for mark in marks if len(words(f"a{mark}b")) != 1]
    assert len(marks) > 2000
    assert cut == []


@pytest.mark.parametrize("letter", ["a", "é", "東", "\U0001d4b3"])
def test_a_word_of_ten_thousand_letters_is_not_cut(letter):
    long = letter * 10_000
    assert words(f"{long} end") == [unicodedata.normalize("NFC", long.lower()), "end"]
    assert next(Corpus.from_texts([f"{long} end"]).decode()) == words(f"{long} end")
