"""News: train is what came before the day, asked is what a user went on with on that day."""

import numpy as np

import fastrec as fr
from benchmarks import news

DAY = news.DAY
CLICKS = [  # user, item, time, device, referrer
    ("ann", "a", 10, "phone", "search"),
    ("ann", "b", 20, "phone", "search"),
    ("bob", "b", DAY - 5, "desk", "direct"),
    ("bob", "a", DAY, "desk", "direct"),
    ("bob", "new", DAY + 5, "desk", "search"),
    ("bob", "b", DAY + 6, "desk", "search"),
    ("eve", "a", DAY + 7, "phone", "direct"),
    ("eve", "b", DAY + 9, "tablet", "direct"),
    ("pia", "b", DAY + 9, "phone", "direct"),
]


def asked():
    user, item, time, device, referrer = map(list, zip(*CLICKS, strict=True))
    log = fr.Interactions.from_arrays(
        user=user,
        item=item,
        time=time,
        context={"device": device, "referrer": referrer},
    )
    return news.cut(log, 1)


def items_of(queries, codes):
    return queries.item_ids.decode(codes).tolist()


def test_only_what_came_before_the_day_trains():
    train = asked().train
    assert [train.item_ids.decode(row).tolist() for row in train.sequences()] == [["a", "b"], ["b"]]


def test_each_click_on_something_new_is_asked_with_what_its_user_did_before():
    queries = asked().queries
    found = [
        (items_of(queries, history), items_of(queries, target))
        for history, target in zip(queries.histories, queries.targets, strict=True)
    ]
    assert found == [(["b"], ["a"]), (["b", "a"], ["new"]), (["a"], ["b"])]


def test_device_and_referrer_of_the_click_are_asked_along():
    queries = asked().queries
    for name, expected in (
        ("device", ["desk", "desk", "tablet"]),
        ("referrer", ["direct", "search", "direct"]),
    ):
        assert queries.context_ids[name].decode(queries.context[name]).tolist() == expected


def test_new_articles_are_not_reachable():
    np.testing.assert_allclose(news.reachable(asked()), 2 / 3)
