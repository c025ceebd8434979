"""The word2vec formats: byte by byte, with gensim both ways, and what damage is called."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from fastrec.data import IdMap
from fastrec.errors import FastrecError, FormatError, InputError
from fastrec.storage import word2vec
from tests.scratch import unsynced

MATRIX = np.array([[1, -2.5, 0.1], [0, 3e-9, -4e20]], dtype=np.float32)
IDS = ["naïve", "日本"]

names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=" \t\n\r\v\f"),
    min_size=1,
    max_size=6,
)


def id_map(ids):
    return IdMap.from_ids(ids)[0]


def floats_of(*numbers):
    return np.array(numbers, dtype="<f4").tobytes()


BINARY = (
    b"2 3\n"
    + b"na\xc3\xafve " + floats_of(1, -2.5, 0.1) + b"\n"
    + b"\xe6\x97\xa5\xe6\x9c\xac " + floats_of(0, 3e-9, -4e20) + b"\n"
)  # fmt: skip
TEXT = (
    b"2 3\n"
    b"na\xc3\xafve 1.000000000e+00 -2.50000000e+00 1.000000015e-01\n"
    b"\xe6\x97\xa5\xe6\x9c\xac 0.000000000e+00 3.000000026e-09 -4.00000008e+20\n"
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "vectors"


def read_bytes(path, content, **options):
    path.write_bytes(content)
    return word2vec.read(path, **options)


# Bytes


@pytest.mark.parametrize(("binary", "content"), [(True, BINARY), (False, TEXT)])
def test_written_bytes_are_those_of_the_format(path, binary, content):
    word2vec.write(path, id_map(IDS), MATRIX, binary=binary)
    assert path.read_bytes() == content


@pytest.mark.parametrize("binary", [None, True])
@pytest.mark.parametrize("between", [b"\n", b""])
def test_binary_entries_are_read_with_and_without_line_feeds(path, binary, between):
    content = b"2 2\na " + floats_of(1, 2) + between + b"b " + floats_of(3, 4) + between
    ids, matrix = read_bytes(path, content, binary=binary)
    assert ids == ["a", "b"]
    np.testing.assert_array_equal(matrix, [[1, 2], [3, 4]])


@pytest.mark.parametrize("binary", [None, False])
@pytest.mark.parametrize(
    "content",
    [
        b"2 2\na 1 2\nb 3 4\n",
        b"2 2\na 1 2\nb 3 4",  # no line feed at the end
        b"2 2\na 1.0 2.0 \nb 3.0 4.0 \n",  # as the original tool writes it
        b"2 2\r\na 1e0 2E+0\r\nb 3 4\r\n",
        b"  2   2 \na 1 2\nb  3  4\n\n",
    ],
)
def test_text_of_other_writers_is_read(path, binary, content):
    ids, matrix = read_bytes(path, content, binary=binary)
    assert ids == ["a", "b"]
    np.testing.assert_array_equal(matrix, [[1, 2], [3, 4]])


def test_blanks_inside_ids_of_text_files_are_kept(path):
    ids, matrix = read_bytes(path, b"3 2\n. . . 1 2\nat name 3 4\nb 5 6\n")
    assert ids == [". . .", "at name", "b"]
    np.testing.assert_array_equal(matrix, [[1, 2], [3, 4], [5, 6]])


def test_numbers_as_ids_of_text_files_are_no_vector(path):
    ids, matrix = read_bytes(path, b"2 2\n7 1 2\n8 3 4\n")
    assert ids == ["7", "8"]
    np.testing.assert_array_equal(matrix, [[1, 2], [3, 4]])


def test_a_vector_with_blank_bytes_inside_is_read(path):
    blanks = np.frombuffer(b"    \n\n\n\n" * 2, dtype="<f4")
    ids, matrix = read_bytes(path, b"1 4\na " + blanks.tobytes() + b"\n", binary=True)
    assert ids == ["a"]
    np.testing.assert_array_equal(matrix[0], blanks)


def test_matrix_is_at_the_stride_of_the_kernels(path):
    _, matrix = read_bytes(path, TEXT)
    assert matrix.shape == (2, 3)
    assert matrix.strides == (64, 4)


@pytest.mark.parametrize("content", [b"0 5\n", b"0 5\n\n"])
def test_a_file_without_entries_is_read(path, content):
    ids, matrix = read_bytes(path, content)
    assert ids == []
    assert matrix.shape == (0, 5)


# There and back


@given(
    st.lists(names, min_size=1, max_size=8, unique=True),
    st.integers(1, 5),
    st.booleans(),
    st.sampled_from([1, 7, 64, 1 << 22]),
    st.data(),
)
def test_vectors_come_back_bit_by_bit(scratch, ids, dim, binary, chunk, data):
    path = scratch / "vectors"
    finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
    matrix = data.draw(npst.arrays(np.float32, (len(ids), dim), elements=finite))
    with unsynced() as patch:
        patch.setattr(word2vec, "CHUNK_BYTES", chunk)
        patch.setattr(word2vec, "CHUNK_NUMBERS", 4)
        word2vec.write(path, id_map(ids), matrix, binary=binary)
        found, numbers = word2vec.read(path, binary=binary)
    assert found == ids
    np.testing.assert_array_equal(
        np.ascontiguousarray(numbers).view(np.uint32), np.ascontiguousarray(matrix).view(np.uint32)
    )


@pytest.mark.parametrize("binary", [True, False])
def test_whole_number_ids_are_written_in_decimal(path, binary):
    word2vec.write(path, id_map([30, 4]), MATRIX, binary=binary)
    ids, _ = word2vec.read(path)
    assert ids == ["4", "30"]
    assert word2vec.whole_numbers(path, ids).tolist() == [4, 30]


@pytest.mark.parametrize("view", [slice(None, None, 2), slice(None, None, -1)])
def test_strided_matrices_are_written(path, view):
    matrix = np.arange(12, dtype=np.float32).reshape(4, 3)[view, :2]
    word2vec.write(path, id_map(list("abcd")[: len(matrix)]), matrix)
    np.testing.assert_array_equal(word2vec.read(path)[1], matrix)


@pytest.mark.parametrize("id", ["", "two words", "tab\tbed", "line\nfeed", "end "])
@pytest.mark.parametrize("binary", [True, False])
def test_an_id_that_the_formats_cannot_hold_is_named(path, id, binary):
    path.write_bytes(b"old")
    with pytest.raises(InputError, match="cannot hold the id") as caught:
        word2vec.write(path, id_map(["fine", id]), MATRIX, binary=binary)
    assert repr(id) in str(caught.value)
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_vectors_that_are_not_finite_are_not_written(path, number):
    matrix = np.array([[1, 2], [3, number]], dtype=np.float32)
    with pytest.raises(InputError, match="vector of 'b' holds NaN or infinity"):
        word2vec.write(path, id_map(["a", "b"]), matrix)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="create it first"):
        word2vec.write(tmp_path / "no" / "v", id_map(IDS), MATRIX)


# Damage


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"hello\n", b"a 1 2\nb 3 4\n", b"2\n", b"2 3 4\n", b"-1 2\n", b"2 0\n", b"2 3"],
)
def test_a_file_without_its_first_line_is_named(path, content):
    with pytest.raises(FormatError, match="is no word2vec file"):
        read_bytes(path, content)


def test_a_compressed_file_is_named(path):
    import gzip

    with pytest.raises(FormatError, match="is compressed; unpack it"):
        read_bytes(path, gzip.compress(TEXT))


@pytest.mark.parametrize(("binary", "content"), [(True, BINARY), (False, TEXT)])
def test_every_truncation_of_ours_is_named(path, binary, content):
    # Text that ends within its last number cannot be told from a shorter number.
    for length in range(4, len(content) - (1 if binary else 16)):
        with pytest.raises(FormatError, match=r"truncated|must be an id"):
            read_bytes(path, content[:length], binary=binary)


def test_a_header_that_promises_too_much_takes_no_memory(path):
    with pytest.raises(FormatError, match="is truncated: 999999999999 vectors of 300 numbers"):
        read_bytes(path, b"999999999999 300\na 1 2\n")


@pytest.mark.parametrize(
    "line",
    [
        *(b"b 3\n", b"b 3 x\n", b"b 3 0x4\n", b"b\n", b"\n", b"b 3,5 1\n", b"b 1 2_0\xc2\xa0\n"),
        *(b"b 1 2_0\n", b"b 1 2 3\n", b"b 1 2 3 4\n", b"b c 1e-3 2 3\n"),
    ],
)
def test_a_line_that_is_no_entry_is_named(path, line):
    with pytest.raises(FormatError, match=r"line 3 of .* must be an id and 2 numbers"):
        read_bytes(path, b"3 2\na 1 2\n" + line + b"c 5 6 \n" + b" " * 20)


@pytest.mark.parametrize("number", [b"nan", b"inf", b"-Infinity", b"1e39"])
def test_text_that_is_not_finite_is_named(path, number):
    with pytest.raises(FormatError, match=r"line 3 of .*, 'b', holds NaN or infinity"):
        read_bytes(path, b"2 2\na 1 2\nb 3 " + number + b"\n")
    with pytest.raises(FormatError, match=r"line 3 of .*, 'b c', holds NaN or infinity"):
        read_bytes(path, b"2 2\na 1 2\nb c 3 " + number + b"\n")


def test_binary_that_is_not_finite_is_named(path):
    with pytest.raises(FormatError, match=r"entry 2 of .*, 'b', holds NaN or infinity"):
        read_bytes(path, b"2 2\na " + floats_of(1, 2) + b"\nb " + floats_of(1, np.nan) + b"\n")


def test_text_ids_that_are_not_utf8_are_named_by_their_line(path):
    with pytest.raises(FormatError, match=r"line 3 of .* is not UTF-8"):
        read_bytes(path, b"2 2\na 1 2\nb\xff 3 4\n")


def test_binary_ids_that_are_not_utf8_are_named_by_their_entry(path):
    content = b"2 2\na " + floats_of(1, 2) + b"\nb\xff " + floats_of(3, 4) + b"\n"
    with pytest.raises(FormatError, match=r"entry 2 of .* is not UTF-8"):
        read_bytes(path, content)


def test_repeated_ids_of_text_are_named_by_their_lines(path):
    with pytest.raises(FormatError, match=r"line 4 of .* repeats the id 'a' of line 2"):
        read_bytes(path, b"3 1\na 1\nb 2\na 3\n")


def test_repeated_ids_of_binary_are_named_by_their_entries(path):
    content = b"2 1\na " + floats_of(1) + b"\na " + floats_of(2) + b"\n"
    with pytest.raises(FormatError, match=r"entry 2 of .* repeats the id 'a' of entry 1"):
        read_bytes(path, content, binary=True)


def test_a_file_whose_columns_are_more_than_it_says_is_damage(path):
    with pytest.raises(FormatError, match=r"line 2 of .* must be an id and 2 numbers"):
        read_bytes(path, b"2 2\na 1 2 3\nb 4 5 6\n")


def test_damage_of_what_was_taken_for_binary_says_so(path):
    with pytest.raises(FormatError, match="read as binary, because its line 2 is not an id and 2"):
        read_bytes(path, b"2 2\na 1\nb 3 4\nccc")


@pytest.mark.parametrize(
    "content",
    [b"1 2\na 1 2\nb 3 4\n", b"1 2\na " + floats_of(1, 2) + b"\nb " + floats_of(3, 4) + b"\n"],
)
def test_more_entries_than_the_first_line_says_are_named(path, content):
    with pytest.raises(FormatError, match="goes on after the 1 entries"):
        read_bytes(path, content)


def test_text_that_is_read_as_binary_is_damage(path):
    content = b"40 2\n" + b"".join(b"name%d 1.125 2.5\n" % row for row in range(40))
    with pytest.raises(FormatError):
        read_bytes(path, content, binary=True)


def test_binary_that_is_read_as_text_is_damage(path):
    with pytest.raises(FormatError, match="line 2 of"):
        read_bytes(path, BINARY, binary=False)


def test_a_binary_id_without_an_end_is_named(path, monkeypatch):
    monkeypatch.setattr(word2vec, "MAX_ID_BYTES", 100)
    with pytest.raises(FormatError, match="has no blank within 100 bytes"):
        read_bytes(path, b"3 2\n" + b"x" * 1000, binary=True)


@pytest.mark.parametrize("id", ["007", "+1", "1.0", "x", "", "-1", "9" * 19, "٣"])
def test_ids_that_are_no_whole_numbers_are_named(path, id):
    with pytest.raises(FormatError, match=r"entry 2 of .* expected a whole number"):
        word2vec.whole_numbers(path, ["5", id])


@given(st.binary(max_size=60), st.booleans() | st.none())
def test_no_damage_is_worse_than_a_format_error(scratch, content, binary):
    try:
        read_bytes(scratch / "vectors", b"2 2\n" + content, binary=binary)
    except FastrecError as error:
        assert isinstance(error, FormatError)  # noqa: PT017


# gensim


@pytest.fixture
def gensim_vectors():
    models = pytest.importorskip("gensim.models")
    vectors = models.KeyedVectors(vector_size=3)
    vectors.add_vectors([*IDS, "third", "#", '"quoted"'], np.vstack([MATRIX, MATRIX, [[7, 8, 9]]]))
    return vectors


@pytest.mark.parametrize("binary", [True, False])
def test_gensim_reads_our_files(path, binary):
    models = pytest.importorskip("gensim.models")
    ids = [*IDS, "#", '"quoted"', "\u00a0", "0"]
    matrix = np.random.default_rng(1).standard_normal((len(ids), 17)).astype(np.float32)
    word2vec.write(path, id_map(ids), matrix, binary=binary)
    vectors = models.KeyedVectors.load_word2vec_format(str(path), binary=binary)
    assert vectors.index_to_key == ids
    np.testing.assert_array_equal(vectors.vectors, matrix)


@pytest.mark.parametrize("detect", [True, False])
@pytest.mark.parametrize("binary", [True, False])
def test_we_read_files_of_gensim(path, gensim_vectors, binary, detect):
    gensim_vectors.save_word2vec_format(str(path), binary=binary)
    ids, matrix = word2vec.read(path, binary=None if detect else binary)
    assert ids == gensim_vectors.index_to_key
    np.testing.assert_array_equal(matrix, gensim_vectors.vectors)
