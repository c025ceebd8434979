"""Encoded parts that do not fit are refused where a user hands them in, and only there."""

import copy
import pickle

import numpy as np
import pytest

from fastrec.data import Corpus, validation
from fastrec.data.ids import IdMap
from fastrec.data.interactions import Interactions
from fastrec.data.queries import Queries
from fastrec.data.ragged import Ragged
from fastrec.errors import FormatError, InputError
from tests.data.logs import rows_of

IDS = IdMap.from_ids([10, 20, 30])[0]
WORDS = IdMap.from_ids(["a", "b", "c"])[0]
OTHER = IdMap.from_ids(["ann", "bob"])[0]


def codes(*numbers):
    return np.array(numbers, np.int32)


def log_parts(**changes):
    """The parts of a log of two users with everything that a log can have."""
    parts = {
        "item": codes(0, 2, 1),
        "item_ids": IDS,
        "history_offsets": np.array([0, 2, 3]),
        "user": codes(0, 0, 1),
        "user_ids": OTHER,
        "time": np.array([5, 7, 6]),
        "time_unit": "s",
        "value": np.ones(3, np.float32),
        "context": {"place": codes(0, 1, 0), "hour": np.zeros(3, np.float32)},
        "context_ids": {"place": OTHER},
        "items": {"year": np.array([1, 2, 3])},
    }
    return parts | changes


def query_parts(**changes):
    """The parts of two queries with everything that queries can have."""
    parts = {
        "item_ids": IDS,
        "histories": Ragged.from_lists([[0, 2], [1]]),
        "targets": Ragged.from_lists([[1], [-1, 0]]),
        "user": codes(1, -1),
        "user_ids": OTHER,
        "history_time": np.arange(3),
        "history_value": np.ones(3, np.float32),
        "time": np.arange(2),
        "time_unit": "s",
        "context": {"place": codes(0, -1)},
        "context_ids": {"place": OTHER},
    }
    return parts | changes


def test_parts_that_fit_make_the_log_that_a_constructor_makes():
    made = Interactions(**log_parts(context={}, context_ids={}, items=None))
    expected = Interactions.from_arrays(
        user=["ann", "ann", "bob"], item=[10, 30, 20], time=[5, 7, 6], value=[1, 1, 1]
    )
    assert rows_of(made) == rows_of(expected)
    assert not made.item.flags.writeable


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"item": codes(0, 3, 1)}, "item must hold codes from 0 to 2, got 0 to 3"),
        ({"item": codes(0, -1, 1)}, "item must hold codes from 0 to 2, got -1 to 1"),
        ({"item": np.array([0, 2, 1])}, "item must be a one-dimensional int32 array, got int64"),
        ({"item": [0, 2, 1]}, "item must be .* got list"),
        ({"item": np.ma.array(codes(0, 2, 1), mask=[0, 1, 0])}, "with masked entries"),
        ({"item_ids": [10, 20, 30]}, "item_ids must be an IdMap, got list"),
        ({"user": codes(0, 0, 2)}, "user must hold codes from 0 to 1"),
        ({"user": codes(0, 0)}, "one value a row each, 3, got user: 2"),
        ({"user": codes(1, 1, 0)}, "rows must be sorted by user, session and time"),
        ({"user": None}, "user or session must be given"),
        ({"user_ids": None}, "user and user_ids must be given together"),
        ({"session": codes(0, 0, 0)}, "session and session_ids must be given together"),
        ({"session": codes(0, 1, 0), "session_ids": IDS}, "history_offsets must say where"),
        ({"history_offsets": np.array([0, 1, 3])}, "history_offsets must say where"),
        ({"history_offsets": np.array([0, 2, 9])}, "history_offsets must say where"),
        ({"time": np.array([7, 5, 6])}, "rows must be sorted"),
        ({"time": np.array([5.0, 7.0, 6.0])}, "time must be a one-dimensional int64"),
        ({"time": None}, "time and time_unit must be given together"),
        ({"time_unit": "h"}, "time_unit must be one of"),
        ({"value": np.array([1, np.nan, 1], np.float32)}, "value must be finite"),
        ({"value": np.ones(3)}, "value must be a one-dimensional float32"),
        ({"context": {"place": codes(0, 2, 0)}}, "context 'place' must hold codes from 0 to 1"),
        ({"context": {"hour": np.ones(3, np.float32)}}, "context has no column 'place'"),
        ({"context": {"place": np.ones(3, np.float32)}}, "context 'place' must be .* int32"),
        ({"context": [1]}, "context must be a dict"),
        ({"items": {"year": np.array([1, 2])}}, "'year' of items must be an array with one value"),
        ({"users": np.array([1])}, "users must be a dict of columns"),
    ],
    ids=str,
)
def test_parts_that_do_not_fit_make_no_log(changes, message):
    with pytest.raises(InputError, match=message):
        Interactions(**log_parts(**changes))


