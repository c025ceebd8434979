"""The exact index: what it takes, in place or copied, and who may search it at once."""

import copy
import multiprocessing
import pickle
import threading

import numpy as np
import pytest

from fastrec.data.ragged import Ragged
from fastrec.errors import InputError
from fastrec.runtime import isa
from fastrec.runtime.arrays import padded_copy
from fastrec.search import TopKIndex, scan
from tests.reference.topk import assert_answers, assert_same, scores_of


def normal(rows, dim, seed=0):
    return np.random.default_rng((seed, rows, dim)).standard_normal((rows, dim), dtype=np.float32)


def shares_memory(index, array):
    return np.shares_memory(index._matrix, array)


@pytest.fixture
def small_pieces(monkeypatch):
    """Cut even a small search into many pieces."""
    monkeypatch.setattr(scan, "PIECE_SECONDS", (1e-9, 1e-9))
    monkeypatch.setattr(scan, "CALL_SECONDS", 1e-9)


@pytest.mark.parametrize("n_queries", [1, 10, 40, 700])
@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_that_share_queries_find_the_same(small_pieces, n_queries, threads):
    vectors, queries = normal(3001, 16), normal(n_queries, 16, seed=1)
    alone = TopKIndex(vectors, threads=1).search(queries, 60)
    assert_same(TopKIndex(vectors, threads=threads).search(queries, 60), alone)
    assert_answers(alone, scores_of(vectors, queries), 60)


def test_ties_across_pieces_are_ordered_by_the_smaller_row(small_pieces):
    vectors = np.ones((4000, 4), np.float32)
    found = TopKIndex(vectors, threads=8).search(np.ones((2, 4)), 700)
    np.testing.assert_array_equal(found.items, [np.arange(700)] * 2)


def test_lists_work_where_threads_share_queries(small_pieces):
    vectors, queries = normal(2000, 16), normal(40, 16, seed=1)
    random = np.random.default_rng(0)
    exclude = [random.integers(0, 2000, 500) for _ in range(40)]
    allow = np.arange(100, 1900)
    found = TopKIndex(vectors, threads=3).search(
        queries, 30, exclude=Ragged.from_lists(exclude), allow=allow
    )
    assert_answers(found, scores_of(vectors, queries), 30, exclude=exclude, allow=[allow] * 40)


def test_long_shortlists_are_searched_in_smaller_blocks(monkeypatch):
    monkeypatch.setattr(scan, "SHORTLIST_BYTES", 8 * 2016 * 5)
    vectors, queries = normal(3000, 8), normal(37, 8, seed=1)
    found = TopKIndex(vectors).search(queries, 1000)
    assert_answers(found, scores_of(vectors, queries), 1000)


def test_contiguous_rows_are_used_in_place():
    vectors = normal(50, 20)
    assert shares_memory(TopKIndex(vectors), vectors)


def test_a_view_of_a_padded_matrix_is_used_in_place():
    padded, queries = padded_copy(normal(50, 20)), normal(4, 20, seed=1)
    index = TopKIndex(padded[:, :20])
    assert shares_memory(index, padded)
    assert_answers(index.search(queries, 7), scores_of(padded[:, :20], queries), 7)


def test_a_memory_map_is_used_in_place(tmp_path):
    vectors, queries = normal(300, 20), normal(4, 20, seed=1)
    vectors.tofile(tmp_path / "vectors")
    mapped = np.memmap(tmp_path / "vectors", dtype=np.float32, mode="r", shape=(300, 20))
    index = TopKIndex(mapped)
    assert shares_memory(index, mapped)
    assert_answers(index.search(queries, 7), scores_of(vectors, queries), 7)


@pytest.mark.parametrize(
    "change",
    [
        np.float64,
        np.float16,
        np.asfortranarray,
        lambda vectors: vectors[::-1],
        lambda vectors: vectors[:, ::2],
        lambda vectors: vectors.astype(">f4"),
        lambda vectors: np.broadcast_to(vectors[0], vectors.shape),
        lambda vectors: np.round(vectors).astype(np.int16),
        lambda vectors: vectors.tolist(),
    ],
    ids=["f64", "f16", "fortran", "reversed", "strided", "big-endian", "repeated", "int", "lists"],
)
def test_other_layouts_and_dtypes_give_right_answers(change):
    vectors = change(normal(60, 20))
    queries = change(normal(60, 20, seed=1))
    scores = scores_of(np.asarray(vectors), np.asarray(queries))
    assert_answers(TopKIndex(vectors).search(queries, 9), scores, 9, tolerance=1e-4)


def test_read_only_arrays_are_fine():
    arrays = vectors, queries, bias = normal(30, 8), normal(3, 8, seed=1), normal(1, 30)[0]
    exclude, allow = Ragged.from_lists([[1], [2, 3], []]), np.arange(29)
    for array in (*arrays, exclude.values, exclude.offsets, allow):
        array.flags.writeable = False
    TopKIndex(vectors, bias=bias).search(queries, 3, exclude=exclude, allow=allow)


