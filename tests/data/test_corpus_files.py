"""Text files as a corpus and back: line ends, compression, files that are not what they seem."""

import gzip
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrec.data import Corpus, as_corpus, corpus_readers
from fastrec.errors import FormatError, InputError
from tests.scratch import unsynced


@pytest.fixture
def text_file(tmp_path):
    """Return a function that writes a file."""

    def write(content, name="text.txt"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def documents_of(corpus):
    return list(corpus.decode())


def test_each_line_is_a_document(text_file):
    corpus = Corpus.from_file(text_file("To be, or not\n\nthat IS it"))
    assert documents_of(corpus) == [["to", "be", "or", "not"], [], ["that", "is", "it"]]
    assert documents_of(as_corpus(str(text_file("a\n")))) == [["a"]]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a b\nc\n", ["a b", "c"]),
        ("a b\r\nc\r\n", ["a b", "c"]),
        ("a b\nc", ["a b", "c"]),
        ("\n\na\n\n", ["", "", "a", ""]),
        ("a\rb\n", ["a\rb"]),  # a return within a line is white space
        ("a\r\r\nb", ["a\r", "b"]),
        ("a\0b\n\0", ["a\0b", "\0"]),
        ("é\u2028è\n\x85a\n", ["é\u2028è", "\x85a"]),  # only line feeds end a document
        ("\ufeffa\n\ufeffb", ["a", "\ufeffb"]),  # only at the start it marks the byte order
        ("\ufeffא\r\nب\r\n🙂", ["א", "ب", "🙂"]),
    ],
    ids=ascii,
)
def test_lines_end_with_a_line_feed_and_perhaps_a_return_before(text_file, content, expected):
    seen = []
    Corpus.from_file(text_file(content), tokenize=lambda text: seen.append(text) or ["word"])
    assert seen == expected


def test_a_byte_order_mark_is_no_part_of_the_first_word(text_file):
    assert documents_of(Corpus.from_file(text_file(b"\xef\xbb\xbfone two"))) == [["one", "two"]]


def test_files_ending_in_gz_are_decompressed(text_file):
    packed = gzip.compress(b"one two\nthree\n") + gzip.compress(b"four\n")
    corpus = Corpus.from_file(text_file(packed, "text.gz"))
    assert documents_of(corpus) == [["one", "two"], ["three"], ["four"]]


def test_several_files_make_one_corpus(text_file):
    files = [text_file("a\nb", "1.txt"), text_file(gzip.compress(b"c"), "2.gz")]
    assert documents_of(Corpus.from_file(files)) == [["a"], ["b"], ["c"]]


def test_a_file_of_many_pieces_is_read_whole(text_file, monkeypatch):
    monkeypatch.setattr(corpus_readers, "BATCH_CHARACTERS", 16)
    lines = [" ".join(f"w{row}é" for _ in range(row % 9)) for row in range(300)]
    assert documents_of(Corpus.from_file(text_file("\n".join(lines)))) == [
        line.split() for line in lines
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_read_to_its_end(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("one two\nthree\n",))
    writer.start()
    corpus = Corpus.from_file(pipe)
    writer.join()
    assert documents_of(corpus) == [["one", "two"], ["three"]]


# Files that are not what they seem


@pytest.mark.parametrize(
    "bad", [b"\xff\xfea", b"\xe9t\xe9 x", b"\xed\xa0\x80", b"\xc0\x80", b"ok \xe2"]
)
def test_a_line_that_is_not_utf8_is_named(text_file, bad):
    path = text_file(b"one\n\n" + bad + b"\nfour\n")
    with pytest.raises(FormatError, match=r"line 3 of '.*text\.txt' is not UTF-8 \(byte \d+: "):
        Corpus.from_file(path)


def test_a_line_is_counted_in_its_own_file_and_over_all_pieces(text_file, monkeypatch):
    monkeypatch.setattr(corpus_readers, "BATCH_CHARACTERS", 16)
    good, bad = text_file("word\n" * 50, "good"), text_file(b"word\n" * 70 + b"\xff", "bad")
    with pytest.raises(FormatError, match=r"line 71 of '.*bad' is not UTF-8 \(byte 1: "):
        Corpus.from_file([good, bad])
    with pytest.raises(FormatError, match="line 71 "):
        Corpus.from_file(bad, tokenize=str.split)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(path.read_bytes() + b"more\n"),
        lambda path: os.truncate(path, 3),
        lambda path: os.replace(path.with_name("other"), path),
        lambda path: os.utime(path, ns=(1, 1)),
    ],
    ids=["longer", "shorter", "replaced", "touched"],
)
@pytest.mark.parametrize("name", ["text.txt", "text.gz"])
def test_a_file_that_changes_while_it_is_read_is_reported(text_file, name, change):
    pack = gzip.compress if name.endswith(".gz") else bytes
    path = text_file(pack(b"one\ntwo\n"), name)
    text_file(pack(b"two\none\n"), "other")

    changes = iter([change])

    def tokenize(text):
        for change_now in changes:  # with the first line
            change_now(path)
        return [text]

    with pytest.raises(InputError, match=rf"'.*{name}' changed while it was read"):
        Corpus.from_file(path, tokenize=tokenize)


