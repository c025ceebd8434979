"""uci_online_retail: the invoices of a gift shop as carts, and which product comes next.

An invoice is a cart, its lines in order. Left out are cancellations and corrections (InvoiceNo not
all digits), lines with a quantity or a price that is not positive (goods written off, found or
given away), lines that sell a service (:data:`SERVICES`), and a product's second line on the same
invoice: a cart either has a product or has not.

The last 30 days are the test part. For each line of a test cart but the first, all the products
that the cart does not have yet are ranked, given the lines before; products that nobody had bought
before are asked for too, and missed. Each line is one question, so long carts weigh more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.asked import Asked
from benchmarks.harness import data_folder

if TYPE_CHECKING:
    from fastrec import Interactions

TEST_DAYS = 30
# Postage and carriage, manual entries, discounts, samples, debts, fees, donations.
SERVICES = ("POST", "DOT", "C2", "M", "m", "D", "S", "B", "BANK CHARGES", "AMAZONFEE", "CRUK")


def load() -> Asked:
    """Return the carts before the last 30 days, and the questions of those days."""
    return cut(as_log(read()))


def read() -> Any:
    """Return the lines of the data set, an Arrow table."""
    import pyarrow.parquet as pq

    columns = ["InvoiceNo", "StockCode", "Quantity", "UnitPrice", "InvoiceDate"]
    return pq.read_table(data_folder("uci_online_retail") / "transactions.parquet", columns=columns)


def as_log(lines: Any) -> Interactions:
    """Return the sales among the lines, an Arrow table, as carts of different products."""
    import pyarrow as pa
    import pyarrow.compute as pc

    import fastrec as fr

    is_sale = pc.match_substring_regex(lines["InvoiceNo"], "^[0-9]+$")
    is_sale = pc.and_(is_sale, pc.greater(lines["Quantity"], 0))
    is_sale = pc.and_(is_sale, pc.greater(lines["UnitPrice"], 0))
    services = pa.array(SERVICES, lines["StockCode"].type)
    is_sale = pc.and_(is_sale, pc.invert(pc.is_in(lines["StockCode"], value_set=services)))
    sales = lines.filter(is_sale)
    sales = sales.take(first_of_pairs(sales["InvoiceNo"], sales["StockCode"]))
    return fr.Interactions.from_arrow(
        sales, session="InvoiceNo", item="StockCode", time="InvoiceDate"
    )


def first_of_pairs(left: Any, right: Any) -> np.ndarray:
    """Return the rows, ascending, where a pair of two Arrow columns occurs for the first time."""
    codes = [
        column.combine_chunks().dictionary_encode().indices.to_numpy() for column in (left, right)
    ]
    pairs = codes[0].astype(np.int64) * (int(codes[1].max()) + 1) + codes[1]
    return np.sort(np.unique(pairs, return_index=True)[1])


def cut(log: Interactions) -> Asked:
    """Return the carts before the last 30 days of a log, and every prefix of those since."""
    import fastrec as fr

    last = np.datetime64(int(log.time.max()), log.time_unit)
    train, test = fr.split_by_time(log, after=last - np.timedelta64(TEST_DAYS, "D"))
    return Asked(train, fr.Queries.every_prefix(test, exclude_seen=True))
