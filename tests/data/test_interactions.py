"""The log: what its columns become, how rows are sorted, what is refused."""

import copy
import pickle
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrec.data.interactions import Interactions
from fastrec.errors import InputError

ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 9), st.integers(-3, 3)),
    min_size=1,
    max_size=30,
)
BASE = {"user": [4, 2, 4], "item": ["x", "y", "z"]}


def decoded(log):
    """Return the histories in external ids."""
    return [log.item_ids.decode(history).tolist() for history in log.sequences()]


@given(ROWS)
def test_rows_are_sorted_by_user_session_and_time_and_otherwise_stay_in_order(rows):
    user, session, item, time = map(list, zip(*rows, strict=True))
    log = Interactions.from_arrays(user=user, session=session, item=item, time=time)
    expected = sorted(rows, key=lambda row: (row[0], row[1], row[3]))
    assert [
        tuple(row)
        for row in zip(
            log.user_ids.decode(log.user).tolist(),
            log.session_ids.decode(log.session).tolist(),
            log.item_ids.decode(log.item).tolist(),
            log.time.tolist(),
            strict=True,
        )
    ] == expected


@given(ROWS)
def test_a_history_is_one_session_of_one_user(rows):
    user, session, item, _ = map(list, zip(*rows, strict=True))
    log = Interactions.from_arrays(user=user, session=session, item=item)
    expected = {}
    for row in rows:
        expected.setdefault(row[:2], []).append(row[2])
    assert decoded(log) == [expected[key] for key in sorted(expected)]
    assert log.n_histories == len(expected)
    assert log.user_ids.decode(log.history_users).tolist() == [key[0] for key in sorted(expected)]


def test_sessions_alone_are_histories():
    log = Interactions.from_arrays(session=["b", "a", "b"], item=[1, 2, 3])
    assert decoded(log) == [[1, 3], [2]]
    assert log.user is None
    assert log.n_users == 0
    assert log.history_sessions.tolist() == [0, 1]
    assert log.history_users is None


def test_order_sorts_within_a_history_after_time():
    log = Interactions.from_arrays(
        user=[1, 1, 1, 1], item=[1, 2, 3, 4], time=[5, 5, 5, 4], order=[2.5, 0, 1, 9]
    )
    assert decoded(log) == [[4, 2, 3, 1]]


def test_sequences_are_the_item_column_itself():
    log = Interactions.from_arrays(**BASE)
    assert log.sequences().values is log.item


def test_columns_have_the_dtypes_that_kernels_take():
    log = Interactions.from_arrays(
        **BASE,
        time=np.array([1, 2, 3], np.int16),
        value=[1, 2.5, 3],
        context={"place": ["home", "bus", "home"], "hour": [1, 2, 3], "code": [7, 7, 9]},
        categories=["code"],
    )
    assert log.user.dtype == log.item.dtype == np.int32
    assert log.time.dtype == np.int64
    assert log.value.dtype == log.context["hour"].dtype == np.float32
    assert log.context["place"].dtype == log.context["code"].dtype == np.int32
    assert log.context_ids["place"].decode(log.context["place"]).tolist() == ["bus", "home", "home"]
    assert log.context_ids["code"].ids.tolist() == [7, 9]
    assert set(log.context_ids) == {"place", "code"}


def test_columns_cannot_be_written_to():
    log = Interactions.from_arrays(**BASE)
    for array in (log.user, log.item, log.history_offsets, pickle.loads(pickle.dumps(log)).item):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_what_is_given_is_not_changed():
    time = np.array([3, 2, 1])
    Interactions.from_arrays(**BASE, time=time)
    assert time.tolist() == [3, 2, 1]
    assert time.flags.writeable


def test_logs_travel_through_pickle_and_copy():
    log = Interactions.from_arrays(**BASE, value=[1, 2, 3])
    for again in (pickle.loads(pickle.dumps(log)), copy.deepcopy(log), copy.copy(log)):
        assert decoded(again) == decoded(log)
        assert again.value.tolist() == log.value.tolist()


def test_a_log_says_what_it_holds():
    log = Interactions.from_arrays(
        user=[1, 2], session=[5, 6], item=[1, 1], time=[1, 2], value=[1, 1], context={"a": [1, 2]}
    )
    assert repr(log) == (
        "Interactions(2 rows, 2 users, 2 sessions, 1 items, time in s, value, context a)"
    )
    # user, session, item: 4 bytes; time 8, value 4, context 4; offsets 3 x 8; ids 5 x 8
    assert log.nbytes == 2 * 28 + 24 + 40


def test_items_are_counted():
    log = Interactions.from_arrays(user=[1, 1, 2], item=["x", "y", "x"])
    assert log.item_counts().tolist() == [2, 1]
    assert log.item_counts().dtype == np.int64


