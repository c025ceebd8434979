"""The forms in which ids come, and what is refused."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrec.data.ids import IdMap
from fastrec.errors import InputError

NUMBERS, TEXTS = [3, 1, 3, 250], ["b", "日本", "b", ""]


class Speaker:
    """Something that only speaks the Arrow interface."""

    def __init__(self, array):
        self.array = array

    def __arrow_c_array__(self, requested_schema=None):
        return self.array.__arrow_c_array__(requested_schema)


@pytest.mark.parametrize(
    "ids",
    [
        NUMBERS,
        tuple(NUMBERS),
        (id for id in NUMBERS),
        [np.int16(id) for id in NUMBERS],
        *(np.array(NUMBERS, dtype) for dtype in ("u1", "i2", ">i4", "u4", "i8", "u8", object)),
        np.array([[id, 0] for id in NUMBERS])[:, 0],
        pa.array(NUMBERS, pa.uint8()),
        pa.chunked_array([NUMBERS[:1], NUMBERS[1:]]),
        pa.array(NUMBERS).dictionary_encode(),
        Speaker(pa.array(NUMBERS)),
    ],
    ids=lambda ids: f"{type(ids).__name__} {getattr(ids, 'dtype', '')}",
)
def test_numbers_come_in_many_forms(ids):
    mapping, codes = IdMap.from_ids(ids)
    assert mapping.ids.tolist() == [1, 3, 250]
    assert codes.tolist() == [1, 0, 1, 2]


@pytest.mark.parametrize(
    "ids",
    [
        TEXTS,
        tuple(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS).astype(np.dtype("U9").newbyteorder(">")),
        np.array([[id, "x"] for id in TEXTS])[:, 0],
        np.array(TEXTS, object),
        np.array(TEXTS, np.dtypes.StringDType()) if hasattr(np.dtypes, "StringDType") else TEXTS,
        pa.array(TEXTS),
        pa.array(TEXTS, pa.large_string()),
        pa.array(TEXTS, pa.string_view()),
        pa.array(["a", *TEXTS]).slice(1),
        pa.chunked_array([TEXTS[:1], [], TEXTS[1:]]),
        pa.array(TEXTS).dictionary_encode(),
        pa.DictionaryArray.from_arrays([0, 1, 0, 2], pa.array(["b", "日本", ""], pa.string_view())),
        Speaker(pa.array(TEXTS)),
    ],
    ids=lambda ids: f"{type(ids).__name__} {getattr(ids, 'dtype', '')}",
)
def test_strings_come_in_many_forms(ids):
    mapping, codes = IdMap.from_ids(ids)
    assert mapping.ids.tolist() == ["b", "日本", ""]
    assert codes.tolist() == [0, 1, 0, 2]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_arrays_of_any_unicode_say_the_same_as_lists(ids):
    ids = [id.rstrip("\0") for id in ids]  # NumPy's fixed-width strings drop these
    of_list, of_array, of_arrow = (IdMap.from_ids(f(ids)) for f in (list, np.array, pa.array))
    assert of_list[0] == of_array[0] == of_arrow[0]


def test_wide_strings_are_read_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr("fastrec.data.id_columns.CHUNK", 4)
    ids = np.array(["a" * 300, "b", "a" * 300, "c"])
    assert IdMap.from_ids(ids)[1].tolist() == [0, 1, 0, 2]


def test_series_of_pandas_are_ids():
    pandas = pytest.importorskip("pandas")
    assert IdMap.from_ids(pandas.Series(NUMBERS))[0].ids.tolist() == [1, 3, 250]
    assert IdMap.from_ids(pandas.Series(TEXTS))[0].ids.tolist() == ["b", "日本", ""]
    assert IdMap.from_ids(pandas.Series(TEXTS, dtype="category"))[0].ids.tolist()[0] == "b"
    with pytest.raises(InputError, match="missing values"):
        IdMap.from_ids(pandas.Series([1, None]))
    with pytest.raises(InputError, match="all numbers or all strings, got 1 in row 1"):
        IdMap.from_ids(pandas.Series(["a", 1], dtype=object))


def test_read_only_arrays_are_read_and_left_alone():
    ids = np.array(NUMBERS)
    ids.flags.writeable = False
    assert IdMap.from_ids(ids)[1].tolist() == [1, 0, 1, 2]


@pytest.mark.parametrize(
    "nothing", [[], np.array([]), np.array([], object), pa.array([], pa.float64())]
)
def test_no_ids_make_an_empty_map(nothing):
    mapping, codes = IdMap.from_ids(nothing)
    assert len(mapping) == 0
    assert codes.shape == (0,)
    assert mapping.encode([3], on_unknown="ignore").tolist() == [-1]
    assert mapping.decode([-1]).tolist() == [-1]
    assert IdMap.from_ids(["a"])[0].encode(nothing).tolist() == []


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1, None], "must not be missing, got none in row 1"),
        (["a", None], "must not be missing, got none in row 1"),
        (pa.array([1, None]), "must not be missing, got none in row 1"),
        (pa.array(["a", None]), "must not be missing, got none in row 1"),
        (pa.nulls(2), "must not be missing, got none in row 0"),
        (["a", float("nan")], "must not be missing, got nan in row 1"),
        ([1, float("nan")], "must not be missing, got nan in row 1"),
        (np.array([1.0, np.nan]), "got dtype float64; a column with missing values becomes float"),
        (np.array([1.0]), "must be whole numbers or strings, got dtype float64"),
        (pa.array([1.5]), "must be whole numbers or strings, got dtype double; a column with"),
        ([1, 2.5], "must be whole numbers or strings, got 2.5 in row 1 of type float"),
        ([1, -1], "at least 0, got -1 in row 1, which is padding"),
        ([1, -2], r"at least 0 \(-1 is padding\), got -2 in row 1"),
        (np.array([-7], np.int8), "got -7 in row 0"),
        ([True], "got True in row 0 of type bool"),
        (np.array([True]), "got dtype bool"),
        (pa.array([True]), "got dtype bool"),
        ([2**63], r"at most 2\*\*63 - 1"),
        ([-(2**70)], "at least 0"),
        (pa.array([None, 2**63], pa.uint64()), r"at most 2\*\*63 - 1, got 9223372036854775808"),
        (pa.array([None, -3]), "got -3 in row 1"),
        (np.array([2**63], np.uint64), r"at most 2\*\*63 - 1, got 9223372036854775808"),
        (["a", 1], "all numbers or all strings, got 1 in row 1"),
        ([1, "a"], "all numbers or all strings, got 'a' in row 1"),
        (["ok", "\ud800"], "lone surrogate"),
        (np.array(["ok", "\udfff"]), "lone surrogate"),
        ([b"a"], "got b'a' in row 0 of type bytes"),
        (np.array([b"a"]), "decode bytes first"),
        (pa.array([b"a"]), "decode bytes first"),
        ([[1, 2]], "must be a flat list of ids"),
        (np.array([[1, 2]]), r"one-dimensional, got shape \(1, 2\)"),
        (np.array(["2020-01-01"], "datetime64[s]"), "got dtype datetime64"),
        ("abc", "got the single 'abc'"),
        (5, "must be a list or an array of ids, got 5 of type int"),
        ({3, 4}, "must come in an order"),
    ],
    ids=str,
)
def test_what_is_no_id_is_refused(ids, message):
    with pytest.raises(InputError, match=f"tracks .*{message}"):
        IdMap.from_ids(ids, "tracks")