def test_a_file_that_is_removed_while_it_is_read_is_reported(text_file):
    path = text_file("one")
    with pytest.raises(InputError, match=r"'.*text\.txt' was removed while it was read"):
        Corpus.from_file(path, tokenize=lambda text: path.unlink() or [text])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"plain text", "cannot be decompressed: Not a gzipped file"),
        (gzip.compress(b"word " * 999)[:-9], "cannot be decompressed: Compressed file ended"),
        (gzip.compress(b"word")[:-8] + b"\0" * 8, "cannot be decompressed: CRC check failed"),
        (gzip.compress(b"word")[:10] + b"\xff" * 20, "cannot be decompressed"),
    ],
    ids=["not compressed", "cut off", "wrong sum", "damaged"],
)
def test_a_damaged_gz_file_is_a_format_error(text_file, content, message):
    with pytest.raises(FormatError, match=rf"'.*text\.gz' {message}"):
        Corpus.from_file(text_file(content, "text.gz"))


@pytest.mark.parametrize("content", ["", "\n\n", "?!\n"])
def test_a_file_without_a_word_is_refused_by_name(text_file, content):
    with pytest.raises(InputError, match=r"text\.txt: a corpus needs at least one"):
        Corpus.from_file(text_file(content))


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        Corpus.from_file(tmp_path / "nothing.txt")
    with pytest.raises(InputError, match="is a folder, expected a file"):
        Corpus.from_file(tmp_path)
    with pytest.raises(InputError, match="an empty list"):
        Corpus.from_file([])
    for wrong in (None, 7, b"bytes", [None]):
        with pytest.raises(InputError, match="path must be a string"):
            Corpus.from_file(wrong)


def test_a_tokenizer_that_is_none_is_refused_before_the_file_is_read(tmp_path):
    with pytest.raises(InputError, match="tokenize must be a function"):
        Corpus.from_file(tmp_path / "nothing.txt", tokenize="split")


# Writing

WORD = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6).filter(
    lambda word: word.split() == [word] and word[0] != "\ufeff"
)


@given(st.lists(st.lists(WORD, max_size=5), min_size=1, max_size=8).filter(any))
def test_a_file_of_a_corpus_has_its_documents(scratch, documents):
    path = Path(scratch) / "corpus.txt"
    with unsynced():
        Corpus.from_tokens(documents).to_file(path)
    lines = [" ".join(words) + "\n" for words in documents]
    assert path.read_bytes().decode() == "".join(lines)
    assert documents_of(Corpus.from_file(path, tokenize=str.split)) == documents


@pytest.mark.parametrize("word", ["", " ", "new york", "a\nb", "a\u2003b", "\r"])
def test_words_that_would_not_come_back_are_refused(tmp_path, word):
    corpus = Corpus.from_tokens([["fine"], ["fine", word]])
    with pytest.raises(InputError, match=r"the word .*, of document 1, cannot be written"):
        corpus.to_file(tmp_path / "corpus.txt")
    assert list(tmp_path.iterdir()) == []


def test_a_file_does_not_begin_with_a_word_that_would_pass_for_a_byte_order_mark(tmp_path):
    with pytest.raises(InputError, match=r"the word '\\ufeffa', of document 0, cannot be written"):
        Corpus.from_tokens([["\ufeffa"]]).to_file(tmp_path / "corpus.txt")
