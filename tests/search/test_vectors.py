"""Vectors: rows by id, similar ids, export, and the word2vec formats."""

import copy
import pickle
import threading

import numpy as np
import pytest

from fastrec.data import IdMap
from fastrec.errors import FormatError, InputError, UnknownIdError
from fastrec.runtime.arrays import padded_copy
from fastrec.search import TopKIndex, Vectors

NAMES = ["north", "east", "south", "west", "centre"]
MATRIX = np.array([[0, 1], [1, 0.1], [0, -3], [-1, 0.1], [0, 0]], dtype=np.float32)


def id_map(ids):
    return IdMap.from_ids(ids)[0]


@pytest.fixture
def vectors():
    return Vectors(id_map(NAMES), padded_copy(MATRIX)[:, :2])


@pytest.fixture
def numbered():
    return Vectors(id_map([3, 5, 8, 13, 21]), MATRIX)


# Looking up


def test_one_id_gives_its_vector(vectors, numbered):
    np.testing.assert_array_equal(vectors["south"], [0, -3])
    np.testing.assert_array_equal(numbered[8], [0, -3])
    np.testing.assert_array_equal(numbered[np.int64(8)], [0, -3])


def test_a_list_of_ids_gives_their_vectors(vectors, numbered):
    np.testing.assert_array_equal(vectors[["south", "north", "south"]], MATRIX[[2, 0, 2]])
    np.testing.assert_array_equal(numbered[np.array([8, 3])], MATRIX[[2, 0]])


def test_one_vector_is_a_view_that_cannot_be_written(vectors):
    with pytest.raises(ValueError, match="read-only"):
        vectors["south"][0] = 1


def test_several_vectors_are_a_copy(vectors):
    vectors[["south"]][0] = 7
    np.testing.assert_array_equal(vectors["south"], [0, -3])


def test_no_id_gives_no_vector(vectors):
    assert vectors[[]].shape == (0, 2)


def test_length_dim_and_ids(vectors):
    assert (len(vectors), vectors.dim) == (5, 2)
    assert list(vectors) == NAMES
    assert "east" in vectors
    assert "up" not in vectors


@pytest.mark.parametrize("ids", ["up", ["north", "up"]])
def test_an_unknown_id_is_named(vectors, ids):
    with pytest.raises(UnknownIdError, match="'up'"):
        vectors[ids]
    with pytest.raises(UnknownIdError, match="'up'"):
        vectors.similar(ids)


@pytest.mark.parametrize("ids", [None, [None], ["north", None]])
def test_padding_has_no_vector(vectors, ids):
    with pytest.raises((InputError, UnknownIdError), match="padding"):
        vectors[ids]
    with pytest.raises(InputError, match="padding"):
        vectors.similar(ids)


@pytest.mark.parametrize("ids", [3, [3], 2.5, True, [True]])
def test_ids_of_another_kind_are_refused(vectors, ids):
    with pytest.raises(InputError):
        vectors[ids]


# Similar ids


def cosines(query):
    lengths = np.linalg.norm(MATRIX, axis=1) * np.linalg.norm(query)
    return MATRIX @ query / np.where(lengths > 0, lengths, 1)


def test_similar_ids_are_those_of_largest_cosine(vectors):
    found = vectors.similar(["north", "south"], k=2)
    assert found.items.tolist() == [["east", "west"], ["centre", "east"]]
    expected = [cosines(MATRIX[0])[[1, 3]], cosines(MATRIX[2])[[4, 1]]]
    np.testing.assert_allclose(found.scores, expected, atol=1e-6)


def test_similar_ids_by_dot_product(vectors):
    found = vectors.similar("north", k=1, metric="dot")
    assert found.items.tolist() == [["east"]]
    np.testing.assert_allclose(found.scores, [[0.1]], rtol=1e-6)


def test_an_id_is_not_similar_to_itself(vectors):
    found = vectors.similar(NAMES, k=10)
    assert found.counts.tolist() == [4] * 5
    for name, row in zip(NAMES, found.items.tolist(), strict=True):
        assert name not in row


def test_rows_are_short_where_there_are_fewer_ids(vectors):
    found = vectors.similar(["north"], k=6)
    assert found.items.shape == (1, 6)
    assert found.items[0, 4:].tolist() == [None, None]
    assert np.isnan(found.scores[0, 4:]).all()


