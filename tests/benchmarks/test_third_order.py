"""The Markov chain that stands beside PlaylistRNN, and what both are held against."""

import numpy as np
import pytest

import fastrec as fr
from benchmarks import third_order
from fastrec.data import third_order_playlists

LOG = [["a", "b", "c"], ["a", "b"], ["a", "c"], ["d", "a"]]


@pytest.fixture(scope="module")
def made():
    """A small catalogue."""
    return third_order_playlists(4_000, 300, scenes=3, queries=400, seed=2)


@pytest.mark.parametrize(
    ("history", "best"),
    [
        (["a"], "b"),  # follows a twice, c once
        (["b", "a"], "c"),  # b is in the history
        (["b"], "c"),
        (["a", "d"], "b"),  # only a follows d; of the others b is the most frequent
        (["c"], "a"),  # nothing follows c, a is the most frequent
    ],
    ids="-".join,
)
def test_the_chain_ranks_by_transitions_then_by_popularity(history, best):
    log = fr.Interactions.from_sequences([*LOG, ["b"]])  # b more frequent than c
    chain = third_order.FirstOrder().fit(log)
    asked = {
        target: fr.Queries.from_columns([history], [target], item_ids=log.item_ids)
        for target in "abcd"
    }
    found = [
        target
        for target in "abcd"
        if log.item_ids.decode(chain.lists(asked[target], 1)[0])[0] == target
    ]
    assert found == [best]


def test_no_transition_leads_from_one_playlist_to_the_next():
    chain = third_order.FirstOrder().fit(fr.Interactions.from_sequences(LOG))
    assert chain.counts.sum() == 2 + 1 + 1 + 1


def test_the_chain_stays_below_the_best(made):
    judged = third_order.judge(third_order.FirstOrder().fit(made.log), made)
    assert judged["best@20"] == made.best_recall(20)
    assert judged["of best"] == judged["expected@20"] / judged["best@20"]
    # Four standard deviations of a share of 400 draws are less than 0.1.
    assert judged["recall@20"] == pytest.approx(judged["expected@20"], abs=0.1)
    assert 0.3 < judged["of best"] < 0.85


def test_models_are_judged_by_the_same_questions(made):
    model = fr.Popularity().fit(made.log)
    top = model.item_ids.codes_in(made.log.item_ids)[:300]  # most frequent first
    lists = np.array([top[~np.isin(top, history)][:20] for history in made.queries.histories])
    judged = third_order.judge(model, made)
    targets = made.queries.targets.flat
    hits = [target in row for target, row in zip(targets, lists, strict=True)]
    assert judged["recall@20"] == np.mean(hits)
    assert judged["expected@20"] == made.expected_recall(lists)


def test_the_hold_out_sees_no_question_of_the_test_part(made):
    held = third_order.hold_out(made)
    assert held.log.n_histories == 3_800
    assert len(held.queries) == 200
    playlists = [row.tolist() for row in made.log.sequences()]
    assert [row.tolist() for row in held.log.sequences()] == playlists[:3_800]
    asked = zip(held.queries.histories, held.queries.targets.flat, strict=True)
    assert [[*history, target] for history, target in asked] == playlists[3_800:]
    assert 0 < held.best_recall(20) < 1
