"""Texts of the benchmarks are the same for all sides, and their judges tell good from bad."""

import numpy as np
import pytest

from benchmarks import imdb
from benchmarks.texts import write_lines


def test_the_file_and_the_corpus_hold_the_same_words():
    text = write_lines(["one two", "", "three"])
    assert text.path.read_text() == "one two\n\nthree\n"
    assert list(text.corpus.decode()) == [["one", "two"], [], ["three"]]
    assert list(text.head(1).corpus.decode()) == [["one", "two"]]
    path = text.path
    del text
    assert not path.parent.exists()


def test_marks_are_words_and_line_breaks_of_the_page_are_none():
    review = "Don't miss it!<br /><br />(Really: 10/10.)"
    assert imdb.words(review) == ["don't", "miss", "it", *"!(", "really", ":", "10", "10", *".)"]


@pytest.fixture
def reviews():
    """Half of 200 reviews to train and half to test, four fifths of each with a label."""
    label = np.tile(np.array([1, 0, -1, 0, 1], dtype=np.int8), 40)
    return imdb.Reviews(None, label, np.arange(200) < 100)


@pytest.mark.parametrize("by_folds", [False, True])
def test_vectors_that_tell_the_label_have_no_error(reviews, by_folds):
    reviews = imdb.hold_out(reviews) if by_folds else reviews
    noise = np.random.default_rng(0).normal(size=(200, 3))
    vectors = np.column_stack([noise, 2.0 * reviews.label]).astype(np.float32)
    assert imdb.error([vectors], reviews) == 0
    assert imdb.error([noise[:, :2], vectors], reviews) == 0


@pytest.mark.parametrize("by_folds", [False, True])
def test_vectors_that_know_nothing_are_wrong_about_half(reviews, by_folds):
    reviews = imdb.hold_out(reviews) if by_folds else reviews
    noise = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    assert 0.3 < imdb.error([noise], reviews) < 0.7


def test_the_hold_out_sees_no_label_of_the_test_part(reviews):
    vectors = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    held_out = imdb.hold_out(reviews)
    before = imdb.error([vectors], held_out)
    held_out.label[100:] = 1 - held_out.label[100:]
    assert imdb.error([vectors], held_out) == before