# Time


MOMENT = datetime(2020, 1, 1, 12, tzinfo=UTC)
SECONDS = int(MOMENT.timestamp())


@pytest.mark.parametrize(
    ("time", "unit", "ticks"),
    [
        ([SECONDS], "s", SECONDS),
        (np.array(["2020-01-01T12:00"], "datetime64[ns]"), "ns", SECONDS * 10**9),
        (np.array(["2020-01-01T12:00"], "datetime64[ms]"), "ms", SECONDS * 1000),
        (np.array(["2020-01-01T12:00"], "datetime64[m]"), "s", SECONDS),
        (np.array(["2020-01-01"], "datetime64[D]"), "s", SECONDS - 12 * 3600),
        ([MOMENT], "us", SECONDS * 10**6),
        ([MOMENT.astimezone(timezone(timedelta(hours=5)))], "us", SECONDS * 10**6),
        ([MOMENT.replace(tzinfo=None)], "us", SECONDS * 10**6),
        (pa.array([MOMENT], pa.timestamp("ms", "Asia/Tokyo")), "ms", SECONDS * 1000),
        (pa.array([MOMENT], pa.timestamp("ns")), "ns", SECONDS * 10**9),
        (pa.array([MOMENT.date()]), "s", SECONDS - 12 * 3600),
    ],
    ids=str,
)
def test_times_keep_their_unit(time, unit, ticks):
    log = Interactions.from_arrays(user=[1], item=[1], time=time)
    assert (log.time_unit, log.time.tolist()) == (unit, [ticks])


def test_the_unit_of_whole_numbers_can_be_said():
    log = Interactions.from_arrays(user=[1], item=[1], time=[5], time_unit="ms")
    assert (log.time_unit, log.time.tolist()) == ("ms", [5])


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_times_of_pandas_are_utc(zone):
    pandas = pytest.importorskip("pandas")
    time = pandas.Series(pandas.DatetimeIndex(["2020-01-01 12:00"], tz="UTC"))
    time = time.dt.tz_convert(zone)
    log = Interactions.from_arrays(user=[1], item=[1], time=time)
    assert log.time[0] == SECONDS * {"s": 1, "us": 10**6, "ns": 10**9}[log.time_unit]


# Other ways to make a log


def test_sequences_make_users_in_order():
    log = Interactions.from_sequences([["b", "a"], [], ["a"]])
    assert decoded(log) == [["b", "a"], ["a"]]
    assert log.n_users == 3
    assert log.history_users.tolist() == [0, 2]


@pytest.mark.parametrize(
    "sequences",
    [
        [[3, 1], [3]],
        ((3, 1), (3,)),
        [np.array([3, 1]), np.array([3])],
        [np.array([3, 1]), [3]],
        iter([range(3, 0, -2), [3]]),
        pa.array([[3, 1], [3]]),
        pa.chunked_array([[[3, 1]], [[3]]]),
    ],
    ids=lambda sequences: type(sequences).__name__,
)
def test_sequences_come_in_many_forms(sequences):
    assert decoded(Interactions.from_sequences(sequences)) == [[3, 1], [3]]


def test_sequences_can_name_their_users():
    log = Interactions.from_sequences([[1], [2]], users=["bob", "ann"])
    assert log.user_ids.decode(log.user).tolist() == ["bob", "ann"]


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        ([], "the log is empty"),
        ([[], []], "the log is empty"),
        ([1, 2], r"list of lists of ids, got 1 as number 0; a single one is given as \[\[...\]\]"),
        (["ab"], "got 'ab' as number 0"),
        ("ab", "got 'ab'"),
        (5, "got 5"),
        ([[1], [None]], "items must not be missing, got none in row 1"),
        ([[1], [[2]]], "flat list"),
        (pa.array([1]), "must be a column of lists, got a column of int64"),
        (pa.array([[1], None]), "must not be missing, got none in row 1"),
    ],
    ids=str,
)
def test_what_is_no_list_of_sequences_is_refused(sequences, message):
    with pytest.raises(InputError, match=message):
        Interactions.from_sequences(sequences)


def test_one_user_a_sequence_is_needed():
    with pytest.raises(InputError, match="users: 1, sequences: 2"):
        Interactions.from_sequences([[1], [2]], users=[1])


def test_a_matrix_has_users_in_rows():
    scipy_sparse = pytest.importorskip("scipy.sparse")
    matrix = scipy_sparse.coo_matrix(([2.0, 3.0, 1.0, 0.0], ([1, 1, 0, 2], [2, 2, 3, 0])), (3, 5))
    log = Interactions.from_csr(matrix)
    assert (log.n_users, log.n_items) == (3, 5)
    assert log.user.tolist() == [0, 1]
    assert log.item.tolist() == [3, 2]
    assert log.value.tolist() == [1, 5]
    assert log.to_csr().toarray().tolist() == matrix.toarray().tolist()


