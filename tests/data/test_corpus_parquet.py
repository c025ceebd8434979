"""Columns of Parquet as a corpus: texts and lists of words, ids, many rows, damaged files."""

import gzip
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastrec.data import Corpus, as_corpus, word_batches
from fastrec.errors import FormatError, InputError


@pytest.fixture
def parquet(tmp_path):
    """Return a function that writes columns to a Parquet file."""

    def write(columns, name="texts.parquet", **options):
        path = tmp_path / name
        pq.write_table(pa.table(columns), path, **options)
        return path

    return write


def documents_of(corpus):
    return list(corpus.decode())


def not_utf8(texts):
    """An Arrow column of bytes that says it is of strings."""
    return pa.array(texts, pa.binary()).view(pa.string())


def test_a_column_of_texts_is_one_document_a_row(parquet):
    path = parquet({"text": ["To be!", "", "Été\n2"], "other": [1, 2, 3]})
    assert documents_of(Corpus.from_parquet(path)) == [["to", "be"], [], ["été", "2"]]
    assert documents_of(as_corpus(path)) == [["to", "be"], [], ["été", "2"]]


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())],
    ids=str,
)
def test_texts_of_every_arrow_type_are_read(parquet, kind):
    texts = ["one two", "drei", "one two", ""]
    path = parquet({"text": pa.array(texts).cast(kind)})
    assert documents_of(Corpus.from_parquet(path)) == [text.split() for text in texts]


@pytest.mark.parametrize("kind", [pa.list_, pa.large_list])
def test_lists_of_words_are_taken_as_they_are(parquet, kind):
    words = [["New York", "A"], [], ["é"]]
    path = parquet({"words": pa.array(words, kind(pa.string()))})
    assert documents_of(Corpus.from_parquet(path, "words")) == words


def test_a_tokenizer_cuts_the_texts(parquet):
    path = parquet({"text": ["A-b C", "é"]})
    assert documents_of(Corpus.from_parquet(path, tokenize=str.split)) == [["A-b", "C"], ["é"]]


@pytest.mark.parametrize("row_group", [500, 20_000])
@pytest.mark.parametrize("letter", ["w", "é"])
def test_more_rows_than_are_read_at_once_stay_in_order(parquet, letter, row_group):
    rows = 2 * word_batches.BATCH_DOCUMENTS + 1234
    texts = [" ".join([f"{letter}{row}"] * (row % 4)) for row in range(rows)]
    ids = [f"d{row}" for row in range(rows)]
    path = parquet({"body": texts, "name": ids}, row_group_size=row_group)
    corpus = Corpus.from_parquet(path, "body", "name")
    assert documents_of(corpus) == [text.split() for text in texts]
    assert corpus.document_ids.ids.tolist() == ids


def test_texts_larger_than_what_is_cut_at_once_are_whole(parquet):
    long = "word " * (word_batches.BATCH_CHARACTERS // 3)
    corpus = Corpus.from_parquet(parquet({"text": [long, "a", long]}))
    words = word_batches.BATCH_CHARACTERS // 3
    assert np.diff(corpus.offsets).tolist() == [words, 1, words]


def test_several_files_and_folders_make_one_corpus(parquet, tmp_path):
    files = [parquet({"text": [name], "id": [name]}, f"{name}.parquet") for name in "ba"]
    assert documents_of(Corpus.from_parquet(files, id="id")) == [["b"], ["a"]]
    assert documents_of(Corpus.from_parquet(tmp_path)) == [["a"], ["b"]]


def test_ids_are_numbers_or_strings_that_differ(parquet):
    corpus = Corpus.from_parquet(parquet({"text": ["a", "b"], "n": [7, 3]}), id="n")
    assert corpus.document_ids.decode([0, 1]).tolist() == [7, 3]
    with pytest.raises(InputError, match="ids must be different, got 7 twice"):
        Corpus.from_parquet(parquet({"text": ["a", "b"], "n": [7, 7]}), id="n")
    with pytest.raises(InputError, match="missing"):
        Corpus.from_parquet(parquet({"text": ["a", "b"], "n": ["x", None]}), id="n")


# What cannot be read


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"txt": ["a"]}, "no column 'text'.*did you mean 'txt'"),
        ({"text": [1, 2]}, r"the column 'text' of .*texts\.parquet must hold texts.*got int64"),
        ({"text": [[1]]}, "document 0 must hold words of valid Unicode, got 1 of type int"),
        ({"text": ["a", None]}, r"row 1 of .*texts\.parquet is null in the column 'text'"),
        ({"text": [["a"], None]}, "row 1 of .* is null in the column 'text'"),
        ({"text": [["a"], ["b", None]]}, "document 1 must hold words.* got None of type NoneType"),
        ({"text": ["", "?"]}, r"texts\.parquet: a corpus needs at least one word, got 2"),
        ({"text": pa.array([], pa.string())}, "at least one document, got none"),
    ],
)
def test_columns_without_texts_are_refused(parquet, columns, message):
    with pytest.raises(InputError, match=message):
        Corpus.from_parquet(parquet(columns))