def test_similar_ids_of_numbers_are_numbers(numbered):
    found = numbered.similar(3, k=5)
    assert found.items.tolist() == [[5, 13, 21, 8, -1]]


def test_one_id_is_a_list_of_one(vectors):
    assert vectors.similar("east", 2).items.tolist() == vectors.similar(["east"], 2).items.tolist()


def test_similar_to_vectors_excludes_nothing_of_itself(vectors):
    found = vectors.similar_to([[0, 2.0]], k=1)
    assert found.items.tolist() == [["north"]]
    np.testing.assert_allclose(found.scores, [[1]])


def test_a_matrix_is_asked_for_by_its_vectors(vectors):
    asked = np.array([[0, 2.0], [3, 0]])
    found = vectors.similar(asked, k=2, metric="dot")
    expected = vectors.similar_to(asked, k=2, metric="dot")
    assert found.items.tolist() == expected.items.tolist() == [["north", "east"], ["east", "north"]]
    np.testing.assert_array_equal(found.scores, expected.scores)


@pytest.mark.parametrize("exclude", ["north", ["north"], ["north", "south"]])
def test_similar_to_leaves_out_what_it_is_told_to(vectors, exclude):
    found = vectors.similar_to([[0, 2.0]], k=1, exclude=exclude)
    assert found.items.tolist() == [["east"]]


def test_several_threads_get_the_same_answers(numbered):
    answers = [None] * 4

    def ask(number):
        answers[number] = numbered.similar([3, 5, 8], k=3).items.tolist()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [answers[0]] * 4
    assert answers[0] is not None


@pytest.mark.parametrize("metric", ["euclidean", "Cosine", None])
def test_an_unknown_metric_is_named(vectors, metric):
    with pytest.raises(InputError, match="metric must be one of 'dot', 'cosine'"):
        vectors.similar("north", metric=metric)


@pytest.mark.parametrize("k", [0, -1, 1.5])
def test_k_is_at_least_one(vectors, k):
    with pytest.raises(InputError, match="k must be"):
        vectors.similar("north", k=k)


@pytest.mark.parametrize("query", [[1.0, 2.0], [[1.0, 2.0, 3.0]], [[np.nan, 1.0]], [["a", "b"]]])
def test_vectors_of_another_form_are_refused(vectors, query):
    with pytest.raises(InputError, match="queries must"):
        vectors.similar_to(query)


# Construction and export


def test_the_matrix_is_shown_and_not_copied():
    matrix = padded_copy(MATRIX)
    vectors = Vectors(id_map(NAMES), matrix[:, :2])
    assert np.shares_memory(vectors.matrix, matrix)
    assert not vectors.matrix.flags.writeable
    assert matrix.flags.writeable


def test_a_memory_map_is_searched_in_place(tmp_path):
    np.save(tmp_path / "m.npy", MATRIX)
    vectors = Vectors(id_map(NAMES), np.load(tmp_path / "m.npy", mmap_mode="r"))
    assert vectors.similar("north", k=1).items.tolist() == [["east"]]


def test_to_numpy_is_a_contiguous_copy(vectors):
    matrix = vectors.to_numpy()
    matrix[0] = 9
    assert matrix.flags.c_contiguous
    np.testing.assert_array_equal(vectors["north"], [0, 1])


def test_numpy_takes_vectors_as_a_matrix(vectors):
    assert np.shares_memory(np.asarray(vectors), vectors.matrix)
    assert np.array(vectors, dtype=np.float64).dtype == np.float64
    assert not np.shares_memory(np.array(vectors), vectors.matrix)
    assert len(TopKIndex(vectors)) == 5


@pytest.mark.parametrize(
    ("ids", "matrix", "message"),
    [
        (NAMES, MATRIX, "ids must be an IdMap, got list"),
        (id_map(NAMES), MATRIX.tolist(), "got list"),
        (id_map(NAMES), MATRIX.astype(np.float64), r"got float64 of shape \(5, 2\)"),
        (id_map(NAMES), MATRIX[0], r"got float32 of shape \(2,\)"),
        (id_map(NAMES[:4]), MATRIX, "a row for each of 4 ids, got 5"),
    ],
)
def test_what_does_not_fit_is_refused(ids, matrix, message):
    with pytest.raises(InputError, match=message):
        Vectors(ids, matrix)


