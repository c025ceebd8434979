"""Analogies: the answers of the two methods against float64, and what may be asked."""

import numpy as np
import pytest

from fastrec.data import IdMap, Ragged
from fastrec.errors import InputError, UnknownIdError
from fastrec.search import Vectors, analogies
from tests.reference import analogies as reference

METHODS = ("add", "mul")
WORDS = ["man", "woman", "king", "queen", "tree", "nothing"]
MATRIX = np.array(
    [[1, 0, 1], [1, 1, 0], [3, 0, 1], [3, 1, 0], [0, 1, 2], [0, 0, 0]], dtype=np.float32
)


def vectors_of(ids, matrix):
    return Vectors(IdMap.from_ids(ids)[0], np.asarray(matrix, dtype=np.float32))


@pytest.fixture
def words():
    return vectors_of(WORDS, MATRIX)


@pytest.fixture
def numbered():
    """Random vectors of the ids 0 to 299, which are their rows."""
    return vectors_of(np.arange(300), np.random.default_rng(5).standard_normal((300, 9)))


def questions(count, n_positive, n_negative, n_rows=300):
    draw = np.random.default_rng(6)
    drawn = np.array(
        [draw.permutation(n_rows)[: n_positive + n_negative] for _ in range(count)], dtype=np.int32
    )
    return drawn[:, :n_positive], drawn[:, n_positive:]


# The answers


@pytest.mark.parametrize("method", METHODS)
def test_king_less_man_plus_woman_is_queen(words, method):
    found = words.analogy(["king", "woman"], ["man"], k=1, method=method)
    assert found.items.tolist() == [["queen"]]


@pytest.mark.parametrize("restrict", [None, 100, 299])
@pytest.mark.parametrize(("n_positive", "n_negative"), [(2, 1), (1, 1), (3, 0), (1, 3)])
@pytest.mark.parametrize("method", METHODS)
def test_answers_are_those_of_the_equations(numbered, method, n_positive, n_negative, restrict):
    positive, negative = questions(40, n_positive, n_negative)
    found = numbered.analogy(positive, negative, k=5, method=method, restrict=restrict)
    expected = [
        reference.answers(numbered.matrix, above, below, 5, method, restrict)
        for above, below in zip(positive.tolist(), negative.tolist(), strict=True)
    ]
    assert found.items.tolist() == expected
    assert found.counts.tolist() == [5] * 40


