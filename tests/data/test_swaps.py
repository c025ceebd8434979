"""Users given as items, and other ids of the wrong table, are noticed."""

import numpy as np
import pytest

from fastrec.data.interactions import Interactions
from fastrec.data.queries import Queries
from fastrec.errors import InputError

USERS, ITEMS = np.repeat(np.arange(100, 130), 4), np.tile(np.arange(500, 540), 3)


@pytest.fixture
def train():
    """Users from 100 on, items from 500 on."""
    return Interactions.from_arrays(user=USERS, item=ITEMS)


def test_a_test_log_with_users_and_items_exchanged_is_noticed(train):
    with pytest.raises(InputError, match="users and items look swapped: 100% of the items"):
        Queries.held_out(train, Interactions.from_arrays(user=ITEMS, item=USERS))


def test_a_test_log_that_only_shares_few_items_is_none_of_that(train):
    test = Interactions.from_arrays(user=USERS, item=np.where(ITEMS < 505, ITEMS, ITEMS + 900))
    assert len(Queries.held_out(train, test, exclude_seen=False)) > 0


def test_queries_with_users_and_items_exchanged_are_noticed(train):
    swapped = Queries.last_item(Interactions.from_arrays(user=ITEMS, item=USERS))
    with pytest.raises(InputError, match="users and items look swapped"):
        swapped.translate(train.item_ids, train.user_ids)


def test_queries_without_one_known_item_are_noticed(train):
    with pytest.raises(InputError, match="not one of 2 items asked about is among the 40 known"):
        Queries.from_columns([[100]], [101], item_ids=train.item_ids)


def test_a_table_of_users_given_for_items_is_noticed(train):
    table = {"id": USERS[::4], "age": USERS[::4]}
    with pytest.raises(InputError, match="not one id of column 'id' is a item"):
        train.with_items(table, id="id")
    assert train.with_users(table, id="id").users["age"].tolist() == list(range(100, 130))