def test_repr_shows_size_and_the_first_ids(vectors, numbered):
    assert repr(vectors) == "Vectors(5 str ids, dim=2: 'north', 'east', 'south', ...)"
    assert repr(numbered) == "Vectors(5 int ids, dim=2: 3, 5, 8, ...)"


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))])
@pytest.mark.parametrize("mapped", [True, False])
def test_copies_have_memory_of_their_own_and_answer_alike(tmp_path, clone, mapped):
    np.save(tmp_path / "m.npy", MATRIX)
    matrix = np.load(tmp_path / "m.npy", mmap_mode="r" if mapped else None)
    vectors = Vectors(id_map(NAMES), matrix)
    found = vectors.similar(NAMES, k=3)
    copied = clone(vectors)
    assert copied.ids == vectors.ids
    assert not np.shares_memory(copied.matrix, vectors.matrix)
    assert not copied.matrix.flags.writeable
    assert copied.similar(NAMES, k=3).items.tolist() == found.items.tolist()


def test_a_pickle_holds_no_search_index(vectors):
    size = len(pickle.dumps(vectors))
    vectors.similar(NAMES, k=3)
    assert len(pickle.dumps(vectors)) == size


# word2vec formats


@pytest.mark.parametrize("binary", [True, False])
def test_vectors_come_back_from_a_word2vec_file(vectors, tmp_path, binary):
    vectors.save_word2vec(tmp_path / "v", binary=binary)
    loaded = Vectors.load_word2vec(tmp_path / "v")
    assert loaded.ids == vectors.ids
    np.testing.assert_array_equal(loaded.matrix, vectors.matrix)


@pytest.mark.parametrize("binary", [True, False])
def test_whole_number_ids_come_back_when_asked_for(tmp_path, binary):
    (tmp_path / "v").write_bytes(b"3 1\n13 1\n3 2\n8 3\n")
    loaded = Vectors.load_word2vec(tmp_path / "v", kind="int")
    assert list(loaded) == [13, 3, 8]
    loaded.save_word2vec(tmp_path / "again", binary=binary)
    again = Vectors.load_word2vec(tmp_path / "again", binary, kind="int")
    assert again.ids == loaded.ids
    np.testing.assert_array_equal(again[[3, 8, 13]], [[2], [3], [1]])


def test_ids_that_are_all_whole_numbers_come_back_as_such(numbered, tmp_path):
    numbered.save_word2vec(tmp_path / "v")
    assert list(Vectors.load_word2vec(tmp_path / "v")) == [3, 5, 8, 13, 21]


def test_whole_numbers_stay_strings_when_asked_for(numbered, tmp_path):
    numbered.save_word2vec(tmp_path / "v")
    loaded = Vectors.load_word2vec(tmp_path / "v", kind="str")
    assert list(loaded) == ["3", "5", "8", "13", "21"]


@pytest.mark.parametrize("id", ["007", "word", "-1", "1.0", "9" * 19])
def test_one_id_that_is_no_whole_number_makes_all_strings(tmp_path, id):
    (tmp_path / "v").write_text(f"2 1\n7 1\n{id} 2\n")
    assert list(Vectors.load_word2vec(tmp_path / "v")) == ["7", id]


def test_ids_that_are_no_whole_numbers_are_refused_when_asked_for(vectors, tmp_path):
    vectors.save_word2vec(tmp_path / "v")
    with pytest.raises(FormatError, match="'north', expected a whole number"):
        Vectors.load_word2vec(tmp_path / "v", kind="int")


@pytest.mark.parametrize("kind", ["str", "int"])
def test_a_repeated_id_is_refused(tmp_path, kind):
    (tmp_path / "v").write_bytes(b"4 1\n7 1\n5 2\n7 3\n6 4\n")
    with pytest.raises(FormatError, match=r"line 4 of .* repeats the id '7' of line 2"):
        Vectors.load_word2vec(tmp_path / "v", kind=kind)


def test_a_file_without_entries_has_no_vectors(tmp_path):
    (tmp_path / "v").write_bytes(b"0 3\n")
    loaded = Vectors.load_word2vec(tmp_path / "v")
    assert (len(loaded), loaded.dim) == (0, 3)
    assert repr(loaded).endswith("dim=3: none)")


@pytest.mark.parametrize(("name", "value"), [("kind", "float"), ("binary", 1)])
def test_options_of_another_form_are_refused(tmp_path, name, value):
    with pytest.raises(InputError, match=f"{name} must be"):
        Vectors.load_word2vec(tmp_path / "v", **{name: value})
