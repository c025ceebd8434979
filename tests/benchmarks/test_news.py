"""News: train is what came before the day, asked is what a session went on with on that day."""

import numpy as np

import fastrec as fr
from benchmarks import news

DAY = news.DAY
CLICKS = [  # user, session, item, time, device, referrer
    ("ann", 1, "a", 10, "phone", "search"),
    ("ann", 1, "b", 20, "phone", "search"),
    ("bob", 2, "b", DAY - 5, "desk", "direct"),
    ("bob", 2, "a", DAY, "desk", "direct"),
    ("bob", 2, "new", DAY + 5, "desk", "search"),
    ("eve", 3, "a", DAY + 7, "phone", "direct"),
    ("eve", 3, "b", DAY + 9, "tablet", "direct"),
    ("pia", 4, "b", DAY + 9, "phone", "direct"),
]


def asked():
    user, session, item, time, device, referrer = map(list, zip(*CLICKS, strict=True))
    log = fr.Interactions.from_arrays(
        user=user,
        session=session,
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


def test_each_click_of_the_day_is_asked_with_its_session_so_far():
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
