"""The rows of recurrent nets can be made, and both of their sides learn the same."""

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks import peers_torch, rnn_bench, rnn_work, speed
from fastrec.runtime import isa

LANES = rnn_work.Shape(24, 8, False, "adagrad", 0.05, 4, 1.0)
WHOLE = rnn_work.Shape(24, 8, True, "adam", 0.01, 4, 1.0)
SHAPES = {"gru-train-100": LANES, "gru-train-bptt": WHOLE}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for module in (rnn_work, rnn_bench, peers_torch):
        monkeypatch.setattr(module, "NEGATIVES", 256, raising=False)
    for module in (rnn_work, rnn_bench):
        monkeypatch.setattr(module, "ITEMS", 500)
        monkeypatch.setattr(module, "SHAPES", SHAPES)


@pytest.mark.parametrize("name", SHAPES)
def test_a_training_row_stands_beside_its_peer_and_its_floor(name):
    row = rnn_bench.training_row(name, threads=1, repeats=1)
    assert row.name == name
    assert min(row.ours, row.peer, row.floor) > 0
    # Both draw other negatives of one distribution, few in number here.
    assert row.extra["loss_ours"] == pytest.approx(row.extra["loss_peer"], rel=0.1)


@pytest.mark.skipif(not isa.load("rnn").HAS_BF16, reason="no AVX-512 BF16")
@pytest.mark.parametrize("name", SHAPES)
def test_a_row_of_rounded_products_stands_beside_whole_ones_and_its_floor(name):
    row = rnn_bench.rounded_row(name, threads=1, repeats=1)
    assert row.name == f"{name}-bf16"
    assert min(row.ours, row.peer, row.floor) > 0
    assert row.extra["loss_bfloat16"] == pytest.approx(row.extra["loss_float32"], rel=0.01)
    assert row.extra["loss_bfloat16"] != row.extra["loss_float32"]


def test_a_row_of_rounded_products_is_refused_where_there_are_none(monkeypatch, capsys):
    monkeypatch.setattr(isa, "load", lambda name, at=None, load=isa.load: load(name, "generic"))
    assert speed.main(["--only", "gru-train-100-bf16"]) == 1
    assert "gru-train-100-bf16: needs AVX-512 BF16" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("shape", "ways"), [(LANES, peers_torch.LANE_WAYS), (WHOLE, peers_torch.WHOLE_WAYS)]
)
def test_all_ways_to_write_the_peer_train_the_same(shape, ways):
    work, weights = rnn_work.make_work(shape, 12), rnn_work.initial_weights(shape.units)
    losses = []
    for way in ways:
        peer = peers_torch.Peer(weights, shape, work, way, threads=1)
        losses.append([peer.run(step, step + 1) for step in range(12)])
    np.testing.assert_allclose(losses[1:], losses[:1] * (len(ways) - 1), rtol=1e-4)


@pytest.mark.parametrize("shape", [LANES, WHOLE])
def test_ours_trains_as_the_peer_does_on_the_same_negatives(shape):
    from fastrec.training.negatives import noise_table
    from tests.native.rnn_nets import drawn_negatives

    work, weights = rnn_work.make_work(shape, 12), rnn_work.initial_weights(shape.units)
    noise = noise_table(work.counts, rnn_work.NS_EXPONENT)
    for step in range(12):
        work.negatives[step] = drawn_negatives(noise, step, rnn_work.NEGATIVES, key=1)
    way = peers_torch.WHOLE_WAYS[0] if shape.is_whole else peers_torch.LANE_WAYS[-1]
    peer = peers_torch.Peer(weights, shape, work, way, threads=1)
    with rnn_bench.Ours(weights, shape, work, threads=1) as ours:
        for step in range(12):
            assert ours.run(step, step + 1) == pytest.approx(peer.run(step, step + 1), rel=1e-4)


def test_lanes_play_sessions_one_after_the_other():
    offsets = np.array([0, 3, 5, 7, 11, 14])
    starts, lengths, slots, fresh = rnn_work.lanes(offsets, 2, 3, 0)
    assert starts.reshape(3, 2).tolist() == [[0, 3], [1, 5], [7, 11]]
    assert fresh.reshape(3, 2).tolist() == [[1, 1], [0, 1], [1, 1]]
    assert slots.reshape(3, 2).tolist() == [[0, 1]] * 3
    assert (lengths == 1).all()


def test_a_step_of_a_service_is_timed_for_one_session_and_for_many(monkeypatch):
    monkeypatch.setattr(rnn_bench, "SESSIONS", 40)
    made = list(rnn_bench.step_rows(threads=2, tracks=3000, repeats=1))
    assert [row.extra["sessions"] for row in made] == [1, 40]
    assert all(row.ours > 0 and row.peer > 0 for row in made)
