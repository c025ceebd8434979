"""What is known of users and items, in the order of the codes."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastrec.data.interactions import Interactions
from fastrec.data.splits import split_last
from fastrec.errors import InputError

TABLE = {
    "id": [9, 5, 1],
    "title": ["nine", "five", "one"],
    "year": [1999, 2005, 2001],
    "seen": np.array(["2020-01-01", "2020-01-02", "2020-01-03"], "M8[s]"),
    "live": [True, False, True],
}


@pytest.fixture
def log():
    """A log of the items 1 and 5."""
    return Interactions.from_arrays(user=["b", "a", "b"], item=[5, 1, 1])


@pytest.fixture(params=["dict", "arrow", "parquet", "csv"])
def table(request, tmp_path):
    """The same table in several forms."""
    arrow = pa.table(TABLE)
    if request.param == "parquet":
        pq.write_table(arrow, tmp_path / "x.parquet", row_group_size=2)
        return tmp_path / "x.parquet"
    if request.param == "csv":
        from pyarrow import csv

        csv.write_csv(arrow, tmp_path / "x.csv")
        return str(tmp_path / "x.csv")
    return TABLE if request.param == "dict" else arrow


def test_a_table_is_put_in_the_order_of_the_codes(log, table):
    items = log.with_items(table, id="id").items
    assert items["title"].tolist() == ["one", "five"]
    assert items["year"].tolist() == [2001, 2005]
    assert items["seen"].astype("M8[D]").astype(str).tolist() == ["2020-01-03", "2020-01-02"]
    assert items["live"].tolist() == [True, False]
    assert "id" not in items


def test_a_frame_of_pandas_is_a_table(log):
    pandas = pytest.importorskip("pandas")
    items = log.with_items(pandas.DataFrame(TABLE), id="id").items
    assert items["title"].tolist() == ["one", "five"]


def test_parts_of_a_log_share_its_tables(log):
    known = log.with_items(TABLE, id="id")
    train, test = split_last(known)
    assert train.items is test.items is known.items
    assert repr(train).endswith("items(title, year, seen, live))")


def test_ids_that_the_table_lacks_are_an_error_unless_they_are_filled(log):
    table = {name: column[:2] for name, column in TABLE.items() if name != "live"}
    with pytest.raises(InputError, match=r'1 of 2 items of the log are not in .*missing="fill"'):
        log.with_items(table, id="id")
    items = log.with_items(table, id="id", missing="fill").items
    assert items["title"].tolist() == ["", "five"]
    assert np.isnan(items["year"][0])
    assert items["year"][1] == 2005
    assert np.isnat(items["seen"][0])


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (TABLE, {"id": "key"}, "the table has no column 'key', given as id="),
        (TABLE, {"id": "id", "missing": "skip"}, "missing must be one of"),
        (TABLE | {"id": [1, 5, 5]}, {"id": "id"}, "each id once, got one again in row 2"),
        (TABLE | {"id": [1.0, 5.0, 5.5]}, {"id": "id"}, "column 'id' must be whole numbers"),
        (TABLE | {"id": ["1", "5", "9"]}, {"id": "id"}, "are strings, but whole numbers"),
        (TABLE | {"year": [1, 2]}, {"id": "id"}, "id: 3, year: 2"),
        (TABLE | {"year": [[1], [2], [3]]}, {"id": "id"}, "column 'year' must"),
        (TABLE | {"year": [1, None, 3]}, {"id": "id"}, "column 'year' must not be missing"),
        ([1, 2], {"id": "id"}, "must be a DataFrame"),
    ],
    ids=str,
)
def test_a_table_that_does_not_fit_is_refused(log, table, options, message):
    with pytest.raises(InputError, match=message):
        log.with_items(table, **options)


def test_a_log_without_users_has_no_table_of_them():
    log = Interactions.from_arrays(session=[1], item=[1])
    with pytest.raises(InputError, match="knows no users"):
        log.with_users(TABLE, id="id")