def test_a_matrix_of_ones_has_no_values():
    scipy_sparse = pytest.importorskip("scipy.sparse")
    assert Interactions.from_csr(scipy_sparse.csr_array(np.eye(3))).value is None


@pytest.mark.parametrize("cells", [[[0.0]], [[np.inf]], [[np.nan]]])
def test_a_matrix_must_have_finite_cells(cells):
    scipy_sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(InputError, match=r"empty|finite"):
        Interactions.from_csr(scipy_sparse.csr_array(cells))


def test_a_dense_matrix_is_refused():
    with pytest.raises(InputError, match="SciPy sparse"):
        Interactions.from_csr(np.eye(3))


def test_the_matrix_of_a_log_sums_duplicates():
    log = Interactions.from_arrays(user=[1, 1, 2], item=["x", "x", "y"], value=[2, 3, 4])
    matrix = log.to_csr()
    assert matrix.dtype == np.float32
    assert matrix.toarray().tolist() == [[5, 0], [0, 4]]
    assert Interactions.from_arrays(user=[1, 1], item=[3, 3]).to_csr().toarray().tolist() == [[2]]
    assert log.value.tolist() == [2, 3, 4]


# What is refused


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user": [], "item": []}, "the log is empty"),
        ({"item": [1]}, "user= or session= must be given"),
        ({"user": [1], "item": None}, "item= must be given"),
        ({"user": [1, 2], "item": [1]}, "user: 2, item: 1"),
        (BASE | {"user": [1, -1, 2]}, "user must be at least 0, got -1 in row 1"),
        (BASE | {"user": [1.0, 2.0, 3.0]}, "user must be whole numbers or strings, got 1.0"),
        (BASE | {"item": ["x", None, "y"]}, "item must not be missing, got none in row 1"),
        (BASE | {"value": [1, np.nan, 2]}, "value must not be missing|value must be finite"),
        (BASE | {"value": [1, np.inf, 2]}, "value must be finite in float32, got inf in row 1"),
        (BASE | {"value": [1, 1e39, 2]}, "value must be finite in float32, got 1e\\+39 in row 1"),
        (BASE | {"value": [1, None, 2]}, "value must not be missing, got none in row 1"),
        (BASE | {"value": ["a", "b", "c"]}, "value must hold numbers, got dtype <U1"),
        (BASE | {"value": [True, False, True]}, "value must hold numbers, got dtype bool"),
        (BASE | {"value": [[1, 2, 3]]}, "one-dimensional|value"),
        (BASE | {"time": [1.5, 2, 3]}, "time must hold whole numbers or datetimes, got dtype fl"),
        (BASE | {"time": ["2020", "2021", "2022"]}, "got dtype <U4"),
        (BASE | {"time": [1, 2, None]}, "time must not be missing, got none in row 2"),
        (BASE | {"time": np.array(["NaT"] * 3, "M8[s]")}, "time must not be missing"),
        (BASE | {"time": np.array([1, 2, 3], "M8[ps]")}, "time must be in s, ms, us, ns"),
        (BASE | {"time": np.array([1, 2, 2**63], "u8")}, r"at most 2\*\*63 - 1"),
        (BASE | {"time": [1, 2, 3], "time_unit": "min"}, "time_unit must be one of"),
        (BASE | {"time_unit": "s"}, "give time= too"),
        (
            BASE | {"time": np.array([1, 2, 3], "M8[s]"), "time_unit": "ms"},
            "holds datetimes in 's', but time_unit is 'ms'",
        ),
        (BASE | {"order": [1, 2, np.nan]}, "order must hold finite numbers|missing"),
        (BASE | {"order": ["a", "b", "c"]}, "order must hold finite numbers or times"),
        (BASE | {"context": {"x": [1, np.nan, 2]}}, "x must not be missing|finite"),
        (BASE | {"context": {"x": ["a", None, "b"]}}, "context.x must not be missing"),
        (BASE | {"context": {"x": [1, 2, 2**30]}}, "which float32 cannot keep apart"),
        (BASE | {"context": {"x": [1]}}, "context.x: 1"),
        (BASE | {"context": ["x"]}, "context must be a dict"),
        (BASE | {"categories": ["x"]}, "context has no column 'x'"),
    ],
    ids=str,
)
def test_a_column_that_cannot_be_used_is_named(columns, message):
    with pytest.raises(InputError, match=message):
        Interactions.from_arrays(**columns)


def test_one_column_cannot_be_users_and_items():
    ids = [1, 2]
    with pytest.raises(InputError, match="same column"):
        Interactions.from_arrays(user=ids, item=ids)
