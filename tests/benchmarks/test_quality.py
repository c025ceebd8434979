"""The quality table averages over seeds, stays off the test part and prints the baselines."""

import numpy as np
import pytest

import fastrec as fr
from benchmarks import quality
from benchmarks.asked import Asked, newest
from benchmarks.protocols import Outcome, Protocol, fit
from benchmarks.quality import Recipe, describe, measure, new_model


def log_of(item):
    return fr.Interactions.from_sequences([[item, item]])


@pytest.fixture
def measured(monkeypatch):
    """A protocol whose metric is the model's seed, and what it was asked to measure."""
    asked = []

    def note(model, data):
        asked.append((model, data))
        return Outcome({"recall@20": float(getattr(model, "seed", 0))}, 1.0)

    load = Asked(log_of("test"), None)
    held = Asked(log_of("held out"), None)
    protocol = Protocol(
        lambda: load,
        lambda _: held,
        note,
        ("recall@20",),
        {"popularity": fr.Popularity},
        {"twin": lambda model: model.set_params(seed=10 * model.seed)},
    )
    monkeypatch.setitem(quality.PROTOCOLS, "cinema", protocol)
    return asked


def recipe(model="item2vec", **settings):
    path = quality.RECIPES / f"cinema-{model}.toml"
    return Recipe(f"cinema/{model}", "cinema", model, path, **settings)


def test_a_row_is_the_mean_over_the_seeds(measured):
    row = measure(recipe(seeds=(1, 2, 6)))
    assert row["metrics"] == {"recall@20": 3.0}
    assert row["deviation"]["recall@20"] == pytest.approx(7**0.5)


def test_without_seeds_the_parameters_say_it_all(measured):
    row = measure(recipe(params={"seed": 4}))
    assert (row["metrics"], row["deviation"]) == ({"recall@20": 4.0}, {})


def test_the_hold_out_asks_nothing_of_the_test_part(measured):
    measure(recipe(), hold_out=True)
    assert {data.train.item_ids.ids[0] for _, data in measured} == {"held out"}


def test_only_the_model_of_the_recipe_trains_on_weighted_rows(measured):
    measure(recipe(evenly_weighted=True))
    weighted = {type(model).__name__: data.train.value is not None for model, data in measured}
    assert weighted == {"Item2Vec": True, "Popularity": False}


def test_the_newest_rows_train_and_count_the_more_the_newer():
    log = fr.Interactions.from_arrays(
        user=[0, 0, 0, 1, 1], item=[1, 2, 3, 1, 2], time=[0, 60, 100, 80, 90]
    )
    late = newest(log, seconds=40, half_life=20)
    assert late.time.tolist() == [100, 80, 90]  # what was 40 before the end is left out
    expected = np.array([1, 0.5, 0.5**0.5])
    np.testing.assert_allclose(late.value, expected / expected.mean(), rtol=1e-6)


def test_a_recipe_of_the_newest_rows_trains_on_these_alone():
    unfitted = new_model(recipe("popularity", newest={"seconds": 30, "half_life": 9.0}))
    log = fr.Interactions.from_arrays(user=[0, 0, 1], item=["a", "b", "b"], time=[0, 90, 99])
    model, _ = fit(unfitted, log)
    assert model.recommend([[]], k=2).items[0].tolist() == ["b", None]


def test_a_peer_takes_turns_with_the_model_of_each_seed(measured):
    row = measure(recipe(seeds=(1, 3)))
    assert [model.seed for model, _ in measured[:4]] == [1, 10, 3, 30]
    assert row["baselines"]["twin"] == {"recall@20": 20.0}


def test_a_bar_may_be_what_a_peer_comes_to_in_the_same_run(measured):
    rules = {"twin": {"recall@20": {"times": 3, "plus": -0.5}}}
    assert measure(recipe(seeds=(1, 3), bar_beside=rules))["bar"] == {"recall@20": 59.5}


def test_parts_are_trained_and_judged_side_by_side(measured, monkeypatch):
    known = {name: recipe(params={"dim": dim}) for name, dim in (("one", 3), ("other", 5))}
    monkeypatch.setattr(quality, "recipes", lambda: known)
    assert [model.dim for model in quality.new_model(recipe(parts=("one", "other")))] == [3, 5]


def test_a_model_may_begin_with_the_item_vectors_of_another():
    first = {"model": "item2vec", "params": {"dim": 16, "epochs": 1}}
    params = {"units": 16, "epochs": 1, "negatives": 4, "learning_rate": 1e-12}
    begun = quality.new_model(recipe("playlist-rnn", params=params, item_vectors=first), seed=5)
    log = fr.Interactions.from_sequences([[1, 2, 3], [2, 3, 4]] * 5)
    model, seconds = fit(begun, log)
    (given,) = begun.firsts
    assert (model.seed, given.seed, seconds > 0) == (5, 5, True)
    for item in (1, 2, 3, 4):
        ours, others = model.item_vectors[item], given.item_vectors[item]
        assert ours @ others == pytest.approx(np.linalg.norm(ours) * np.linalg.norm(others))


def test_some_members_may_begin_with_item_vectors_of_their_own():
    first = {"model": "item2vec", "params": {"dim": 16, "epochs": 1}, "members": 2}
    params = {"units": 16, "epochs": 1, "negatives": 4, "learning_rate": 1e-12, "members": 3}
    begun = quality.new_model(recipe("playlist-rnn", params=params, item_vectors=first), seed=5)
    model, _ = fit(begun, fr.Interactions.from_sequences([[1, 2, 3], [2, 3, 4]] * 5))
    assert begun.firsts[2] is None
    assert [given.seed for given in begun.firsts[:2]] == [500, 501]
    for given, net in zip(begun.firsts[:2], model._network.members, strict=False):
        ours, others = net.inputs[0, :16], given.item_vectors.matrix[0]
        assert ours @ others == pytest.approx(np.linalg.norm(ours) * np.linalg.norm(others))


def test_the_baselines_stand_below_the_row(measured):
    lines = describe(measure(recipe(seeds=(1, 3), bar={"recall@20": 0.5}))).splitlines()
    assert lines[0].startswith("cinema/item2vec ")
    assert "recall@20 2.0000 +- 1.4142 (bar 0.5000)" in lines[0]
    assert [line.split() for line in lines[1:]] == [
        ["twin", "recall@20", "20.0000"],
        ["popularity", "recall@20", "0.0000"],
    ]
