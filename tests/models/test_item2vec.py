"""What Item2Vec promises beyond the contract of recommenders."""

import time

import numpy as np
import pytest

import fastrec as fr
from fastrec.runtime import isa
from tests.contract.recommenders import islands
from tests.ctrl_c import ctrl_c_after

ROWS = islands()


def make(**params):
    defaults = {"dim": 16, "epochs": 12, "learning_rate": 0.05, "threads": 1}
    return fr.Item2Vec(**{**defaults, **params})


def share_at_home(model, size=12):
    """Share of recommendations that stay on the island of the history."""
    histories = [[i] for i in range(2 * size)]
    items = model.recommend(histories, k=8).items
    home = np.repeat([True, False], size)[:, None]
    return ((items < size) == home).mean()


@pytest.mark.parametrize("architecture", ["skipgram", "cbow"])
@pytest.mark.parametrize("sharing", ["pair", "window", "block"])
def test_items_of_one_island_are_recommended_together(architecture, sharing):
    model = make(architecture=architecture, negative_sharing=sharing).fit(ROWS)
    assert share_at_home(model) > 0.95


@pytest.mark.parametrize(
    "params",
    [
        {"window": None},
        {"context": "past"},
        {"dynamic_window": False},
        {"ns_exponent": -0.5},
        {"ns_exponent": 0.0},
        {"subsample": 0.02, "epochs": 30},
        {"score_by": "item", "metric": "cosine"},
        {"history_items": 2, "history_decay": 0.5},
        {"threads": 3},
        {"dim": 3, "epochs": 40},
        {"dim": 129},
    ],
    ids=str,
)
def test_every_option_still_learns_the_islands(params):
    assert share_at_home(make(**params).fit(ROWS)) > 0.9


def test_similar_items_come_from_the_same_island():
    answer = make().fit(ROWS).similar_items([0, 13], k=5)
    assert (answer.items[0] < 12).all()
    assert (answer.items[1] >= 12).all()
    assert 0 not in answer.items[0]


def test_similar_items_of_an_unknown_item_are_an_error():
    with pytest.raises(fr.UnknownIdError, match="777"):
        make().fit(ROWS).similar_items([777])


def test_vectors_have_one_row_per_item():
    model = make(dim=17).fit(ROWS)
    for vectors in (model.item_vectors, model.context_vectors):
        assert vectors.matrix.shape == (24, 17)
        assert vectors.ids == model.item_ids


def test_the_loss_falls():
    losses = make().fit(ROWS).history.column("loss")
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("level", isa.available_levels())
def test_levels_rank_alike(level, monkeypatch):
    """Vectors trained once, searched by the kernels of each level."""
    model = make().fit(ROWS)
    expected = model.recommend([[i] for i in range(24)], 8).items
    monkeypatch.setattr(isa, "level", lambda: level)
    model.set_params(metric="dot")  # drops the index
    np.testing.assert_array_equal(model.recommend([[i] for i in range(24)], 8).items, expected)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"dim": 0}, "dim must be a whole number"),
        ({"dim": 1.5}, "dim must be a whole number"),
        ({"window": 0}, "window must be a whole number"),
        ({"negatives": 0}, "negatives must be a whole number"),
        ({"epochs": 0}, "epochs must be a whole number"),
        ({"learning_rate": 0, "min_learning_rate": 0}, "learning_rate must be above 0"),
        ({"learning_rate": -1}, "learning_rate must be a finite number"),
        ({"learning_rate": float("nan")}, "learning_rate must be a finite number"),
        ({"learning_rate": "fast"}, "learning_rate must be a number"),
        ({"min_learning_rate": 1}, "min_learning_rate must be a finite number from 0 to 0.05"),
        ({"architecture": "sg"}, "architecture must be one of 'skipgram', 'cbow'"),
        ({"context": "future"}, "context must be one of"),
        ({"dynamic_window": 1}, "dynamic_window must be True or False"),
        ({"subsample": 2}, "subsample must be a finite number from 0 to 1"),
        ({"ns_exponent": float("inf")}, "ns_exponent must be a finite number"),
        ({"negative_sharing": 4}, "negative_sharing must be one of"),
        ({"min_count": 0}, "min_count must be a whole number"),
        ({"history_items": 0}, "history_items must be a whole number"),
        ({"history_decay": 0}, "history_decay must be above 0"),
        ({"score_by": "output"}, "score_by must be one of"),
        ({"metric": "l2"}, "metric must be one of"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"threads": 0}, "threads must be a whole number"),
    ],
    ids=str,
)
def test_a_parameter_out_of_range_is_refused_by_fit(params, message):
    with pytest.raises(fr.InputError, match=message):
        make(**params).fit(ROWS)