def test_lists_are_not_changed():
    exclude, allow = np.array([5, 1, 5]), Ragged.from_lists([[9, 2, 2], [4, 3]])
    TopKIndex(normal(30, 8)).search(normal(2, 8), 3, exclude=exclude, allow=allow)
    assert exclude.tolist() == [5, 1, 5]
    assert allow.values.tolist() == [9, 2, 2, 4, 3]


def test_a_slice_of_lists_is_a_list_for_each_query():
    vectors, queries = normal(30, 8), normal(2, 8, seed=1)
    lists = Ragged.from_lists([[0], [1, 2], [3, 4], [5]])
    found = TopKIndex(vectors).search(queries, 30, exclude=lists.slice(1, 3))
    assert_answers(found, scores_of(vectors, queries), 30, exclude=[[1, 2], [3, 4]])


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_vectors_that_are_not_finite_are_refused(broken):
    vectors = normal(50_000, 8)
    vectors[49_999, 3] = broken
    with pytest.raises(InputError, match=r"vectors must be finite .* row 49999"):
        TopKIndex(vectors)


def test_numbers_beyond_float32_are_refused():
    with pytest.raises(InputError, match="vectors must be finite in float32"):
        TopKIndex([[1e39]])


def test_scores_that_could_overflow_are_refused():
    index = TopKIndex(np.full((2, 2), 1e30, np.float32))
    with pytest.raises(InputError, match="could overflow float32"):
        index.search([[1e30, -1e30]], 1)
    assert index.search([[1.0, -1.0]], 1).items.tolist() == [[0]]


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.ones(3), r"vectors must be a matrix .* got 1 dimension"),
        (np.ones((3, 0)), "at least one column"),
        ([["a", "b"]], "vectors must hold real numbers"),
        ([[1, 2], [3]], "vectors must be a matrix of numbers"),
        (np.ones((2, 2), complex), "vectors must hold real numbers"),
    ],
)
def test_bad_vectors_are_refused(vectors, message):
    with pytest.raises(InputError, match=message):
        TopKIndex(vectors)


@pytest.mark.parametrize(
    ("bias", "message"),
    [
        (np.ones(4), "one number for each of the 5 rows"),
        (np.ones((5, 1)), "one number for each of the 5 rows"),
        ([0, 0, np.nan, 0, 0], "bias must be finite .* row 2"),
    ],
)
def test_a_bad_bias_is_refused(bias, message):
    with pytest.raises(InputError, match=message):
        TopKIndex(normal(5, 3), bias=bias)


def test_an_unknown_metric_is_refused():
    with pytest.raises(InputError, match="metric must be one of 'dot', 'cosine'"):
        TopKIndex(normal(5, 3), metric="euclidean")


@pytest.mark.parametrize("name", ["exclude", "allow"])
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([5], "must hold rows from 0 to 4"),
        ([-2], "must hold rows from 0 to 4"),
        ([0.5], "must hold whole numbers"),
        ([[1, 2], [3, 4]], "must be a 1-D array of rows .* or a Ragged"),
        ([[1, 2], [3]], "must be a 1-D array of rows .* or a Ragged"),
        (3, "must be a 1-D array of rows .* or a Ragged"),
        (Ragged.from_lists([[1]]), "one list for each of the 2 queries, got 1 lists"),
        (Ragged.from_lists([[1], [9]]), "must hold rows from 0 to 4"),
    ],
)
def test_bad_lists_are_refused(name, rows, message):
    with pytest.raises(InputError, match=f"{name} .*{message}"):
        TopKIndex(normal(5, 3)).search(normal(2, 3), 1, **{name: rows})


def test_threads_must_be_a_whole_number():
    with pytest.raises(InputError, match="threads"):
        TopKIndex(normal(5, 3), threads=0)


def test_three_threads_search_one_index_at_once():
    vectors = normal(20_000, 32)
    index = TopKIndex(vectors, threads=2)
    batches = [normal(60, 32, seed=seed) for seed in range(3)]
    expected = [index.search(queries, 50) for queries in batches]
    outcomes = [[] for _ in batches]

    def search(number):
        for _ in range(5):
            outcomes[number].append(index.search(batches[number], 50))

    callers = [threading.Thread(target=search, args=(number,)) for number in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    for found, right in zip(outcomes, expected, strict=True):
        assert len(found) == 5
        for answer in found:
            assert_same(answer, right)


def search_elsewhere(index, queries, outbox):
    outbox.put(index.search(queries, 10).items)


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this system has no fork"
)
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_searches(small_pieces):
    index, queries = TopKIndex(normal(3000, 16), threads=2), normal(40, 16, seed=1)
    expected = index.search(queries, 10).items
    context = multiprocessing.get_context("fork")
    outbox = context.SimpleQueue()
    child = context.Process(target=search_elsewhere, args=(index, queries, outbox))
    child.start()
    found = outbox.get()
    child.join()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda index: pickle.loads(pickle.dumps(index))])
