"""PlaylistRNN: it learns what follows what, reads features, and refuses what it cannot take."""

import numpy as np
import pytest

import fastrec as fr
from fastrec.runtime import isa

SMALL = {"units": 16, "epochs": 3, "batch_size": 8, "negatives": 8, "learning_rate": 0.01}
CYCLE = [[(start + step) % 12 for step in range(2 + start % 5)] for start in range(12)] * 10


def small(**params):
    return fr.PlaylistRNN(**{**SMALL, **params})


def next_of(model, history):
    return model.recommend([history], 1, exclude_seen=False).items[0, 0]


def second_order(count=600, seed=0):
    """Sessions in which 5 is followed by whatever came before it: 1 5 1, 2 5 2, ..."""
    random = np.random.default_rng(seed)
    return [[first, 5, first, 6] for first in random.integers(1, 5, count).tolist()]


# Learning


@pytest.mark.parametrize("cell", ["gru", "lstm", "tanh", "relu"])
def test_every_cell_remembers_what_came_before_the_last_track(cell):
    model = small(cell=cell, epochs=15).fit(second_order())
    assert [next_of(model, [first, 5]) for first in (1, 2, 3, 4)] == [1, 2, 3, 4]


@pytest.mark.parametrize("loss", ["sampled_softmax", "softmax", "bpr_max", "top1_max"])
@pytest.mark.parametrize("scores", ["cosine", "dot"])
def test_every_loss_learns_the_cycle(loss, scores):
    rate = 0.05 if scores == "dot" else 0.01
    model = small(loss=loss, scores=scores, bias=True, learning_rate=rate, epochs=12).fit(CYCLE)
    assert [next_of(model, [track]) for track in range(12)] == [*range(1, 12), 0]
    losses = model.history.column("loss")
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("optimizer", "rate"), [("adam", 0.01), ("adagrad", 0.1), ("row_adagrad", 0.1), ("sgd", 0.5)]
)
@pytest.mark.parametrize("batching", ["sessions", "lanes"])
def test_every_optimizer_learns_the_cycle(optimizer, rate, batching):
    momentum = 0.5 if optimizer == "sgd" else 0.0
    model = small(
        optimizer=optimizer, learning_rate=rate, momentum=momentum, batching=batching, epochs=20,
        truncation=1 if batching == "lanes" else 512,
    ).fit(CYCLE)  # fmt: skip
    assert [next_of(model, [track]) for track in range(12)] == [*range(1, 12), 0]


@pytest.mark.skipif(not isa.load("rnn").HAS_BF16, reason="no AVX-512 BF16")
@pytest.mark.parametrize("batching", ["sessions", "lanes"])
def test_rounded_products_learn_the_cycle_with_the_same_bits_for_any_threads(batching):
    params = {"products": "bfloat16", "batching": batching, "epochs": 12}
    model, other = (small(**params, threads=threads).fit(CYCLE) for threads in (1, 3))
    assert [next_of(model, [track]) for track in range(12)] == [*range(1, 12), 0]
    for name, array in model._parameters().items():
        np.testing.assert_array_equal(other._parameters()[name], array, err_msg=name)
    whole = small(**{**params, "products": "float32"}).fit(CYCLE)
    assert (model._parameters()["weights"] != whole._parameters()["weights"]).any()


def test_rounded_products_are_refused_where_the_kernels_have_none(monkeypatch):
    monkeypatch.setattr(isa, "level", lambda: "generic")
    monkeypatch.setattr(isa, "load", lambda name, at=None, load=isa.load: load(name, "generic"))
    model = small().fit(CYCLE)
    model.set_params(products="bfloat16")
    for call in (small(products="bfloat16").fit, model.partial_fit, model.memory):
        with pytest.raises(fr.DeviceError, match="this process, at the level generic, has not"):
            call(CYCLE)


@pytest.mark.skipif(not isa.load("rnn").HAS_BF16, reason="no AVX-512 BF16")
def test_a_model_of_rounded_products_opens_where_there_are_none(tmp_path, monkeypatch):
    path = tmp_path / "m.fastrec"
    model = small(products="bfloat16").fit(CYCLE)
    model.save(path)
    monkeypatch.setattr(isa, "level", lambda: "generic")
    monkeypatch.setattr(isa, "load", lambda name, at=None, load=isa.load: load(name, "generic"))
    opened = fr.load(path)
    assert opened.products == "bfloat16"
    assert next_of(opened, [3]) == next_of(model, [3])
    with pytest.raises(fr.DeviceError, match="set products='float32'"):
        opened.partial_fit(CYCLE)
    opened.set_params(products="float32").partial_fit(CYCLE)


