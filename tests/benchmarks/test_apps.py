"""One app of each user is left out, and neighbours are counted by category."""

import numpy as np
import pytest

from benchmarks import apps
from fastrec import Interactions, ItemKNN

CATEGORIES = np.array(["game", "game", "news", "unknown", "news"], dtype=object)
COSINE = {"shrinkage": 0, "history_decay": 1.0}
USERS = {1: [0, 1, 3], 2: [0, 1, 2], 3: [2, 4], 4: [2, 4, 1], 5: [3]}


@pytest.fixture
def log():
    return Interactions.from_sequences(list(USERS.values()), users=list(USERS))


def rows_of(log):
    users, items = log.user_ids.decode(log.user), log.item_ids.decode(log.item)
    return set(zip(users.tolist(), items.tolist(), strict=True))


def test_one_app_of_each_user_who_has_several_is_asked_for(log):
    asked = apps.leave_one_out(log, seed=0)
    left_out = rows_of(log) - rows_of(asked.train)
    assert sorted(user for user, _ in left_out) == [1, 2, 3, 4]
    assert len(asked.queries) == 4


def test_another_seed_leaves_other_apps_out(log):
    first, second = (rows_of(apps.leave_one_out(log, seed).train) for seed in (0, 1))
    assert first != second


def test_the_hold_out_judges_the_other_half_of_the_apps(log):
    asked = apps.leave_one_out(log, seed=0)
    is_judged = np.array([True, False, True, False, True])
    data = apps.Apps(asked.train, asked.queries, CATEGORIES, is_judged)
    held = apps.hold_out(data)
    assert np.array_equal(held.is_judged, ~is_judged)
    assert rows_of(held.train) < rows_of(data.train)


def test_the_share_of_the_category_leaves_out_apps_without_one(log, monkeypatch):
    monkeypatch.setattr(apps, "MIN_USERS", 2)
    data = apps.Apps(log, None, CATEGORIES, np.array([True, False, True, True, True]))
    shares = apps.category_shares(ItemKNN(**COSINE).fit(log), data, k=1)
    # Nearest of the others with a category: of 0 it is 1, of 2 it is 4 and the other way round.
    assert shares["category@1"] == 1.0
    # Each of 0, 2 and 4 shares its category with one of the three others.
    assert shares["category@1 by chance"] == pytest.approx(1 / 3)


def test_a_place_that_is_left_empty_is_of_another_category(log, monkeypatch):
    monkeypatch.setattr(apps, "MIN_USERS", 2)
    data = apps.Apps(log, None, CATEGORIES, np.array([True, False, False, False, False]))
    # 0 was seen with 1, which is a game as well, with 2, and with nothing else.
    shares = apps.category_shares(ItemKNN(**COSINE).fit(log), data, k=4)
    assert shares["category@4"] == 1 / 4