def test_min_count_leaves_rare_items_out():
    model = make(min_count=3).fit([*ROWS, [700, 701], [700, 701], [702]])
    assert 700 not in model.item_ids
    with pytest.raises(fr.InputError, match="lower min_count"):
        make(min_count=10**6).fit(ROWS)


def weighted_log(value):
    rows = [item for row in ROWS for item in row]
    users = np.repeat(np.arange(len(ROWS)), 6)
    return fr.Interactions.from_arrays(user=users, item=rows, value=value)


def test_values_weight_the_loss():
    ones = make().fit(weighted_log(np.ones(len(ROWS) * 6, np.float32)))
    plain = make().fit(ROWS)
    np.testing.assert_array_equal(ones.item_vectors.matrix, plain.item_vectors.matrix)
    halves = make().fit(weighted_log(np.full(len(ROWS) * 6, 0.5, np.float32)))
    assert np.abs(halves.item_vectors.matrix - plain.item_vectors.matrix).max() > 1e-3


def test_a_diverging_fit_names_epoch_and_parameter_and_keeps_the_old_state():
    model = make().fit(ROWS)
    before = model.item_vectors.matrix.copy()
    model.set_params(learning_rate=1e30, min_learning_rate=1e30)
    with pytest.raises(fr.DivergedError, match=r"epoch 1 .*lower learning_rate"):
        model.fit(ROWS)
    np.testing.assert_array_equal(model.item_vectors.matrix, before)


def test_ctrl_c_keeps_the_state_reached_and_marks_the_epoch():
    model = make(epochs=10**5, threads=2)
    with pytest.raises(KeyboardInterrupt), ctrl_c_after(0.5):
        model.fit(ROWS * 20)
    assert 2 <= len(model.history) < 10**5
    assert share_at_home(model) > 0.9


def test_an_interrupted_epoch_is_partial(monkeypatch):
    from fastrec.training import loop

    update, calls = loop.Meter.update, []

    def interrupt_in_third_epoch(meter, *args):
        calls.append(meter)
        if len(set(calls)) == 3:
            monkeypatch.setattr(loop.Meter, "update", update)
            raise KeyboardInterrupt
        update(meter, *args)

    monkeypatch.setattr(loop.Meter, "update", interrupt_in_third_epoch)
    model = make()
    with pytest.raises(KeyboardInterrupt):
        model.fit(ROWS)
    assert model.history.column("partial") == [False, False, True]
    assert model.recommend([[1]], 3).counts.tolist() == [3]


def test_early_stopping_restores_the_best_epoch():
    class Spoil(fr.Callback):
        """Writes noise into the vectors after the second epoch."""

        def on_epoch_end(self, run, row):
            if row["epoch"] == 2:
                self.best = run.model.item_vectors.matrix.copy()
                run.model._inputs[:, :16] = np.random.default_rng(0).normal(size=(24, 16))

    queries = fr.Queries.last_item(fr.Interactions.from_sequences(ROWS))
    spoil, model = Spoil(), make()
    stop = fr.EarlyStopping("mrr@5", patience=1)
    model.fit(ROWS, validation=queries, callbacks=[stop, spoil])
    values = model.history.column("mrr@5")
    best = int(np.argmax(values))
    assert len(values) == best + 2
    again = fr.evaluate(model, queries, ["mrr@5"])["mrr@5"]
    assert again == pytest.approx(values[best])


