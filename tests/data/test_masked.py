"""A masked entry of a NumPy array is a missing value: never what lies beneath the mask."""

import numpy as np
import pytest

import fastrec as fr
from fastrec.errors import InputError

INTS = np.ma.array([7, 8, 9], mask=[False, True, False])
TEXTS = np.ma.array(["a", "b", "c"], mask=[False, True, False])
FLOATS = np.ma.array([1.0, 2.0, 3.0], mask=[False, True, False])
TIMES = np.ma.array(np.array([1, 2, 3], "M8[s]"), mask=[False, True, False])
GOOD = {"user": [1, 1, 1], "item": [7, 8, 9]}


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("user", INTS),
        ("session", INTS),
        ("item", INTS),
        ("item", TEXTS),
        ("item", INTS.astype(np.uint8)),
        ("item", INTS.astype(object)),
        ("time", INTS),
        ("time", TIMES),
        ("order", INTS),
        ("value", FLOATS),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.dtype),
)
def test_a_masked_entry_of_a_column_is_refused_as_a_null_is(column, values):
    with pytest.raises(InputError, match=f"{column} must not be missing, got none in row 1"):
        fr.Interactions.from_arrays(**GOOD | {column: values})


@pytest.mark.parametrize("values", [FLOATS, TEXTS], ids=["numbers", "categories"])
def test_a_masked_entry_of_a_context_column_is_refused(values):
    with pytest.raises(InputError, match="must not be missing"):
        fr.Interactions.from_arrays(**GOOD, context={"place": values})


@pytest.mark.parametrize("item", [list(INTS), list(TEXTS)], ids=["numbers", "strings"])
def test_the_constant_that_masks_is_refused_among_ids(item):
    with pytest.raises(InputError, match="item must not be missing, got masked in row 1"):
        fr.Interactions.from_arrays(user=[1, 1, 1], item=item)


@pytest.mark.parametrize("column", ["time", "order", "value"])
def test_the_constant_that_masks_is_refused_among_numbers(column):
    with pytest.raises(InputError, match=f"{column} must not be missing, got none in row 1"):
        fr.Interactions.from_arrays(**GOOD | {column: list(INTS)})


def test_masked_numbers_of_a_side_table_are_refused():
    log = fr.Interactions.from_arrays(**GOOD)
    with pytest.raises(InputError, match="column 'year' must not be missing, got none in row 1"):
        log.with_items({"id": [7, 8, 9], "year": FLOATS}, id="id")


def test_a_masked_string_of_a_side_table_is_empty_as_a_null_is():
    log = fr.Interactions.from_arrays(**GOOD)
    items = log.with_items({"id": [7, 8, 9], "a": TEXTS, "b": ["a", None, "c"]}, id="id").items
    assert items["a"].tolist() == items["b"].tolist() == ["a", "", "c"]


@pytest.mark.parametrize("sequences", [[INTS], [[7], INTS], np.ma.array([INTS])], ids=len)
def test_a_masked_entry_of_a_sequence_is_refused(sequences):
    with pytest.raises(InputError, match="items must not be missing"):
        fr.Interactions.from_sequences(sequences)


def test_an_array_that_masks_nothing_is_taken():
    log = fr.Interactions.from_arrays(user=[1, 1, 1], item=np.ma.array([7, 8, 9]))
    assert log.item_ids.ids.tolist() == [7, 8, 9]


@pytest.mark.parametrize(
    "histories", [[INTS], np.ma.array([INTS]), [[7, None, 9]]], ids=["rows", "matrix", "nulls"]
)
def test_a_masked_entry_of_a_history_is_padding_as_a_null_is(histories):
    model = fr.Popularity().fit([[7, 8, 9, 10]])
    assert model.recommend(histories, k=4).to_lists()[0][0][0] == 8
    queries = fr.Queries.from_columns(histories, [10])
    assert queries.item_ids.decode(queries.histories[0]).tolist() == [7, 9]


@pytest.mark.parametrize("exclude", [INTS, list(INTS)], ids=["array", "list"])
def test_a_masked_entry_to_exclude_is_padding(exclude):
    model = fr.Popularity().fit([[7, 8, 9, 10]])
    answer = model.recommend([[]], k=4, exclude=exclude)
    assert [item for item, _ in answer.to_lists()[0]] == [8, 10]


@pytest.mark.parametrize("weights", [[FLOATS], np.ma.array([FLOATS])], ids=["rows", "matrix"])
def test_a_masked_weight_is_refused(weights):
    model = fr.Item2Vec(dim=4, epochs=1, threads=1).fit([[7, 8, 9, 10]])
    with pytest.raises(InputError, match="weights must be numbers"):
        model.recommend([[7, 8, 9]], weights=weights)


@pytest.mark.parametrize(
    "call",
    [
        lambda: fr.Interactions.from_sequences([[1], [2], [3]]).take(np.ma.array(INTS - 7)),
        lambda: fr.Queries.from_columns([[1], [2], [3]]).take(np.ma.array(INTS - 7)),
        lambda: fr.IdMap.from_ids([1, 2, 3])[0].decode(INTS - 7),
        lambda: fr.IdMap.from_ids([1, 2, 3])[0].take(INTS - 7),
        lambda: fr.TopKIndex(np.ma.array([FLOATS])),
        lambda: fr.TopKIndex(np.eye(3), bias=FLOATS),
        lambda: fr.TopKIndex(np.eye(3)).search(np.ma.array([FLOATS]), 1),
        lambda: fr.TopKIndex(np.eye(3)).search(np.eye(3), 1, exclude=INTS - 7),
        lambda: fr.Ragged.from_lists([INTS]),
        lambda: fr.Ragged.from_lists([list(INTS)]),
        lambda: fr.Corpus.from_texts(["a", "b", "c"]).take(INTS - 7),
    ],
)
def test_a_masked_entry_among_numbers_is_refused(call):
    with pytest.raises(InputError, match="must not be missing, got a masked entry"):
        call()


def test_masked_arrays_cannot_be_kept_as_they_are():
    with pytest.raises(InputError, match="without masked entries"):
        fr.Ragged(INTS, np.array([0, 3]))
    with pytest.raises(InputError, match="matrix must be"):
        fr.Vectors(fr.IdMap.from_ids([1])[0], np.ma.array([FLOATS], np.float32))
