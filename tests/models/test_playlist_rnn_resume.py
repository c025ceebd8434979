"""A run that was cut goes on from its checkpoint to the bits of a run that never was."""

import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import fastrec as fr
from fastrec.runtime import isa
from fastrec.storage import model_file
from tests.ctrl_c import ctrl_c_after

random = np.random.default_rng(0)
ROWS = [random.integers(0, 40, length).tolist() for length in random.geometric(0.15, 300) + 1]
PARAMS = {"units": 16, "epochs": 4, "batch_size": 8, "negatives": 16, "truncation": 4}


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch):
    """Let a block be a step, so that there are many places to be cut at."""
    monkeypatch.setattr("fastrec.models.recurrent_memory.PRODUCTS_A_BLOCK", 1)


class Cut(fr.Callback):
    """Raises where it is told to, as a crash would."""

    log_every = 1

    def __init__(self, events):
        self.left = events

    def on_log(self, run, row):
        self.left -= 1
        if self.left == 0:
            raise RuntimeError("cut")


def same(one, other):
    assert one._parameters().keys() == other._parameters().keys()
    for name, array in one._parameters().items():
        np.testing.assert_array_equal(other._parameters()[name], array, err_msg=name)
    assert one.history.column("loss") == other.history.column("loss")
    assert one.history.column("epoch") == other.history.column("epoch")


@pytest.mark.parametrize("batching", ["sessions", "lanes"])
@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "row_adagrad", "sgd"])
@pytest.mark.parametrize("cut", [3, 60, 151])
def test_a_run_cut_within_an_epoch_goes_on_to_the_same_bits(tmp_path, batching, optimizer, cut):
    params = {**PARAMS, "batching": batching, "optimizer": optimizer, "schedule": "cosine"}
    whole = fr.PlaylistRNN(**params).fit(ROWS)
    path = tmp_path / "run.fastrec"
    with pytest.raises(RuntimeError, match="cut"):
        fr.PlaylistRNN(**params).fit(
            ROWS, callbacks=[fr.Checkpoint(path, every=1, unit="events"), Cut(cut)]
        )
    resumed = fr.PlaylistRNN(**params, threads=1).fit(
        ROWS, resume=path, callbacks=[fr.Checkpoint(path, every=2), Cut(-1)]
    )
    same(whole, resumed)


@pytest.mark.skipif(not isa.load("rnn").HAS_BF16, reason="no AVX-512 BF16")
@pytest.mark.parametrize("members", [1, 2])
def test_a_run_of_rounded_products_goes_on_to_the_same_bits(tmp_path, members):
    params = {**PARAMS, "products": "bfloat16", "members": members}
    whole, path = fr.PlaylistRNN(**params).fit(ROWS), tmp_path / "run.fastrec"
    with pytest.raises(RuntimeError, match="cut"):
        fr.PlaylistRNN(**params).fit(
            ROWS, callbacks=[fr.Checkpoint(path, every=1, unit="events"), Cut(60)]
        )
    resumed = fr.PlaylistRNN(**params, threads=1).fit(
        ROWS, resume=path, callbacks=[fr.Checkpoint(path, every=2), Cut(-1)]
    )
    same(whole, resumed)
    with pytest.raises(fr.InputError, match="products is 'float32', but the run"):
        fr.PlaylistRNN(**{**params, "products": "float32"}).fit(ROWS, resume=path)


@pytest.mark.parametrize("unit", ["epochs", "seconds"])
def test_other_units_save_too(tmp_path, unit):
    path = tmp_path / "run.fastrec"
    callbacks = [fr.Checkpoint(path, every=0 if unit == "seconds" else 2, unit=unit)]
    whole = fr.PlaylistRNN(**PARAMS).fit(ROWS, callbacks=callbacks)
    same(whole, fr.PlaylistRNN(**PARAMS).fit(ROWS, callbacks=callbacks, resume=path))
    assert len(fr.load(path).recommend([[1]], 3)) == 1


def test_early_stopping_remembers_across_a_cut(tmp_path):
    path = tmp_path / "run.fastrec"
    queries = fr.Queries.last_item(fr.Interactions.from_sequences(ROWS[:50]))

    def fit(cut, **options):
        callbacks = [fr.EarlyStopping("mrr@20", patience=1), fr.Checkpoint(path), Cut(cut)]
        model = fr.PlaylistRNN(**{**PARAMS, "epochs": 12, "learning_rate": 0.02})
        return model.fit(ROWS, validation=queries, callbacks=callbacks, **options)

    whole = fit(-1)
    assert 1 < len(whole.history) < 12
    for cut in (120, 200):
        with pytest.raises(RuntimeError, match="cut"):
            fit(cut)
        resumed = fit(-1, resume=path)
        same(whole, resumed)
        assert resumed.history.column("mrr@20") == whole.history.column("mrr@20")


