"""Reading analogies and pairs: text files, Parquet, tables, rows, and what is wrong with them."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastrec.errors import FormatError, InputError
from fastrec.evaluation.word_questions import read_analogies, read_pairs

ANALOGIES = """// a comment
: capitals
Athens Greece Oslo Norway
Oslo\tNorway  Athens Greece

: family
boy girl he she
"""
SECTIONS = ["capitals", "family"]
WORDS = [
    *("Athens", "Greece", "Oslo", "Norway"),
    *("Oslo", "Norway", "Athens", "Greece"),
    *("boy", "girl", "he", "she"),
]
ANALOGY_TABLE = {
    "section": ["capitals", "capitals", "family"],
    **{name: WORDS[place::4] for place, name in enumerate("abcd")},
}
PAIR_TABLE = {"word1": ["love", "tiger"], "word2": ["sex", "cat"], "score": [6.77, 7.0]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "questions.txt"


def write(path, text):
    path.write_bytes(text.encode())
    return path


def parquet(path, table):
    path = path.with_suffix(".parquet")
    pq.write_table(pa.table(table), path)
    return path


def check_analogies(found, sections=SECTIONS, section=(0, 0, 1), words=WORDS):
    assert found.sections == list(sections)
    assert found.section.tolist() == list(section)
    assert found.words == list(words)


def check_pairs(found):
    assert found.words == ["love", "sex", "tiger", "cat"]
    np.testing.assert_array_equal(found.scores, [6.77, 7.0])


# Analogies


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_sections_and_words_of_a_text_file(path, start, end):
    check_analogies(read_analogies(write(path, start + ANALOGIES.replace("\n", end))))


def test_a_path_may_be_a_string(path):
    check_analogies(read_analogies(str(write(path, ANALOGIES))))


def test_lines_before_any_section_have_one(path):
    found = read_analogies(write(path, "a b c d\n: more\ne f g h\n"))
    check_analogies(found, ["questions", "more"], [0, 1], list("abcdefgh"))


def test_a_section_that_goes_on_later_is_one(path):
    found = read_analogies(write(path, ": x\na b c d\n: y\n: x\ne f g h\n"))
    check_analogies(found, ["x", "y"], [0, 0], list("abcdefgh"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "one two three",
            "line 3 of .*questions.txt' must hold four words.* got 3: 'one two three'",
        ),
        ("one two three four five", "line 3 .* got 5"),
        (":", "line 3 .* must name a section"),
    ],
)
def test_a_malformed_line_is_named(path, line, message):
    with pytest.raises(FormatError, match=message):
        read_analogies(write(path, f": x\na b c d\n{line}\n"))


def test_a_line_that_is_not_utf8_is_named(path):
    path.write_bytes(b": x\na b c \xff\n")
    with pytest.raises(FormatError, match=r"line 2 of .* is not UTF-8"):
        read_analogies(path)


def test_a_missing_file_is_named(path):
    with pytest.raises(InputError, match="no file"):
        read_analogies(path)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: parquet(path, ANALOGY_TABLE),
        lambda path: parquet(path, ANALOGY_TABLE).parent,
        lambda path: ANALOGY_TABLE,
        lambda path: pa.table(ANALOGY_TABLE),
        lambda path: pd.DataFrame(ANALOGY_TABLE),
        lambda path: pl.DataFrame(ANALOGY_TABLE),
        lambda path: [
            (section, *WORDS[4 * row : 4 * row + 4])
            for row, section in enumerate(ANALOGY_TABLE["section"])
        ],
    ],
    ids=["file", "folder", "dict", "arrow", "pandas", "polars", "rows"],
)
def test_analogies_of_tables_and_rows(path, make):
    check_analogies(read_analogies(make(path)))


@pytest.mark.parametrize(
    "given",
    [
        {name: [name] for name in "abcd"},
        [("a", "b", "c", "d")],
        np.array([["a", "b", "c", "d"]]),
        iter([["a", "b", "c", "d"]]),
    ],
    ids=["dict", "rows", "matrix", "iterator"],
)
def test_analogies_without_sections_are_one(given):
    check_analogies(read_analogies(given), ["questions"], [0], list("abcd"))


def test_ids_that_are_whole_numbers_stay_so():
    assert read_analogies([(1, 2, 3, 4)]).words == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([("a", "b", "c", "d"), ("a", "b", "c")], "row 1 of questions must be four words"),
        ([(1, 2, 3, 4, 5)], "row 0 of questions must be four words, or a section"),
        (["a b c d"], "row 0 of questions must be four words"),
        ([("a", "b", None, "d")], "row 0 of questions has a missing word"),
        (7, "questions must be the path of a file, a table or rows .* got 7 of type int"),
        ({"a": ["x"], "b": ["x"], "c": ["x"]}, "no column 'd'"),
        ({"a": ["x"], "b": ["x"], "c": [None], "d": ["x"]}, "row 0 of the table has a missing"),
        ({"a": ["x"], "b": ["x"], "c": ["x"], "d": ["x", "y"]}, "d.*2"),
    ],
)
def test_what_is_no_analogy_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        read_analogies(given)


# Pairs


@pytest.mark.parametrize(
    "text",
    [
        "love\tsex\t6.77\ntiger\tcat\t7.0\n",
        "love,sex,6.77\ntiger , cat , 7\n",
        "# people's scores\nWord 1\tWord 2\tHuman (mean)\nlove\tsex\t6.77\n\ntiger\tcat\t7\n",
        "word1,word2,score\r\nlove,sex,6.77\r\n# more\r\ntiger,cat,7.0\r\n",
    ],
    ids=["tabs", "commas", "comment and header", "windows"],
)
def test_pairs_of_a_text_file(path, text):
    check_pairs(read_pairs(write(path, text)))


def test_words_between_tabs_may_hold_commas(path):
    found = read_pairs(write(path, "a, b\tc d\t1\n"))
    assert found.words == ["a, b", "c d"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b 1\n", "line 1 of .*questions.txt' must hold two words and a number"),
        ("a,b,1\na,b\n", "line 2 .* two words and a number"),
        ("a,b,1,2\n", "line 1 .* two words and a number"),
        ("a,,1\n", "line 1 .* two words and a number"),
        ("a,b,1\nc,d,high\n", "line 2 .* finite number, got 'high'"),
        ("a,b,1x\n", "line 1 .* finite number, got '1x'"),
        ("a,b,1\na,b,nan\n", "line 2 .* finite number, got 'nan'"),
        ("x,y,z\nx,y,z\n", "line 2 .* finite number, got 'z'"),
    ],
)
def test_a_malformed_pair_is_named(path, text, message):
    with pytest.raises(FormatError, match=message):
        read_pairs(write(path, text))


@pytest.mark.parametrize(
    "make",
    [
        lambda path: parquet(path, PAIR_TABLE),
        lambda path: PAIR_TABLE,
        lambda path: pa.table(PAIR_TABLE),
        lambda path: pd.DataFrame(PAIR_TABLE),
        lambda path: pl.DataFrame(PAIR_TABLE),
        lambda path: list(zip(*PAIR_TABLE.values(), strict=True)),
    ],
    ids=["file", "dict", "arrow", "pandas", "polars", "rows"],
)
def test_pairs_of_tables_and_rows(path, make):
    check_pairs(read_pairs(make(path)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([("a", "b")], "row 0 of pairs must be two words and a finite number"),
        ([("a", "b", "1")], "row 0 of pairs must be"),
        ([("a", "b", 1.0), ("a", "b", float("inf"))], "row 1 of pairs must be"),
        ([("a", None, 1.0)], "row 0 of pairs has a missing word"),
        ({"word1": ["a"], "word2": ["b"], "score": [None]}, "score"),
        ({"word1": ["a"], "word2": ["b"], "score": [float("nan")]}, "score"),
        ({"word1": ["a"], "word2": ["b"], "score": ["high"]}, "score"),
        ({"word1": ["a"], "word2": ["b"]}, "no column 'score'"),
    ],
)
def test_what_is_no_pair_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        read_pairs(given)