def test_a_copied_index_answers_alike(again):
    index, queries = TopKIndex(normal(60, 8), metric="cosine"), normal(4, 8, seed=1)
    assert_same(again(index).search(queries, 5), index.search(queries, 5))


def test_an_interrupted_search_stops_all_threads(small_pieces, monkeypatch):
    index = TopKIndex(normal(3000, 16), threads=2)

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(scan._Block, "scan", interrupt)
        with pytest.raises(KeyboardInterrupt):
            index.search(normal(40, 16), 5)
    assert index.search(normal(40, 16), 5).counts.tolist() == [5] * 40


# What is searched


def test_the_matrix_is_that_of_the_vectors_and_cannot_be_written():
    vectors = normal(5, 3)
    matrix = TopKIndex(vectors).matrix
    assert np.shares_memory(matrix, vectors)
    assert not matrix.flags.writeable


def test_the_matrix_of_a_cosine_index_has_rows_of_length_one():
    lengths = np.linalg.norm(TopKIndex(normal(5, 3), metric="cosine").matrix, axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-6)


# Numbers added to the rows of a list


def lists_of(n_queries, n_rows, seed=0):
    random = np.random.default_rng(seed)
    return Ragged.from_lists(
        [
            np.sort(random.choice(n_rows, random.integers(0, n_rows + 1), replace=False))
            for _ in range(n_queries)
        ]
    )


@pytest.mark.parametrize("level", isa.available_levels())
@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("dim", [1, 3, 17, 100, 129])
def test_numbers_are_added_to_the_rows_of_a_list(monkeypatch, dim, threads, level):
    monkeypatch.setattr(isa, "level", lambda: level)
    vectors, queries, bias = (
        normal(129, dim),
        normal(100, dim, seed=1),
        normal(129, 1, seed=2)[:, 0],
    )
    allow = lists_of(100, 129)
    added = np.random.default_rng(3).normal(size=allow.total).astype(np.float32)
    found = TopKIndex(vectors, bias=bias).search(
        queries, 9, allow=allow, added=added, threads=threads
    )
    scores = np.zeros((100, 129))
    scores[allow.row_numbers, allow.flat] = added
    scores += scores_of(vectors, queries) + bias
    lists = [row.tolist() for row in allow]
    assert_answers(found, scores, 9, allow=lists)


def test_numbers_that_are_added_do_not_disturb_sums_or_exclusions():
    vectors, queries = normal(50, 8), normal(3, 8, seed=1)
    allow, exclude = lists_of(3, 50), Ragged.from_lists([[1, 2, 3], [], list(range(40))])
    index = TopKIndex(vectors)
    plain = index.search(queries, 5, allow=allow, exclude=exclude, logsumexp=True)
    zeros = np.zeros(allow.total)
    same = index.search(queries, 5, allow=allow, exclude=exclude, added=zeros, logsumexp=True)
    assert_same(plain, same)
    np.testing.assert_array_equal(plain.logsumexp, same.logsumexp)


@pytest.mark.parametrize(
    ("allow", "added", "message"),
    [
        (None, [1.0], "a Ragged"),
        ([1, 2], [1.0, 1.0], "a Ragged"),
        ([[1, 2], [3]], [1.0, 1.0], "each of the 3 rows"),
        ([[1, 2], [3]], [[1.0], [1.0], [2.0]], "each of the 3 rows"),
        ([[2, 1], [3]], [1.0, 1.0, 1.0], "ascending"),
        ([[1, 1], [3]], [1.0, 1.0, 1.0], "ascending"),
        ([[-1, 1], [3]], [1.0, 1.0, 1.0], "ascending"),
        ([[1, 2], [3]], [1.0, np.nan, 1.0], "finite"),
        ([[1, 2], [3]], [1.0, 1e39, 1.0], "float32"),
        ([[1, 2], [3]], [1.0, 3.4028234e38, 1.0], "overflow"),
        ([[1, 2], [3]], ["a", "b", "c"], "added"),
        (np.uint32([2, 1]), [1.0, 1.0], "ascending"),
        ([[1, 9], [3]], [1.0, 1.0, 1.0], "rows from 0 to 4"),
    ],
)
def test_numbers_that_cannot_be_added_are_refused(allow, added, message):
    lists = allow
    if isinstance(allow, np.ndarray):
        lists = Ragged(allow, np.array([0, 2, 2]))
    elif allow and isinstance(allow[0], list):
        lists = Ragged.from_lists(allow)
    with pytest.raises(InputError, match=message):
        TopKIndex(normal(5, 3) * np.float32(1e32)).search(normal(2, 3), 1, allow=lists, added=added)


def test_lists_without_any_row_may_have_numbers():
    empty = Ragged.from_lists([[], []])
    found = TopKIndex(normal(5, 3)).search(normal(2, 3), 1, allow=empty, added=[])
    assert found.counts.tolist() == [0, 0]