def test_ctrl_c_ends_a_run_that_can_go_on(tmp_path):
    path = tmp_path / "run.fastrec"
    params = {**PARAMS, "epochs": 80}
    callbacks = [fr.Checkpoint(path, every=1, unit="events")]
    cut = fr.PlaylistRNN(**params, threads=2)
    with pytest.raises(KeyboardInterrupt), ctrl_c_after(0.3):
        cut.fit(ROWS, callbacks=callbacks)
    whole = fr.PlaylistRNN(**params).fit(ROWS)
    callbacks = [fr.Checkpoint(path, every=40)]
    same(whole, fr.PlaylistRNN(**params).fit(ROWS, callbacks=callbacks, resume=path))


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path):
    path = tmp_path / "run.fastrec"
    script = textwrap.dedent(
        f"""
        import fastrec as fr
        from fastrec.models import recurrent_memory
        recurrent_memory.PRODUCTS_A_BLOCK = 1

        class Tell(fr.Callback):
            log_every = 1
            blocks = 0

            def on_log(self, run, row):
                self.blocks += 1
                if self.blocks == 100:
                    print("go on", flush=True)

        fr.PlaylistRNN(**{ {**PARAMS, "epochs": 10_000}!r}).fit(
            {ROWS!r}, callbacks=[fr.Checkpoint({str(path)!r}, every=1, unit="events"), Tell()]
        )
        """
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"go on\n"
        child.send_signal(signal.SIGKILL)
    place = model_file.load(path).state["training"]["place"]
    assert place["epoch"] >= 0

    class Stop(fr.Callback):
        """Ends a few steps after the place of the kill, in both runs."""

        def on_epoch_end(self, run, row):
            if row["epoch"] == place["epoch"] + 2:
                run.stop("far enough")

    params = {**PARAMS, "epochs": 10_000}
    whole = fr.PlaylistRNN(**params).fit(ROWS, callbacks=[Stop()])
    content = model_file.load(path)
    content.state["training"]["callbacks"] = [["Stop", {}, []]]
    model_file.save(path, content.class_name, content.params, content.arrays, content.state)
    same(whole, fr.PlaylistRNN(**params).fit(ROWS, callbacks=[Stop()], resume=path))


def test_partial_fit_goes_on_too(tmp_path):
    path = tmp_path / "run.fastrec"
    more = [[100, 3, 4, 100], [5, 100, 6]] * 40
    whole = fr.PlaylistRNN(**PARAMS).fit(ROWS).partial_fit(more)
    model = fr.PlaylistRNN(**PARAMS).fit(ROWS)
    callbacks = [fr.Checkpoint(path, every=1, unit="events"), Cut(15)]
    with pytest.raises(RuntimeError, match="cut"):
        model.partial_fit(more, callbacks=callbacks)
    callbacks[1] = Cut(-1)
    same(whole, fr.PlaylistRNN(**PARAMS).fit(more, callbacks=callbacks, resume=path))


# What is refused


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "run.fastrec"
    fr.PlaylistRNN(**PARAMS).fit(ROWS, callbacks=[fr.Checkpoint(path)])
    return path


def test_another_run_is_refused(checkpoint, tmp_path):
    callbacks = [fr.Checkpoint(checkpoint)]
    with pytest.raises(fr.InputError, match=r"units is 17, but the run in .* has 16"):
        fr.PlaylistRNN(**{**PARAMS, "units": 17}).fit(ROWS, resume=checkpoint)
    with pytest.raises(fr.InputError, match="trains on another log"):
        fr.PlaylistRNN(**PARAMS).fit(ROWS[1:], resume=checkpoint, callbacks=callbacks)
    with pytest.raises(fr.InputError, match=r"had the callbacks \['Checkpoint'\], got \[\]"):
        fr.PlaylistRNN(**PARAMS).fit(ROWS, resume=checkpoint)
    start = fr.Item2Vec(dim=16, epochs=1, threads=1).fit(ROWS)
    with pytest.raises(fr.InputError, match="leave item_vectors out"):
        fr.PlaylistRNN(**PARAMS).fit(ROWS, resume=checkpoint, item_vectors=start)
    fr.PlaylistRNN(**PARAMS).fit(ROWS).save(tmp_path / "model")
    with pytest.raises(fr.InputError, match="no run of a PlaylistRNN to go on with"):
        fr.PlaylistRNN(**PARAMS).fit(ROWS, resume=tmp_path / "model")


def test_models_that_cannot_go_on_say_so(tmp_path):
    with pytest.raises(fr.InputError, match="Item2Vec cannot go on from a checkpoint"):
        fr.Item2Vec(epochs=1).fit(ROWS, callbacks=[fr.Checkpoint(tmp_path / "run")])


def test_a_folder_that_is_not_there_is_refused_before_training(tmp_path):
    with pytest.raises(fr.InputError, match="does not exist; create it"):
        fr.PlaylistRNN(**PARAMS).fit(ROWS, callbacks=[fr.Checkpoint(tmp_path / "no" / "run")])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "steps"}, "unit must be one of"),
        ({"every": 0}, "every must be a whole number of at least 1"),
        ({"every": -1, "unit": "seconds"}, "every must be a finite number of at least 0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(fr.InputError, match=message):
        fr.Checkpoint("run", **options)
