"""Invoices become carts: sales alone, each product once, cut thirty days before the end."""

from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest

from benchmarks import carts
from benchmarks.asked import evenly_weighted
from fastrec import Interactions

LINE = {
    "InvoiceNo": "1",
    "StockCode": "10001",
    "Quantity": 1,
    "UnitPrice": 1.0,
    "InvoiceDate": datetime(2011, 1, 1),
}


def lines_of(*changes):
    return pa.Table.from_pylist([LINE | change for change in changes])


def items_of(log):
    return log.item_ids.decode(log.item).tolist()


def test_a_cart_keeps_the_order_of_its_lines():
    lines = lines_of({"StockCode": "c"}, {"StockCode": "a"}, {"StockCode": "b"})
    assert items_of(carts.as_log(lines)) == ["c", "a", "b"]


def test_a_cart_has_a_product_once():
    lines = lines_of({"StockCode": "b"}, {"StockCode": "a"}, {"StockCode": "b"}, {"InvoiceNo": "2"})
    assert items_of(carts.as_log(lines)) == ["b", "a", "10001"]


@pytest.mark.parametrize(
    "change",
    [
        {"InvoiceNo": "C2"},
        {"InvoiceNo": "A2"},
        {"Quantity": -1},
        {"UnitPrice": 0.0},
        {"StockCode": "POST"},
        {"StockCode": "BANK CHARGES"},
    ],
    ids=str,
)
def test_what_is_no_sale_of_a_product_is_left_out(change):
    assert len(carts.as_log(lines_of({}, change))) == 1


def test_the_last_thirty_days_are_asked_about():
    days = [(month, day) for month, day in ((1, 1), (1, 31), (2, 1), (3, 2))]
    lines = lines_of(
        *(
            {"InvoiceNo": str(number), "StockCode": code, "InvoiceDate": datetime(2011, *day)}
            for number, day in enumerate(days)
            for code in ("a", "b")
        )
    )
    asked = carts.cut(carts.as_log(lines))
    assert asked.train.n_histories == 2  # 31 January is thirty days before 2 March
    assert len(asked.queries) == 2
    assert asked.queries.exclude_seen


def test_rows_weigh_one_over_the_others_of_their_cart():
    log = evenly_weighted(Interactions.from_sequences([["a"], ["a", "b"], ["a", "b", "c", "d"]]))
    expected = np.array([1, 1, 1, *[1 / 3] * 4])
    np.testing.assert_allclose(log.value, expected / expected.mean(), rtol=1e-6)
