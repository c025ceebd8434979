"""The real data sets are read as what their documentation says they are."""

import pytest

from fastrec.data import Interactions, Queries, split_by_time

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def sessions(real_data):
    """The training sessions of nowplaying."""
    return Interactions.from_parquet(
        real_data / "nowplaying" / "train.parquet", session="session", item="item", order="position"
    )


def test_nowplaying_is_read_as_sessions(sessions):
    assert (len(sessions), sessions.n_histories, sessions.n_items) == (953_381, 128_077, 60_416)
    assert sessions.item_counts().sum() == len(sessions)


def test_nowplaying_is_asked_about_in_its_codes(sessions, real_data):
    queries = Queries.from_parquet(
        real_data / "nowplaying" / "test.parquet",
        history="prefix",
        target="target",
        item_ids=sessions.item_ids,
    )
    assert len(queries) == 89_824
    assert (queries.targets.lengths == 1).all()
    assert not queries.exclude_seen


def test_gowalla_is_asked_about_what_users_have_not_had(real_data):
    train, test = (
        Interactions.from_parquet(
            real_data / "gowalla" / f"{part}.parquet", user="user", item="item"
        )
        for part in ("train", "test")
    )
    queries = Queries.held_out(train, test)
    assert (train.n_users, train.n_items) == (29_858, 40_981)
    assert (len(queries), queries.targets.total) == (29_858, 217_242)
    assert queries.histories.total == len(train)


def test_globo_is_cut_at_a_day(real_data, tmp_path):
    log = Interactions.from_parquet(
        real_data / "globo_news_10d" / "clicks.parquet",
        user="user",
        session="session",
        item="item",
        time="second",
        categories=["device"],
        into=tmp_path / "globo",
    )
    assert (len(log), log.n_users, log.n_items) == (2_049_488, 271_360, 31_989)
    train, test = split_by_time(log, after=9 * 86_400 - 1)
    assert train.time.max() < 9 * 86_400
    assert len(train) + len(test) == len(log)


def test_carts_are_read_with_their_dates_and_names(real_data):
    path = real_data / "uci_online_retail" / "transactions.parquet"
    log = Interactions.from_parquet(
        path, session="InvoiceNo", item="StockCode", time="InvoiceDate", value="Quantity"
    )
    assert (len(log), log.n_histories, log.n_items) == (541_909, 25_900, 4_070)
    assert log.time_unit == "us"