def test_early_stopping_without_validation_is_refused():
    with pytest.raises(fr.InputError, match="needs fit"):
        make().fit(ROWS, callbacks=[fr.EarlyStopping("recall@20")])


def test_early_stopping_on_the_loss_needs_no_validation():
    model = make(epochs=60).fit(ROWS, callbacks=[fr.EarlyStopping("loss", min_delta=0.05)])
    assert 3 <= len(model.history) < 60


def test_answer_parameters_act_without_a_new_fit():
    model = make().fit(ROWS)
    by_context = model.recommend([[1, 2]], 5).items.tolist()
    model.set_params(score_by="item", metric="cosine")
    assert model.recommend([[1, 2]], 5).scores.max() <= 1.0001
    model.set_params(score_by="context", metric="dot")
    assert model.recommend([[1, 2]], 5).items.tolist() == by_context


def test_history_items_limits_what_is_asked_for():
    model = make(history_items=1).fit(ROWS)
    one = model.recommend([[13, 2]], 5, exclude=[13])
    np.testing.assert_array_equal(one.items, model.recommend([[2]], 5, exclude=[13]).items)


def test_weights_of_history_items_count():
    model = make(history_decay=1.0).fit(ROWS)
    away = model.recommend([[2, 13]], 5, weights=[[1e-6, 1.0]], exclude=[2, 13])
    assert (away.items >= 12).all()


@pytest.mark.parametrize(
    "weights",
    [[["x", "y"]], [1, 2], [[1e300, 1]], [[1.0]], [[1.0, -1.0]], [[1.0, float("nan")]], 3],
)
def test_malformed_weights_are_refused(weights):
    with pytest.raises(fr.InputError, match="weights"):
        make().fit(ROWS).recommend([[1, 2]], weights=weights)


def test_a_history_of_only_unknown_items_gives_a_short_row():
    answer = make().fit(ROWS).recommend([[777], []], k=3)
    assert answer.counts.tolist() == [0, 0]
    assert (answer.items == -1).all()


def test_memory_says_what_fit_needs():
    log = fr.Interactions.from_sequences(ROWS)
    memory = make(dim=17).memory(log)
    assert memory["parameters"] == 2 * 24 * 32 * 4
    assert memory["log"] == log.nbytes
    assert memory["total"] == sum(memory.values()) - memory["total"]


def test_partial_fit_with_another_dim_is_refused():
    model = make().fit(ROWS)
    with pytest.raises(fr.InputError, match="dim is 8, but"):
        model.set_params(dim=8).partial_fit(ROWS)


def test_progress_shows_loss_and_rate(capsys):
    make(epochs=2).fit(ROWS, progress=True)
    shown = capsys.readouterr().err
    assert "Item2Vec" in shown
    assert "loss" in shown
    assert "events/s" in shown


def test_one_long_history_with_a_window_over_all_of_it_hears_ctrl_c():
    """A single history of 60,000 items has 3.6 billion pairs: half a minute of work."""
    model = make(window=None, epochs=1, dim=64)
    items = np.random.default_rng(0).integers(500, size=60_000).tolist()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt), ctrl_c_after(0.2):
        model.fit([items])
    assert time.monotonic() - begin < 10
    assert model.history.column("partial") == [True]
    assert model.recommend([[items[0]]], 3).counts.tolist() == [3]


def test_a_history_without_weight_gets_a_short_row():
    answer = make().fit(ROWS).recommend([[1, 2], [3]], k=3, weights=[[0, 0], [1]])
    assert answer.counts.tolist() == [0, 3]


@pytest.mark.parametrize(
    ("rows", "params"), [([[1]], {}), ([[1], [2]], {}), (ROWS, {"subsample": 1e-300})], ids=str
)
def test_a_log_without_a_pair_is_refused(rows, params):
    with pytest.raises(fr.InputError, match="nothing to learn from"):
        make(**params).fit(rows)


def test_an_answer_parameter_out_of_range_is_refused_at_once():
    model = make().fit(ROWS)
    with pytest.raises(fr.InputError, match="metric must be one of"):
        model.set_params(metric="l2", history_decay=0.5)
    assert (model.metric, model.history_decay) == ("dot", 0.9)
