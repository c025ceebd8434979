"""Queries: what they ask, against plain Python; how they are translated, cut and refused."""

import copy
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrec.data.ids import IdMap
from fastrec.data.interactions import Interactions
from fastrec.data.queries import Queries
from fastrec.data.splits import split_last
from fastrec.errors import InputError
from tests.data.logs import ALL_COLUMNS, drawn_log, histories_of

LISTS = st.lists(
    st.tuples(
        st.lists(st.integers(0, 9), max_size=5), st.lists(st.integers(0, 9), min_size=1, max_size=3)
    ),
    min_size=1,
    max_size=8,
)


def decoded(queries):
    """Return histories and targets in external ids; None is a target outside the map."""
    ids = [*queries.item_ids.ids.tolist(), None]
    return [
        ([ids[code] for code in history], [ids[code] for code in target])
        for history, target in zip(queries.histories, queries.targets, strict=True)
    ]


# From a log


@given(ALL_COLUMNS, st.none() | st.integers(1, 3))
def test_every_prefix_asks_for_the_event_that_follows(wanted, most):
    log = drawn_log(wanted)
    expected = [
        (items[max(0, end - (most or 99)) : end], [items[end]])
        for items in histories_of(log)
        for end in range(1, len(items))
    ]
    if not expected:
        with pytest.raises(InputError, match="no history has two events"):
            Queries.every_prefix(log, max_history=most)
        return
    queries = Queries.every_prefix(log, max_history=most)
    assert decoded(queries) == expected
    assert not queries.exclude_seen


@given(ALL_COLUMNS)
def test_the_last_item_is_asked_for_with_all_before_it(wanted):
    log = drawn_log(wanted)
    expected = [(items[:-1], items[-1:]) for items in histories_of(log) if len(items) > 1]
    if not expected:
        with pytest.raises(InputError, match="no history has two events"):
            Queries.last_item(log)
        return
    assert decoded(Queries.last_item(log)) == expected


def test_queries_of_a_log_know_who_asks_and_when():
    log = Interactions.from_arrays(
        user=["b", "b", "b", "a", "a"],
        item=[1, 2, 3, 4, 5],
        time=[10, 20, 30, 5, 6],
        time_unit="ms",
        value=[1, 2, 3, 4, 5],
        context={"where": ["x", "y", "x", "z", "y"]},
    )
    queries = Queries.last_item(log, exclude_seen=True)
    assert queries.user_ids.decode(queries.user).tolist() == ["b", "a"]
    assert queries.time.tolist() == [30, 6]
    assert queries.time_unit == "ms"
    assert queries.history_time.tolist() == [10, 20, 5]
    assert queries.history_value.tolist() == [1, 2, 4]
    assert queries.context_ids["where"].decode(queries.context["where"]).tolist() == ["x", "y"]
    assert queries.exclude_seen


# From two logs


def test_held_out_items_are_asked_for_with_the_whole_of_train():
    train = Interactions.from_arrays(user=[1, 1, 2, 3], item=["a", "b", "c", "a"])
    test = Interactions.from_arrays(user=[3, 1, 1, 1, 9], item=["b", "c", "b", "c", "z"])
    queries = Queries.held_out(train, test)
    assert queries.exclude_seen
    assert queries.item_ids is train.item_ids
    # b is in the history of 1 already; c counts once; z is unknown to train, and so is 9.
    assert decoded(queries) == [(["a", "b"], ["c"]), (["a"], ["b"]), ([], [None])]
    assert queries.user.tolist() == [0, 2, -1]


def test_held_out_items_may_be_seen_ones_where_that_is_wanted():
    train = Interactions.from_arrays(user=[1, 1], item=["a", "b"])
    test = Interactions.from_arrays(user=[1, 1], item=["b", "b"])
    queries = Queries.held_out(train, test, exclude_seen=False)
    assert decoded(queries) == [(["a", "b"], ["b"])]
    with pytest.raises(InputError, match="every item of test is in its user's history already"):
        Queries.held_out(train, test)


