"""The map between ids and codes: against a dictionary, and in all the forms that ids come in."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastrec.data import id_columns
from fastrec.data.id_builder import IdBuilder
from fastrec.data.ids import IdMap
from fastrec.errors import FormatError, InputError, UnknownIdError

INTS = st.lists(st.integers(0, 2**63 - 1) | st.integers(0, 20), max_size=40)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PREFIXED = st.text("ab\0", max_size=30).map(lambda end: "the same beginning" + end)
STRINGS = st.lists(TEXT | PREFIXED | st.text("a\0", max_size=20), max_size=40)


def by_dictionary(ids):
    """Return ids and codes as the map must give them."""
    known = sorted(set(ids)) if ids and isinstance(ids[0], int) else list(dict.fromkeys(ids))
    place = {id: code for code, id in enumerate(known)}
    return known, [place[id] for id in ids]


@given(INTS | STRINGS)
@example(["", "\0", "\0\0", "a", "a\0", "a\0b"])
@example([2**63 - 1, 0])
def test_codes_are_those_of_a_dictionary(ids):
    mapping, codes = IdMap.from_ids(ids)
    known, expected = by_dictionary(ids)
    assert codes.dtype == np.int32
    assert codes.tolist() == expected
    assert mapping.ids.tolist() == known


@given(INTS | STRINGS, st.booleans())
def test_every_id_is_found_by_search_and_by_table(ids, by_table):
    mapping, codes = IdMap.from_ids(ids)
    asked = ids if by_table else ids[:1]  # few ids are searched for, many looked up in a table
    assert mapping.encode(asked).tolist() == codes[: len(asked)].tolist()
    assert all(id in mapping for id in ids)
    assert mapping.decode(codes).tolist() == ids


@given(STRINGS, st.lists(TEXT, max_size=5))
def test_strings_outside_the_map_are_not_found(ids, others):
    mapping, _ = IdMap.from_ids([*ids, "one"])
    known = {*ids, "one"}
    found = mapping.encode(others, on_unknown="ignore")
    assert (found >= 0).tolist() == [other in known for other in others]


@given(STRINGS.filter(bool))
def test_one_string_among_many_is_found_by_binary_search(ids):
    mapping, codes = IdMap.from_ids([*map(str, range(200)), *ids])
    assert mapping.encode(ids[:1]).tolist() == codes[200:201].tolist()


@given(INTS | STRINGS, INTS | STRINGS)
def test_extending_keeps_the_old_codes(old, new):
    mapping, _ = IdMap.from_ids(old)
    if old and new and type(old[0]) is not type(new[0]):
        with pytest.raises(InputError, match="known here"):
            mapping.extend(new)
        return
    if not old and new and isinstance(new[0], str):
        return  # an empty map counts as one of numbers
    extended = mapping.extend(new)
    assert extended.ids[: len(mapping)].tolist() == mapping.ids.tolist()
    added = by_dictionary([id for id in new if id not in set(old)])[0]
    assert extended.ids[len(mapping) :].tolist() == added
    assert extended.encode(extended.ids).tolist() == list(range(len(extended)))


@given(INTS | STRINGS, st.data())
def test_a_map_of_fewer_ids_has_them_in_turn(ids, data):
    mapping, _ = IdMap.from_ids(ids)
    codes = data.draw(st.permutations(range(len(mapping))))[: data.draw(st.integers(0, 5))]
    taken = mapping.take(np.array(codes, np.int64))
    assert taken.ids.tolist() == [mapping.ids[code] for code in codes]
    assert taken.encode(taken.ids).tolist() == list(range(len(codes)))


@given(INTS | STRINGS)
def test_arrays_make_the_same_map(ids):
    mapping, codes = IdMap.from_ids(ids)
    arrays = mapping.to_arrays("x")
    again = IdMap.from_arrays("x", arrays)
    assert again == mapping
    assert again.encode(ids).tolist() == codes.tolist()
    assert all(
        np.shares_memory(arrays[name], again.to_arrays("x")[name])
        for name in arrays
        if arrays[name].size
    )


def test_a_map_works_on_mapped_files(tmp_path):
    mapping, codes = IdMap.from_ids(["b", "a", "c", "b"])
    mapped = {}
    for name, array in mapping.to_arrays("x").items():
        np.save(tmp_path / f"{name}.npy", array)
        mapped[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    assert IdMap.from_arrays("x", mapped).encode(["b", "a", "c", "b"]).tolist() == codes.tolist()


@pytest.mark.parametrize("ids", [[5, 3], ["b", "a"]])
def test_maps_travel_through_pickle_and_copy(ids):
    mapping, _ = IdMap.from_ids(ids)
    assert pickle.loads(pickle.dumps(mapping)) == mapping
    assert copy.deepcopy(mapping) is mapping


def test_maps_are_equal_by_what_they_map():
    assert IdMap.from_ids([1, 2])[0] == IdMap.from_ids([2, 1, 1])[0]
    assert IdMap.from_ids(["a", "b"])[0] != IdMap.from_ids(["b", "a"])[0]
    assert IdMap.from_ids(["1"])[0] != IdMap.from_ids([1])[0]
    assert IdMap.from_ids([1])[0] != 1
    assert hash(IdMap.from_ids([1, 2])[0]) == hash(IdMap.from_ids([2, 1])[0])


def test_codes_in_another_map_translate_padding_too():
    first, _ = IdMap.from_ids(["a", "b", "c"])
    second, _ = IdMap.from_ids(["c", "a"])
    translation = first.codes_in(second)
    assert translation[np.array([0, 1, 2, -1])].tolist() == [1, -1, 0, -1]


def test_a_map_says_what_it_holds():
    mapping, _ = IdMap.from_ids(["x", "y", "z", "w"])
    assert repr(mapping) == "IdMap(4 str ids: 'x', 'y', 'z', ...)"
    assert mapping.kind == "str"
    assert mapping.nbytes == 4 + 5 * 8 + 4 * 4


# Padding and unknown ids


def test_padding_has_no_code():
    numbers, _ = IdMap.from_ids([7, 9])
    texts, _ = IdMap.from_ids(["x", "y"])
    assert numbers.encode([9, -1, None]).tolist() == [1, -1, -1]
    assert texts.encode(["y", None]).tolist() == [1, -1]
    assert texts.encode([None, None]).tolist() == [-1, -1]


def test_decoding_gives_padding_back():
    numbers, _ = IdMap.from_ids([7, 9])
    texts, _ = IdMap.from_ids(["x", "y"])
    assert numbers.decode([[1, -1], [0, 0]]).tolist() == [[9, -1], [7, 7]]
    assert texts.decode([[1, -1], [0, 0]]).tolist() == [["y", None], ["x", "x"]]
    assert texts.decode([]).tolist() == []


@pytest.mark.parametrize("codes", [[2], [-2], [0.0], ["x"]])
def test_codes_outside_the_map_are_refused(codes):
    with pytest.raises(InputError, match="codes must be"):
        IdMap.from_ids([7, 9])[0].decode(codes)


def test_the_first_unknown_ids_are_named():
    mapping, _ = IdMap.from_ids(["a"])
    with pytest.raises(UnknownIdError, match=r"7 of 8 items are unknown: '0', '1', .*, \.\.\.; 1"):
        mapping.encode(["a", *map(str, range(7))], name="items")


def test_unknown_ids_are_named_after_padding():
    with pytest.raises(UnknownIdError, match="1 of 3 ids are unknown: 5;"):
        IdMap.from_ids([1])[0].encode([-1, 1, 5])


def test_padding_has_no_code_of_its_own():
    with pytest.raises(UnknownIdError, match="padding"):
        IdMap.from_ids([1])[0].code(-1)


def test_a_single_id_has_a_code():
    mapping, _ = IdMap.from_ids(["a", "b"])
    assert mapping.code("b") == 1
    assert "c" not in mapping
    assert 5 not in mapping
    assert [] not in mapping


def test_ids_of_the_other_kind_are_refused():
    with pytest.raises(InputError, match="ids are strings, but whole numbers are known here"):
        IdMap.from_ids([1])[0].encode(["1"])
    with pytest.raises(InputError, match="give strings"):
        IdMap.from_ids(["1"])[0].encode([1])


def test_what_to_do_with_unknown_ids_must_be_a_word_that_is_known():
    with pytest.raises(InputError, match="on_unknown must be one of"):
        IdMap.from_ids([1])[0].encode([1], on_unknown="skip")


# Damaged files


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x.order": None}, r"'x\.order' of an id map is missing"),
        ({"x.order": np.zeros(2, np.int64)}, "must be int32"),
        ({"x.offsets": np.array([0, 1], np.int64)}, "of length 3"),
        ({"x.offsets": np.array([0, 1, 9], np.int64)}, "blob holds 2 bytes"),
    ],
)
def test_arrays_that_do_not_fit_are_a_format_error(change, message):
    arrays = IdMap.from_ids(["a", "b"])[0].to_arrays("x") | change
    with pytest.raises(FormatError, match=message):
        IdMap.from_arrays("x", {name: array for name, array in arrays.items() if array is not None})


@pytest.mark.parametrize("many", [True, False])
@pytest.mark.parametrize(
    "change",
    [
        {"x.order": np.full(40, 77, np.int32)},
        {"x.order": np.full(40, -5, np.int32)},
        {"x.offsets": np.array([0, *[900] * 39, 70], np.int64)},
    ],
)
def test_searching_a_damaged_map_is_a_format_error_or_finds_nothing_wrong(change, many):
    ids = [str(number) for number in range(40)]
    arrays = IdMap.from_ids(ids)[0].to_arrays("x") | change
    damaged = IdMap.from_arrays("x", arrays)
    try:
        codes = damaged.encode(ids if many else ["7"], on_unknown="ignore")
    except FormatError:
        return
    assert ((codes >= -1) & (codes < 40)).all()


def test_a_damaged_order_of_numbers_is_a_format_error():
    mapping = IdMap.from_ids([5, 9])[0].extend([1])
    arrays = mapping.to_arrays("x") | {"x.order": np.array([0, 99, -7], np.int32)}
    with pytest.raises(FormatError, match="damaged"):
        IdMap.from_arrays("x", arrays).encode([1])


# The builder


@given(st.lists(INTS, max_size=4) | st.lists(STRINGS, max_size=4))
def test_ids_in_pieces_make_the_same_map_as_all_at_once(pieces):
    builder = IdBuilder()
    codes = [builder.add(piece) for piece in pieces]
    mapping, final = builder.finish()
    together = np.concatenate([np.empty(0, np.int32), *codes])
    whole, expected = IdMap.from_ids([id for piece in pieces for id in piece])
    assert mapping == whole
    assert (together if final is None else final[together]).tolist() == expected.tolist()


def test_pieces_of_two_kinds_are_refused():
    builder = IdBuilder("column 'x'")
    builder.add([1])
    with pytest.raises(InputError, match="column 'x' must be all numbers or all strings"):
        builder.add(["a"])


def test_columns_longer_than_a_chunk_are_read_whole(monkeypatch):
    ids = [f"{number % 700:x}" for number in range(2_000)]
    whole = IdMap.from_ids(ids)
    monkeypatch.setattr(id_columns, "CHUNK", 64)
    mapping, codes = IdMap.from_ids(np.array(ids))
    assert mapping == whole[0]
    assert codes.tolist() == whole[1].tolist()
    with pytest.raises(UnknownIdError, match=r"2 of 702 ids are unknown: 'no', 'none';"):
        mapping.encode([*ids[:500], "no", *ids[500:700], "none"])
