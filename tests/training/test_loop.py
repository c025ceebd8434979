"""The epoch loop: its history, its callbacks, and what ends it early."""

import math

import pytest

import fastrec as fr
from fastrec.errors import DivergedError, InputError
from fastrec.training import Callback, EarlyStopping, loop
from tests.training.fakes import Counter


class Diary(Callback):
    """Writes down what it is told."""

    def __init__(self):
        self.entries = []

    def on_fit_begin(self, run):
        self.entries.append("begin")

    def on_epoch_end(self, run, row):
        self.entries.append(row["epoch"])

    def on_fit_end(self, run):
        self.entries.append("end")


class StopAfter(Callback):
    def __init__(self, epoch, reason):
        self.epoch, self.reason = epoch, reason

    def on_epoch_end(self, run, row):
        if row["epoch"] == self.epoch:
            run.stop(self.reason)


def interrupt(*_):
    raise KeyboardInterrupt


def test_each_epoch_leaves_a_row():
    history = Counter([3.0, 2.0]).run().history
    assert history.column("epoch") == [1, 2]
    assert history.column("loss") == [3.0, 2.0]
    assert history.column("partial") == [False, False]
    assert all(row["seconds"] >= 0 and row["events_per_second"] > 0 for row in history)


def test_a_second_run_goes_on_counting():
    model = Counter([3.0, 2.0])
    model.run()
    assert model.run().history.column("epoch") == [1, 2, 3, 4]


def test_callbacks_hear_of_everything_in_order():
    diary = Diary()
    Counter([3.0, 2.0]).run([diary])
    assert diary.entries == ["begin", 1, 2, "end"]


def test_a_stop_ends_the_run_after_the_epoch_and_keeps_the_first_reason():
    diary = Diary()
    callbacks = [StopAfter(2, "first"), StopAfter(2, "second"), diary]
    run = Counter([3.0, 2.0, 1.0]).run(callbacks)
    assert run.stop_reason == "first"
    assert diary.entries == ["begin", 1, 2, "end"]


def test_an_error_ends_the_run_without_on_fit_end():
    class Broken(Callback):
        def on_epoch_end(self, run, row):
            raise RuntimeError("on purpose")

    diary = Diary()
    with pytest.raises(RuntimeError, match="on purpose"):
        Counter([3.0, 2.0]).run([diary, Broken()])
    assert diary.entries == ["begin", 1]


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_says_where_and_what_to_lower(loss):
    model = Counter([1.0, loss, 1.0])
    with pytest.raises(DivergedError, match=r"in epoch 2 after 10 events; lower learning_rate"):
        model.run()
    assert model.history.column("epoch") == [1]


def test_ctrl_c_in_an_epoch_leaves_a_partial_row():
    class Interrupted(Counter):
        def train(self, epoch, meter):
            super().train(epoch, meter)
            if epoch == 1:
                raise KeyboardInterrupt

    model, diary = Interrupted([3.0, 2.0, 1.0]), Diary()
    with pytest.raises(KeyboardInterrupt):
        model.run([diary])
    assert model.history.column("partial") == [False, True]
    assert model.history[-1]["loss"] == 2.0
    assert diary.entries == ["begin", 1]


def test_ctrl_c_in_the_validation_leaves_a_partial_row(monkeypatch):
    monkeypatch.setattr(loop, "_validate", interrupt)
    model = Counter([3.0, 2.0])
    with pytest.raises(KeyboardInterrupt):
        model.run(validation=object())
    assert model.history.column("partial") == [True]
    assert (model.history[-1]["loss"], model.state) == (3.0, 1)


def test_ctrl_c_before_the_first_report_leaves_a_row_without_a_loss():
    model = Counter([3.0])
    model.train = interrupt
    with pytest.raises(KeyboardInterrupt):
        model.run()
    assert math.isnan(model.history[-1]["loss"])
    assert model.history[-1]["events_per_second"] == 0


def test_validation_is_asked_for_the_metrics_of_the_callbacks(monkeypatch):
    asked = []

    def validate(run, queries):
        asked.append((run.metrics, queries))
        return {"recall@5": 0.5}

    monkeypatch.setattr(loop, "_validate", validate)
    run = Counter([1.0]).run([EarlyStopping("recall@5")], validation="queries")
    assert asked == [(("recall@5", *loop.DEFAULT_METRICS), "queries")]
    assert run.history[-1]["recall@5"] == 0.5


def test_a_metric_that_is_asked_for_twice_is_measured_once():
    callbacks = [EarlyStopping("recall@20"), EarlyStopping("recall@20")]
    model = Counter([1.0])
    run = loop.Run(model, 1, 1, model.history, callbacks=callbacks)
    assert sorted(run.metrics) == sorted(set(loop.DEFAULT_METRICS))


def test_a_callback_that_was_not_made_is_refused():
    with pytest.raises(InputError, match=r"callbacks must be .*; give an instance, with \(\)"):
        Counter([1.0]).run([EarlyStopping])


def test_what_is_no_callback_is_refused():
    with pytest.raises(InputError, match=r"must be a list of fastrec\.Callback, got 'loss'"):
        Counter([1.0]).run(["loss"])


def test_the_bar_shows_events_epoch_and_loss(capsys):
    Counter([3.0, 2.0]).run(progress=True)
    shown = capsys.readouterr().err
    assert "Counter: 100%" in shown
    assert "epoch 2, loss 2.0000" in shown


def test_without_progress_nothing_is_shown(capsys):
    Counter([3.0]).run()
    assert capsys.readouterr() == ("", "")


def test_a_callback_that_is_not_in_a_list_is_explained():
    with pytest.raises(fr.InputError, match="put a single one into"):
        fr.Popularity().fit([[1, 2]], callbacks=fr.EarlyStopping("loss"))