@given(ALL_COLUMNS, st.booleans())
def test_held_out_queries_of_a_split_are_those_of_plain_python(wanted, exclude_seen):
    log = drawn_log({**wanted, "n": wanted["n"] + 1})
    if np.diff(log.history_offsets).max() < 2:
        return
    train, test = split_last(log)

    def by_owner(part):
        time = part.time if part.time is not None else np.zeros(len(part))
        rows = list(zip(part.owner.tolist(), time.tolist(), part.item.tolist(), strict=True))
        owned = {}
        for owner, _, item in sorted(rows, key=lambda row: row[:2]):
            owned.setdefault(owner, []).append(item)
        return owned

    known = by_owner(train)
    asked = {}
    for owner, item in zip(test.owner.tolist(), test.item.tolist(), strict=True):
        targets = asked.setdefault(owner, [])
        if item not in targets and not (exclude_seen and item in known[owner]):
            targets.append(item)
    expected = [(known[owner], asked[owner]) for owner in sorted(asked) if asked[owner]]
    if not expected:
        with pytest.raises(InputError, match="nothing can be asked"):
            Queries.held_out(train, test, exclude_seen=exclude_seen)
        return
    queries = Queries.held_out(train, test, exclude_seen=exclude_seen)
    assert (
        list(zip(queries.histories.to_lists(), queries.targets.to_lists(), strict=True)) == expected
    )


def test_histories_of_several_sessions_are_in_order_of_time():
    train = Interactions.from_arrays(
        user=[1, 1, 1], session=[5, 2, 2], item=[1, 2, 3], time=[1, 7, 8], value=[1, 2, 3]
    )
    test = Interactions.from_arrays(user=[1], session=[9], item=[3], time=[9], time_unit="s")
    queries = Queries.held_out(train, test, exclude_seen=False)
    assert decoded(queries) == [([1, 2, 3], [3])]
    assert queries.history_time.tolist() == [1, 7, 8]
    assert queries.history_value.tolist() == [1, 2, 3]
    assert queries.time.tolist() == [9]


def test_logs_of_users_and_of_sessions_do_not_go_together():
    users = Interactions.from_arrays(user=[1], item=[1])
    sessions = Interactions.from_arrays(session=[1], item=[1])
    with pytest.raises(InputError, match="both know users, or both know sessions"):
        Queries.held_out(users, sessions)


# From columns


@given(LISTS)
def test_columns_make_queries(pairs):
    histories, targets = map(list, zip(*pairs, strict=True))
    queries = Queries.from_columns(histories, targets)
    assert decoded(queries) == pairs
    assert queries.item_ids.ids.tolist() == sorted(
        {i for pair in pairs for ids in pair for i in ids}
    )


@pytest.mark.parametrize(
    ("histories", "targets"),
    [
        ([["a", "b"], []], ["b", "c"]),
        ((("a", "b"), ()), (("b",), ("c",))),
        ([["a", None, "b"], [None]], [["b"], ["c", None]]),
        ([np.array(["a", "b"]), np.array([], "U1")], np.array(["b", "c"])),
        (np.array([["a", "b"], ["", ""]])[:1], ["b"]),
        (pa.array([["a", "b"], []]), pa.array(["b", "c"])),
        (pa.chunked_array([[["a", "b"]], [[]]]), pa.array([["b"], ["c"]])),
        (pa.array([["a", None, "b"], [None]]), pa.array([["b"], ["c", None]])),
    ],
    ids=lambda column: type(column).__name__,
)
def test_columns_come_in_many_forms(histories, targets):
    assert (
        decoded(Queries.from_columns(histories, targets))
        == [
            (["a", "b"], ["b"]),
            ([], ["c"]),
        ][: len(histories)]
    )


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_series_of_lists_make_queries(library):
    series = pytest.importorskip(library).Series
    queries = Queries.from_columns(series([[1, 2], [3]]), series([[1], [2, 3]]))
    assert decoded(queries) == [([1, 2], [1]), ([3], [2, 3])]
    assert decoded(Queries.from_columns(series([[1, 2]]), series([3]))) == [([1, 2], [3])]