@pytest.mark.parametrize("method", METHODS)
def test_scores_are_those_of_the_equations(numbered, method):
    found = numbered.analogy([7, 9], [250], k=4, method=method)
    expected = reference.scores(numbered.matrix, [7, 9], [250], method)
    np.testing.assert_allclose(found.scores[0], expected[found.items[0]], rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_opposite_vectors_have_scores_of_the_equations(method):
    vectors = vectors_of(np.arange(4), [[1, 0], [-1, 0], [0, 1], [-0.6, 0.8]])
    found = vectors.analogy([0], [1], k=2, method=method)
    expected = reference.scores(vectors.matrix, [0], [1], method)
    np.testing.assert_allclose(found.scores[0], expected[found.items[0]], rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_the_ids_of_a_question_are_no_answers(words, method):
    found = words.analogy(["king", "woman"], ["man"], k=6, method=method)
    assert found.counts.tolist() == [3]
    assert set(found.items[0, :3]) == {"queen", "tree", "nothing"}
    assert found.items[0, 3:].tolist() == [None] * 3


@pytest.mark.parametrize("method", METHODS)
def test_only_the_first_rows_are_answers_where_it_is_restricted(words, method):
    found = words.analogy(["king", "tree"], ["nothing"], k=6, method=method, restrict=3)
    assert set(found.items[0, : found.counts[0]]) == {"man", "woman"}


@pytest.mark.parametrize("restrict", [6, 1000])
def test_a_restriction_to_all_rows_and_more_is_none(words, restrict):
    expected = words.analogy(["king"], ["man"]).to_lists()
    assert words.analogy(["king"], ["man"], restrict=restrict).to_lists() == expected


@pytest.mark.parametrize("method", METHODS)
def test_an_id_that_is_named_twice_counts_twice(numbered, method):
    found = numbered.analogy([3, 3, 8], [5], k=3, method=method)
    expected = reference.answers(numbered.matrix, [3, 3, 8], [5], 3, method)
    assert found.items[0].tolist() == expected


# Many questions at once


@pytest.mark.parametrize("method", METHODS)
def test_questions_of_different_lengths_are_answered_as_alone(numbered, method):
    positive, negative = [[1, 2], [3], [4, 5, 6]], [[7], [], [8, 9]]
    found = numbered.analogy(positive, negative, k=3, method=method)
    alone = [
        numbered.analogy(above, below, k=3, method=method).items[0].tolist()
        for above, below in zip(positive, negative, strict=True)
    ]
    assert found.items.tolist() == alone


@pytest.mark.parametrize("method", METHODS)
def test_blocks_of_questions_and_candidates_change_no_answer(numbered, monkeypatch, method):
    positive, negative = questions(50, 2, 1)
    expected = numbered.analogy(positive, negative, k=4, method=method)
    monkeypatch.setattr(analogies, "QUESTIONS_AT_ONCE", 7)
    monkeypatch.setattr(analogies, "SCORES_AT_ONCE", 300 * 7)
    monkeypatch.setattr(analogies, "CANDIDATES_AT_ONCE", 41)
    found = numbered.analogy(positive, negative, k=4, method=method)
    assert found.items.tolist() == expected.items.tolist()
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_the_answer_does_not_depend_on_threads(numbered, method):
    positive, negative = questions(50, 2, 1)
    one, three = (
        numbered.analogy(positive, negative, k=4, method=method, threads=threads)
        for threads in (1, 3)
    )
    np.testing.assert_array_equal(one.items, three.items)
    np.testing.assert_array_equal(one.scores, three.scores)


@pytest.mark.parametrize("method", METHODS)
def test_no_question_has_no_answer(numbered, method):
    empty = np.empty((0, 2), dtype=np.int32)
    found = numbered.analogy(empty, empty, k=3, method=method)
    assert found.items.shape == (0, 3)


def test_many_questions_may_have_no_negative_ids_at_all(numbered):
    found = numbered.analogy([[1, 2], [3, 4]], k=2)
    assert found.items.tolist() == numbered.analogy([[1, 2], [3, 4]], [[], []], k=2).items.tolist()


@pytest.mark.parametrize("method", METHODS)
def test_given_lists_of_rows_may_be_no_answers(numbered, method):
    positive, negative = (Ragged.from_lists(rows) for rows in ([[1, 2]], [[3]]))
    best = numbered.rank_analogies(positive, negative, 2, method=method).items[0]
    exclude = Ragged.from_lists([[1, 2, 3, int(best[0])]])
    found = numbered.rank_analogies(positive, negative, 1, method=method, exclude=exclude)
    assert found.items.tolist() == [[best[1]]]


# What cannot be asked


@pytest.mark.parametrize(
    ("positive", "negative", "message"),
    [
        ([], ["man"], "positive must hold at least one id"),
        ([["king"], []], [["man"], ["man"]], "empty in question 1"),
        ("king", ["man"], r"positive must be a list of ids, got 'king'"),
        (["king"], "man", r"negative must be a list of ids, got 'man'"),
        ([["king"], ["tree"]], [["man"]], "positive has 2 questions and negative 1"),
        ([["king"], ["tree"]], ["man"], "positive has 2 questions and negative 1"),
        (["king", None], ["man"], "positive holds padding"),
        ([3], ["man"], "positive ids are whole numbers"),
        (["king"], [["man"], 3], "negative must be a list of lists"),
    ],
)
def test_what_is_no_question_is_refused(words, positive, negative, message):
    with pytest.raises(InputError, match=message):
        words.analogy(positive, negative)


@pytest.mark.parametrize(("positive", "negative"), [(["kin"], ["man"]), (["king"], ["kin"])])
def test_an_unknown_id_is_named(words, positive, negative):
    with pytest.raises(UnknownIdError, match="'kin'"):
        words.analogy(positive, negative)


@pytest.mark.parametrize(
    ("option", "value"), [("method", "sum"), ("k", 0), ("restrict", 0), ("restrict", 2.5)]
)
def test_options_of_another_form_are_refused(words, option, value):
    with pytest.raises(InputError, match=f"{option} must be"):
        words.analogy(["king"], ["man"], **{option: value})


def test_products_of_many_factors_are_refused(numbered):
    with pytest.raises(InputError, match="at most 12 negative ids a question, got 13"):
        numbered.analogy([1], list(range(2, 15)), method="mul")


def test_products_of_as_many_factors_as_are_allowed_are_finite(numbered):
    found = numbered.analogy(list(range(12)), list(range(12, 24)), k=300, method="mul")
    assert np.isfinite(found.scores[0, : found.counts[0]]).all()