@pytest.mark.parametrize("words_of", [lambda text: text, lambda text: [text]], ids=["text", "list"])
def test_a_row_far_down_is_named_by_its_number(parquet, words_of):
    rows = [words_of("a")] * 9000 + [None]
    with pytest.raises(InputError, match="row 9000 of "):
        Corpus.from_parquet(parquet({"text": rows}))


def test_a_wrong_word_far_down_is_named_by_the_number_of_its_document(parquet):
    path = parquet({"text": [["a"]] * 9000 + [["a", None]]})
    with pytest.raises(InputError, match="document 9000 must hold words"):
        Corpus.from_parquet(path)


@pytest.mark.parametrize("tokenize", [None, str.split])
def test_a_text_that_is_not_utf8_is_named_by_file_and_row(parquet, tokenize):
    texts = not_utf8([b"good"] * 5000 + [b"\xe9t\xe9"])
    path = parquet({"text": texts})
    with pytest.raises(FormatError, match=r"row 5000 of .*texts\.parquet is not UTF-8"):
        Corpus.from_parquet(path, tokenize=tokenize)


def test_a_word_that_is_not_utf8_is_named_by_file_and_row(parquet):
    lists = pa.ListArray.from_arrays([0, 1, 2], not_utf8([b"good", b"\xff"]))
    with pytest.raises(FormatError, match=r"row 1 of .*texts\.parquet is not UTF-8"):
        Corpus.from_parquet(parquet({"text": lists}))


@pytest.mark.parametrize("error", [UnicodeDecodeError("x", b"y", 0, 1, "own"), OSError("own")])
def test_what_a_tokenizer_raises_is_not_taken_for_the_files_fault(parquet, error):
    def tokenize(text):
        raise error

    with pytest.raises(type(error), match="own"):
        Corpus.from_parquet(parquet({"text": ["é"]}), tokenize=tokenize)


def test_a_file_that_changes_while_it_is_read_is_reported(parquet):
    path = parquet({"text": ["a", "b"]})

    def tokenize(text):
        parquet({"text": ["other", "texts", "now"]})
        return [text]

    with pytest.raises(InputError, match=r"texts\.parquet' changed while it was read"):
        Corpus.from_parquet(path, tokenize=tokenize)


def test_files_that_are_no_parquet_are_format_errors(tmp_path, parquet):
    for content in (b"text\nfile", gzip.compress(b"text"), b""):
        (tmp_path / "no.parquet").write_bytes(content)
        with pytest.raises(FormatError, match=r"no\.parquet is no Parquet file"):
            Corpus.from_parquet(tmp_path / "no.parquet")


def test_a_damaged_file_is_a_format_error(parquet):
    path = parquet({"text": [f"some words {row}" for row in range(5000)]}, compression="zstd")
    content = bytearray(path.read_bytes())
    content[200:2000] = bytes(1800)
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"texts\.parquet is damaged"):
        Corpus.from_parquet(path)


def test_a_file_without_the_column_of_the_first_is_refused(parquet):
    files = [parquet({"text": ["a"]}, "1.parquet"), parquet({"body": ["b"]}, "2.parquet")]
    with pytest.raises(InputError, match=r"2\.parquet has no column 'text', unlike .*1\.parquet"):
        Corpus.from_parquet(files)


def test_without_pyarrow_the_install_line_is_given(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install .fastrec-engine\[data\]"):
        Corpus.from_parquet(tmp_path / "texts.parquet")