def test_a_matrix_padded_with_minus_one_makes_queries():
    queries = Queries.from_columns(np.array([[3, 1, -1], [-1, -1, -1]]), np.array([[1], [7]]))
    assert decoded(queries) == [([3, 1], [1]), ([], [7])]


def test_items_outside_a_given_map_leave_histories_and_miss_as_targets():
    ids, _ = IdMap.from_ids([1, 2])
    users, _ = IdMap.from_ids(["ann"])
    queries = Queries.from_columns(
        [[1, 7, 2], [8]], [[7, 2], [1]], ["ann", "eve"], item_ids=ids, user_ids=users
    )
    assert decoded(queries) == [([1, 2], [None, 2]), ([], [1])]
    assert queries.user.tolist() == [0, -1]


def test_histories_alone_ask_without_an_answer():
    ids, _ = IdMap.from_ids([1, 2])
    queries = Queries.from_columns([[7], [1]], item_ids=ids, exclude_seen=True)
    assert queries.targets is None
    assert queries.histories.to_lists() == [[], [0]]
    assert repr(queries) == "Queries(2 queries, 1 history items, no targets of 2 items, " + (
        "seen items excluded)"
    )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([[1]], [1, 2]), "histories: 1, targets: 2"),
        (([[1]], [2], [1, 2]), "histories: 1, users: 2"),
        (([[1], [2]], [[1], []]), "each query needs a target, targets has none in row 1"),
        (([[1], [2]], [3, None]), "targets has none in row 1"),
        (([1, 2], [1, 2]), "histories must be a list of lists"),
        (([["a"]], [1]), "histories must be all numbers or all strings"),
        (([[1.5]], [1]), "histories must be whole numbers or strings, got 1.5"),
        (([[1]], [-5]), "at least 0"),
    ],
    ids=str,
)
def test_columns_that_do_not_fit_are_refused(columns, message):
    with pytest.raises(InputError, match=message):
        Queries.from_columns(*columns)


def test_seen_items_are_excluded_or_not_but_nothing_else():
    with pytest.raises(InputError, match="exclude_seen must be True or False, got 1"):
        Queries.from_columns([[1]], [1], exclude_seen=1)


def test_a_parquet_file_makes_queries(tmp_path):
    table = {"who": ["x", "y"], "prefix": [[1, 2], []], "next": [2, 9], "all": [[2], [9, 1]]}
    pq.write_table(pa.table(table), tmp_path / "q.parquet", row_group_size=1)
    single = Queries.from_parquet(
        tmp_path / "q.parquet", history="prefix", target="next", user="who"
    )
    assert decoded(single) == [([1, 2], [2]), ([], [9])]
    assert single.user_ids.decode(single.user).tolist() == ["x", "y"]
    several = Queries.from_parquet(tmp_path / "q.parquet", history="prefix", target="all")
    assert decoded(several) == [([1, 2], [2]), ([], [9, 1])]
    assert Queries.from_parquet(tmp_path / "q.parquet", history="prefix").targets is None


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"history": "prefx"}, "no column 'prefx', given as history=.*did you mean 'prefix'"),
        ({"history": "prefix", "target": "x"}, "no column 'x', given as target="),
        ({"history": "next"}, "column 'next' must be a column of lists, got a column of int64"),
    ],
    ids=str,
)
def test_columns_of_a_file_that_do_not_fit_are_named(tmp_path, names, message):
    pq.write_table(pa.table({"prefix": [[1, 2]], "next": [2]}), tmp_path / "q.parquet")
    with pytest.raises(InputError, match=message):
        Queries.from_parquet(tmp_path / "q.parquet", **names)


# What is done with queries