def test_parts_that_fit_make_queries():
    queries = Queries(**query_parts())
    assert queries.histories.to_lists() == [[0, 2], [1]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"histories": Ragged.from_lists([[0, 3], [1]])}, "histories must hold codes from 0 to 2"),
        ({"histories": Ragged.from_lists([[-1, 0], [1]])}, "histories must hold codes from 0"),
        ({"histories": [[0, 2], [1]]}, "histories must be a Ragged, got list"),
        ({"histories": Ragged.from_lists([[0, 2], [1]], np.int64)}, "histories must be .* int32"),
        ({"targets": Ragged.from_lists([[-2], [0]])}, "targets must hold codes from -1 to 2"),
        ({"targets": Ragged.from_lists([[0]])}, "histories: 2, targets: 1"),
        ({"targets": codes(0, 1)}, "targets must be a Ragged"),
        ({"user": codes(2, 0)}, "user must hold codes from -1 to 1"),
        ({"user_ids": None}, "user_ids must be given with user"),
        ({"time": np.arange(3)}, "one value a row each, 2, got time: 3"),
        ({"history_time": np.arange(2)}, "got history_time: 2"),
        ({"history_value": np.arange(3)}, "history_value must be .* float32"),
        ({"context": {"place": codes(0, 2)}}, "context 'place' must hold codes from -1 to 1"),
        ({"exclude_seen": 1}, "exclude_seen must be True or False"),
    ],
    ids=str,
)
def test_parts_that_do_not_fit_make_no_queries(changes, message):
    with pytest.raises(InputError, match=message):
        Queries(**query_parts(**changes))


def test_a_slice_of_queries_may_lie_anywhere_in_its_values():
    values, offsets = codes(99, 0, 2, 99), np.array([1, 2, 3])
    queries = Queries(item_ids=IDS, histories=Ragged(values, offsets))
    assert queries.histories.to_lists() == [[0], [2]]


def corpus_parts(**changes):
    """The parts of a corpus of two documents and three words."""
    parts = {
        "tokens": codes(0, 1, 2, 0),
        "offsets": np.array([0, 3, 4]),
        "word_ids": WORDS,
        "counts": np.array([2, 1, 1]),
        "given_ids": OTHER,
    }
    return parts | changes


def test_parts_that_fit_make_the_corpus_that_a_constructor_makes():
    made = Corpus(**corpus_parts())
    expected = Corpus.from_texts(["a b c", "a"], ids=["ann", "bob"])
    assert list(made.decode()) == list(expected.decode()) == [["a", "b", "c"], ["a"]]
    assert made.counts.tolist() == expected.counts.tolist()
    assert not made.tokens.flags.writeable


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": codes(0, 1, 3, 0)}, "tokens must hold codes from 0 to 2, got 0 to 3"),
        ({"tokens": np.array([0, 1, 2, 0])}, "tokens must be a one-dimensional int32 array"),
        ({"offsets": np.array([0, 3, 5])}, "offsets must ascend from 0 to at most the 4 values"),
        ({"offsets": np.array([0, 3, 3])}, "offsets must go from 0 to the 4 tokens, got 0 to 3"),
        ({"offsets": np.array([0, 4, 3])}, "offsets must ascend"),
        ({"word_ids": OTHER}, "columns must have one value a row each, 2, got counts: 3"),
        ({"word_ids": ["a", "b", "c"]}, "word_ids must be an IdMap, got list"),
        ({"word_ids": IDS}, "word_ids must hold strings, got whole numbers"),
        ({"counts": np.array([1, 1, 2])}, "counts must say how often each word occurs"),
        ({"tokens": codes(2, 1, 0, 2), "counts": np.array([1, 1, 2])}, "in falling order"),
        ({"given_ids": WORDS}, "documents: 2, given_ids: 3"),
    ],
    ids=str,
)
def test_parts_that_do_not_fit_make_no_corpus(changes, message):
    with pytest.raises(InputError, match=message):
        Corpus(**corpus_parts(**changes))


@pytest.fixture
def unread(monkeypatch):
    """No column may be read to check it."""

    def refuse(*_):
        raise AssertionError("the contents were checked")

    monkeypatch.setattr(validation, "check_log_contents", refuse)
    monkeypatch.setattr(validation, "check_queries_contents", refuse)
    monkeypatch.setattr(validation, "check_corpus", refuse)


def test_what_the_package_makes_itself_is_not_checked_again(unread, tmp_path):
    log = Interactions.from_arrays(user=[1, 1, 2, 2], item=[5, 6, 6, 7], time=[1, 2, 3, 4])
    log.save(tmp_path / "log")
    opened = Interactions.open(tmp_path / "log").with_items({"id": [5, 6, 7]}, id="id")
    assert len(opened.take([1]).filter(min_item_count=1)) == 2
    assert opened.sessionize(10).n_histories == 2
    queries = Queries.last_item(opened)
    assert len(queries.slice(0, 1).translate(IdMap.from_ids([6, 5])[0])) == 1
    assert len(queries.take([True, False])) == 1


def test_what_the_package_makes_itself_of_texts_is_not_checked_again(unread):
    corpus = Corpus.from_texts(["a b", "c", "d"])
    assert copy.copy(pickle.loads(pickle.dumps(corpus.take([2, 0])))).n_words == 3


def test_a_folder_whose_columns_have_another_dtype_is_damaged(tmp_path):
    Interactions.from_sequences([[1, 2]]).save(tmp_path / "log")
    np.save(tmp_path / "log" / "item.npy", np.array([0.5, 1.5]))
    with pytest.raises(FormatError, match=r"is damaged: item must be .* int32 array"):
        Interactions.open(tmp_path / "log")


@pytest.mark.parametrize("code", [-1, 2, 2**30])
def test_a_folder_with_codes_that_are_no_items_is_damaged_when_they_are_counted(tmp_path, code):
    Interactions.from_sequences([[1, 2]]).save(tmp_path / "log")
    np.save(tmp_path / "log" / "item.npy", codes(0, code))
    with pytest.raises(FormatError, match="the log is damaged: it holds codes from"):
        Interactions.open(tmp_path / "log").item_counts()