@pytest.mark.parametrize("item_inputs", ["tied", "separate", "gates"])
@pytest.mark.parametrize("layers", [1, 3])
def test_every_way_to_read_items_learns_the_cycle(item_inputs, layers):
    dim = 7 if item_inputs == "separate" else None
    model = small(item_inputs=item_inputs, dim=dim, layers=layers, epochs=20).fit(CYCLE)
    assert [next_of(model, [track]) for track in range(12)] == [*range(1, 12), 0]
    assert model.item_vectors.matrix.shape == (12, 16)


@pytest.mark.parametrize("batching", ["sessions", "lanes"])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_cut_session_carries_its_state(batching, cell):
    # A net that hardly learns has the same loss however sessions are cut, if states go on.
    params = {"learning_rate": 1e-9, "epochs": 1, "input_dropout": 0.0, "state_dropout": 0.0}
    params |= {"loss": "softmax", "cell": cell, "layers": 2}
    whole = small(**params).fit(CYCLE).history[0]["loss"]
    for truncation in (1, 2, 3):
        cut = small(**params, truncation=truncation, batching=batching).fit(CYCLE)
        assert cut.history[0]["loss"] == pytest.approx(whole, rel=1e-6)
    pairs = [row[at : at + 2] for row in CYCLE for at in range(len(row) - 1)]  # without states
    assert abs(small(**params).fit(pairs).history[0]["loss"] / whole - 1) > 1e-4


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("batching", ["sessions", "lanes"])
def test_threads_change_no_bit(threads, batching):
    params = {"batching": batching, "truncation": 3, "optimizer": "adam", "weight_decay": 0.1}
    one = small(**params, threads=1).fit(CYCLE)
    other = small(**params, threads=threads).fit(CYCLE)
    for name, array in one._parameters().items():
        np.testing.assert_array_equal(other._parameters()[name], array)
    assert other.history.column("loss") == one.history.column("loss")


def test_seeds_differ():
    vectors = [small(seed=seed).fit(CYCLE).item_vectors.matrix for seed in (1, 1, 2)]
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert (vectors[0] != vectors[2]).any()


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_the_schedule_falls_as_it_says(schedule):
    class Rates(fr.Callback):
        log_every = 1

        def __init__(self):
            self.rates = []

        def on_log(self, run, row):
            self.rates.append(row["learning_rate"])

    watcher = Rates()
    small(schedule=schedule, epochs=4).fit(CYCLE, callbacks=[watcher])
    falls = {"constant": [1] * 4, "linear": [1, 0.75, 0.5, 0.25]}
    falls["cosine"] = [1, 0.8535534, 0.5, 0.1464466]
    assert watcher.rates == pytest.approx([0.01 * fall for fall in falls[schedule]])


# The six steps: what callbacks see


def test_callbacks_hear_of_events_within_an_epoch(monkeypatch):
    monkeypatch.setattr("fastrec.models.recurrent_memory.PRODUCTS_A_BLOCK", 1)

    class Watcher(fr.Callback):
        log_every = 50

        def __init__(self):
            self.rows = []

        def on_log(self, run, row):
            assert run.model.recommend([[1]], 2).counts.tolist() == [2]
            self.rows.append(row)

    watcher = Watcher()
    model = small(epochs=2).fit(CYCLE, callbacks=[watcher])
    events = sum(len(row) - 1 for row in CYCLE)
    of_first = [row for row in watcher.rows if row["epoch"] == 1]
    assert len(of_first) == events // 50
    assert of_first[0].keys() == {*("epoch", "events", "loss", "seconds", "learning_rate", "steps")}
    assert all(50 * n <= row["events"] < 50 * n + 40 for n, row in enumerate(of_first, 1))
    assert of_first[-1]["loss"] < of_first[0]["loss"]
    assert model.history[0]["loss"] == pytest.approx(np.mean([r["loss"] for r in of_first]), 0.1)