@given(LISTS, st.lists(st.integers(0, 12), min_size=1, unique=True), st.data())
def test_translated_queries_mean_the_same(pairs, known, data):
    histories, targets = map(list, zip(*pairs, strict=True))
    other, _ = IdMap.from_ids(known)
    queries = Queries.from_columns(histories, targets)
    start = data.draw(st.integers(0, len(pairs) - 1))
    part, pairs = queries.slice(start, len(pairs)), pairs[start:]
    expected = [
        ([i for i in history if i in known], [i if i in known else None for i in target])
        for history, target in pairs
    ]
    if not any(history or set(target) - {None} for history, target in expected):
        with pytest.raises(InputError, match=r"not one of .* items asked about is among"):
            part.translate(other)
        return
    assert decoded(part.translate(other)) == expected


def test_what_goes_with_a_history_is_translated_along():
    log = Interactions.from_arrays(
        user=["a"] * 4, item=[1, 2, 3, 4], time=[10, 20, 30, 40], value=[1, 2, 3, 4]
    )
    items, _ = IdMap.from_ids([1, 3, 4])
    users, _ = IdMap.from_ids(["z", "a"])
    queries = Queries.last_item(log).translate(items, users)
    assert queries.histories.to_lists() == [[0, 1]]
    assert queries.history_time.tolist() == [10, 30]
    assert queries.history_value.tolist() == [1, 3]
    assert queries.user.tolist() == [1]
    assert queries.translate(items, users).histories is queries.histories


def test_translation_to_an_equal_map_copies_nothing():
    queries = Queries.from_columns([[1, 2]], [1])
    equal, _ = IdMap.from_ids([2, 1])
    translated = queries.translate(equal)
    assert translated.histories is queries.histories
    assert translated.item_ids is equal


def test_translation_to_ids_of_the_other_kind_is_refused():
    with pytest.raises(InputError, match="whole numbers, but strings are known here"):
        Queries.from_columns([[1]], [1]).translate(IdMap.from_ids(["1"])[0])


def test_histories_without_targets_may_be_unknown_altogether():
    asked = Queries.from_columns([[1], [2]]).translate(IdMap.from_ids([5])[0])
    assert asked.histories.to_lists() == [[], []]


@given(LISTS, st.integers(0, 9), st.integers(-3, 9))
def test_a_slice_asks_some_of_the_queries(pairs, start, stop):
    histories, targets = map(list, zip(*pairs, strict=True))
    queries = Queries.from_columns(histories, targets, list(range(len(pairs))))
    part = queries.slice(start, stop)
    assert decoded(part) == pairs[start:stop]
    assert part.user.tolist() == list(range(len(pairs)))[start:stop]


@given(LISTS, st.data())
def test_queries_can_be_taken_by_number_or_mask(pairs, data):
    log = Interactions.from_sequences([history + target for history, target in pairs])
    if np.diff(log.history_offsets).max() < 2:
        return
    log = Interactions.from_arrays(user=log.user, item=log.item, time=np.arange(len(log)))
    queries = Queries.last_item(log)
    numbers = data.draw(st.lists(st.integers(0, len(queries) - 1), max_size=5))
    taken = queries.take(numbers)
    assert decoded(taken) == [decoded(queries)[number] for number in numbers]
    assert taken.time.tolist() == queries.time[numbers].tolist()
    lengths = queries.histories.lengths
    assert len(taken.history_time) == lengths[numbers].sum()
    assert decoded(queries.take(lengths > 1)) == [
        query for query in decoded(queries) if len(query[0]) > 1
    ]


def test_queries_travel_through_pickle_and_copy():
    queries = Queries.from_columns([["a", "b"]], ["c"], ["ann"])
    for again in (pickle.loads(pickle.dumps(queries)), copy.deepcopy(queries)):
        assert decoded(again) == decoded(queries)
        assert repr(again) == "Queries(1 queries, 2 history items, 1 targets of 3 items)"
