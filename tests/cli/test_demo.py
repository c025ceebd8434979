"""The demo trains, compares with popularity and the ceiling, and recommends readable titles."""

import json

import pytest

import fastrec.cli.demo as demo


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setitem(demo.SETTINGS, "epochs", 3)


def test_the_demo_beats_popularity_and_stays_below_the_ceiling(fastrec):
    facts = fastrec("demo", "--json").json
    assert facts["popularity"] < facts["item2vec"] < facts["ceiling"]
    assert facts["share_of_ceiling"] == pytest.approx(facts["item2vec"] / facts["ceiling"])
    assert len(facts["recommendations"]) == 5
    assert not set(facts["recommendations"]) & set(facts["history"])
    assert facts["items_per_second"] > 0


def test_the_demo_runs_on_a_folder_of_real_sessions(fastrec, folder):
    facts = fastrec("demo", "--data", folder, "--json").json
    assert facts["ceiling"] is None
    assert facts["item2vec"] > 0
    assert json.dumps(facts["recommendations"])


def test_the_demo_prints_for_people(fastrec, folder):
    done = fastrec("demo", "--data", folder)
    assert done.code == 0
    for words in ("Recall@20", "Popularity", "Item2Vec", "  5. ", "items/s"):
        assert words in done.out