def test_seconds_end_the_training_within_an_epoch(monkeypatch):
    monkeypatch.setattr("fastrec.models.recurrent_memory.PRODUCTS_A_BLOCK", 1)
    model = small(epochs=10_000).fit(CYCLE, callbacks=[fr.StopAt(seconds=0.2)])
    assert len(model.history) < 10_000
    assert model.history[-1]["partial"]
    assert not any(model.history.column("partial")[:-1])


def test_a_loss_ends_the_training():
    model = small(epochs=200).fit(CYCLE, callbacks=[fr.StopAt(loss=1.0)])
    losses = model.history.column("loss")
    assert losses[-1] <= 1.0 < losses[-2]


def test_sessions_of_one_track_are_skipped_and_counted():
    model = small().fit([*CYCLE, [3], [4]])
    assert model.history.column("skipped_sessions") == [2] * 3
    np.testing.assert_array_equal(small().fit(CYCLE).item_counts.sum() + 2, model.item_counts.sum())


def test_sessions_of_one_track_alone_are_refused():
    with pytest.raises(fr.InputError, match="none of the 3 sessions has two items"):
        small().fit([[1], [2], [3]])


def test_value_weights_the_loss_of_its_own_event():
    rows = [(0, 1, 1), (0, 2, 1), (1, 1, 1), (1, 3, 0)] * 50
    log = fr.Interactions.from_arrays(
        user=[2 * (n // 4) + user for n, (user, _, _) in enumerate(rows)],
        item=[item for _, item, _ in rows],
        value=[value for _, _, value in rows],
        time=np.arange(len(rows)),
    )
    model = small(epochs=10).fit(log)
    top = model.recommend([[1]], 3, exclude_seen=False)
    assert top.items[0, 0] == 2
    assert top.scores[0, 0] - top.scores[0, top.items[0].tolist().index(3)] > 5


def test_weights_of_nothing_are_refused():
    log = fr.Interactions.from_arrays(user=[1, 1, 2, 2], item=[1, 2, 1, 3], value=[1, 0, 1, 0])
    with pytest.raises(fr.InputError, match="the weight 0"):
        small().fit(log)


@pytest.mark.parametrize("scores", ["cosine", "dot"])
def test_a_rate_that_diverges_is_an_error(scores):
    model = small(scores=scores, optimizer="sgd", learning_rate=1e8, clip=0.0, epochs=20)
    with pytest.raises(fr.DivergedError, match="lower learning_rate"):
        model.fit(CYCLE)
    with pytest.raises(fr.NotFittedError):
        model.recommend([[1]])


def test_rare_items_are_left_out_as_if_they_were_not_there():
    rows = [[*row[:1], 100 + n, *row[1:]] for n, row in enumerate(CYCLE)]
    rare, plain = small(min_count=2).fit(rows), small(min_count=2).fit(CYCLE)
    assert len(rare.item_ids) == 12
    np.testing.assert_array_equal(
        rare.item_vectors.matrix[rare.item_ids.encode(range(12))],
        plain.item_vectors.matrix[plain.item_ids.encode(range(12))],
    )


def test_memory_says_what_the_arrays_take():
    log = fr.Interactions.from_sequences(CYCLE)
    for params in ({}, {"item_inputs": "separate", "optimizer": "row_adagrad", "bias": True}):
        model = small(**params)
        said = model.memory(log)
        model.fit(log)
        assert said["parameters"] == sum(a.nbytes for a in model._parameters().values())
        slots = model._slots(model._network.members[0])
        assert said["optimizer"] == sum(array.nbytes for array in slots.values())
        assert said["total"] == sum(said[part] for part in said if part != "total")


def test_the_work_of_long_sessions_stays_within_the_promise():
    random = np.random.default_rng(0)
    log = fr.Interactions.from_sequences(random.integers(0, 500, (300, 2000)).tolist())
    for params in ({}, {"batching": "lanes"}, {"cell": "lstm", "layers": 3, "loss": "softmax"}):
        assert fr.PlaylistRNN(**params).memory(log)["work"] < 300e6


# From vectors of another model


def test_item_vectors_are_where_training_begins():
    start = fr.Item2Vec(dim=16, epochs=2, threads=1).fit(CYCLE)
    model = small(epochs=1, learning_rate=1e-9, scores="dot")
    model.fit([*CYCLE, [0, 77]], item_vectors=start)
    for track in (0, 5):
        np.testing.assert_allclose(
            model.item_vectors.matrix[model.item_ids.code(track)],
            start.item_vectors.matrix[start.item_ids.code(track)],
            atol=1e-6,
        )
    same = small(epochs=1, learning_rate=1e-9, scores="dot")
    same.fit([*CYCLE, [0, 77]], item_vectors=start.item_vectors)
    np.testing.assert_array_equal(same.item_vectors.matrix, model.item_vectors.matrix)


def test_cosines_begin_with_the_directions_of_item_vectors_at_the_length_of_random_ones():
    start = fr.Item2Vec(dim=16, epochs=2, threads=1).fit(CYCLE)
    zero = fr.Vectors(start.item_ids, start.item_vectors.matrix * (start.item_ids.ids > 0)[:, None])
    model = small(epochs=1, learning_rate=1e-9).fit(CYCLE, item_vectors=zero)
    for track in (1, 5):
        ours, others = model.item_vectors[track], start.item_vectors[track]
        assert np.linalg.norm(ours) == pytest.approx(3**-0.5, rel=1e-4)
        assert ours @ others == pytest.approx(np.linalg.norm(others) * 3**-0.5, rel=1e-4)
    assert np.isfinite(model.item_vectors[0]).all()
    random = small(epochs=1, learning_rate=1e-9, units=512).fit(CYCLE).item_vectors
    np.testing.assert_allclose(np.linalg.norm(random.matrix, axis=1), 3**-0.5, rtol=0.1)


def vectors(ids, dim, value=1):
    return fr.Vectors(fr.IdMap.from_ids(ids)[0], np.full((len(ids), dim), value, np.float32))


@pytest.mark.parametrize(
    ("params", "given", "message"),
    [
        ({}, "abc", "must be Vectors"),
        ({}, vectors([0, 1], 3), "set units=3"),
        ({"item_inputs": "separate"}, vectors([0], 3), "set dim=3"),
        ({"item_inputs": "gates"}, vectors([0], 16), "gates"),
        ({}, vectors([99], 16), "not one item of the log"),
        ({}, vectors([0], 16, np.nan), "hold NaN or infinite"),
        ({"scores": "dot"}, vectors([0], 16, np.inf), "hold NaN or infinite"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(params, given, message):
    with pytest.raises(fr.InputError, match=message):
        small(**params).fit(CYCLE, item_vectors=given)


# Parameters


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cell": "gpu"}, "cell must be one of"),
        ({"units": 0}, "units must be"),
        ({"layers": 4}, "layers must be a whole number from 1 to 3"),
        ({"dim": 8}, "item_inputs is 'tied'"),
        ({"scale": 0}, "scores='dot'"),
        ({"loss": "hinge"}, "loss must be"),
        ({"elu": 0.5}, "elu is for the loss 'bpr_max'"),
        ({"momentum": 0.1}, "momentum is for 'sgd' and 'adagrad'"),
        ({"momentum": 1, "optimizer": "sgd"}, "momentum must be below 1"),
        ({"input_dropout": 1}, "input_dropout must be below 1"),
        ({"learning_rate": 0}, "nothing would be trained"),
        ({"schedule": "step"}, "schedule must be"),
        ({"truncation": 0}, "truncation must be"),
        ({"products": "float16"}, "products must be one of 'float32', 'bfloat16'"),
        ({"context": "device"}, "context must be a list"),
        ({"context": ["a", "a"]}, "name each column once"),
        ({"context": ["a"], "user_features": ["a"]}, "name it once"),
        ({"context": ["a"]}, "no context column 'a', it has none"),
        ({"user_features": ["age"]}, "no user feature 'age'"),
    ],
)
def test_a_parameter_out_of_range_is_named(params, message):
    with pytest.raises(fr.InputError, match=message):
        small(**params).fit(CYCLE)


@pytest.mark.parametrize("params", [{"units": 17}, {"cell": "lstm"}, {"scale": 8.0}])
def test_partial_fit_keeps_the_shape_of_the_net(params):
    model = small().fit(CYCLE)
    model.set_params(**params)
    with pytest.raises(fr.InputError, match="this model was fitted with"):
        model.partial_fit(CYCLE)


def test_weights_of_history_items_are_refused():
    with pytest.raises(fr.InputError, match="uses no weights"):
        small().fit(CYCLE).recommend([[1]], weights=[[1.0]])
