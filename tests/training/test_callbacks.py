"""Early stopping, on a model whose state is the number of its epochs."""

import math

import pytest

from fastrec.errors import InputError
from fastrec.training import Callback, EarlyStopping, StopAt, loop
from tests.training.fakes import Counter


def stopped_on(losses, **options):
    """Return a model that was trained with early stopping on these losses."""
    model = Counter(losses)
    model.run([EarlyStopping("loss", **options)])
    return model


@pytest.fixture
def validated(monkeypatch):
    """Return a function that trains with early stopping on these values of a metric."""

    def train(values, metric="recall@20", **options):
        rest = iter(values)
        monkeypatch.setattr(loop, "_validate", lambda *_: {metric: next(rest)})
        model = Counter([1.0] * len(values))
        model.run([EarlyStopping(metric, **options)], validation=object())
        return model

    return train


@pytest.mark.parametrize("every", [0, -1, 2.5, "1"])
def test_a_callback_that_logs_after_no_whole_number_of_events_is_refused(every):
    class Watch(Callback):
        log_every = every

    with pytest.raises(InputError, match="log_every of Watch must be a whole number"):
        Counter([1.0]).run([Watch()])


def test_training_stops_when_the_loss_has_stopped_falling():
    model = stopped_on([5, 4, 3, 3, 3, 1], patience=2)
    assert model.history.column("epoch") == [1, 2, 3, 4, 5]


def test_the_best_state_is_put_back():
    assert stopped_on([5, 3, 4, 4, 4], patience=3).state == 2


def test_the_last_state_is_kept_where_asked():
    assert stopped_on([5, 3, 4, 4, 4], patience=3, restore_best=False).state == 5


def test_the_best_state_is_put_back_after_the_last_epoch_too():
    assert stopped_on([5, 3, 4], patience=9).state == 2


def test_a_last_epoch_that_is_best_needs_no_restoring():
    assert stopped_on([5, 4, 3], patience=1).state == 3


def test_small_improvements_do_not_count():
    model = stopped_on([5.0, 4.9, 4.8, 4.7], patience=2, min_delta=0.5)
    assert (len(model.history), model.state) == (3, 1)


def test_a_metric_is_better_when_higher(validated):
    model = validated([0.1, 0.3, 0.2, 0.2, 0.9], patience=2)
    assert (len(model.history), model.state) == (4, 2)


def test_a_metric_that_is_no_number_is_no_improvement(validated):
    model = validated([math.nan, 0.1, math.nan, math.nan, 0.9], metric="novelty@5", patience=2)
    assert (len(model.history), model.state) == (4, 2)


def test_the_reason_names_metric_and_epoch():
    model = Counter([1, 2, 2, 2])
    run = model.run([EarlyStopping("loss", patience=1)])
    assert run.stop_reason == "loss has not improved since epoch 1"


def test_a_second_run_is_judged_by_itself():
    model, callback = Counter([1.0, 1.0]), EarlyStopping("loss", patience=1)
    model.run([callback])
    model.losses = [9.0, 8.0, 7.0]
    model.run([callback])
    assert model.history.column("epoch") == [1, 2, 3, 4, 5]


def test_patience_counts_from_the_start_of_a_second_run():
    model = Counter([1.0] * 3)
    model.run()
    model.losses = [math.nan]
    model.train = lambda epoch, meter: None  # an epoch without a loss
    run = model.run([EarlyStopping("loss", patience=2)])
    assert run.stop_reason is None


def test_early_stopping_says_what_it_needs_before_any_epoch():
    model = Counter([1.0])
    with pytest.raises(InputError, match=r"EarlyStopping\('ndcg@5'\) needs fit\(.*validation="):
        model.run([EarlyStopping("ndcg@5")])
    assert model.state == 0


@pytest.mark.parametrize(
    ("metric", "message"),
    [("recal@20", "did you mean 'recall@20'"), ("recall", "needs the length"), (None, "a name")],
)
def test_a_metric_that_there_is_not_is_refused_at_once(metric, message):
    with pytest.raises(InputError, match=message):
        EarlyStopping(metric)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": 0}, "patience must be a whole number of at least 1"),
        ({"min_delta": -0.1}, "min_delta must be a finite number of at least 0"),
        ({"restore_best": 1}, "restore_best must be True or False"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        EarlyStopping("loss", **options)


def test_a_callback_does_nothing_by_itself():
    assert len(Counter([3, 2, 1]).run([Callback()]).history) == 3


class _Failing(Callback):
    """Raises what it is given: at the beginning, or after the first epoch."""

    def __init__(self, error, at_begin=False):
        self.error, self.at_begin = error, at_begin

    def on_fit_begin(self, run):
        if self.at_begin:
            raise self.error

    def on_epoch_end(self, run, row):
        raise self.error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("mine")])
def test_a_run_that_is_cut_short_keeps_no_copy_of_the_parameters(error):
    callback = EarlyStopping("loss")
    with pytest.raises(type(error)):
        Counter([1.0, 1.0]).run([callback, _Failing(error)])
    assert callback._best_state is None


def test_a_run_that_ends_well_keeps_no_copy_of_the_parameters():
    callback = EarlyStopping("loss", patience=1)
    Counter([1.0, 2.0, 3.0]).run([callback])
    assert callback._best_state is None


@pytest.mark.parametrize("at_begin", [True, False])
def test_every_callback_is_told_when_a_run_is_over_however_it_ended(at_begin):
    told = []

    class Watching(Callback):
        def on_fit_exit(self, run):
            told.append(run.epochs)

    with pytest.raises(ValueError, match="mine"):
        Counter([1.0]).run([Watching(), _Failing(ValueError("mine"), at_begin), Watching()])
    assert told == [1, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs loss=, seconds= or both"),
        ({"seconds": 0}, "seconds must be above 0"),
        ({"seconds": -1}, "seconds must be a finite number of at least 0"),
        ({"loss": "low"}, "loss must be a number"),
    ],
)
def test_stop_at_refuses_what_is_no_condition(options, message):
    with pytest.raises(InputError, match=message):
        StopAt(**options)


def test_stop_at_ends_after_the_first_epoch_that_is_good_enough():
    model = Counter([3.0, 2.0, 1.9, 1.0])
    run = model.run([StopAt(loss=2.0)])
    assert model.state == 2
    assert run.stop_reason == "the loss has reached 2.0"


def test_stop_at_ends_after_some_seconds():
    model = Counter([3.0] * 1000)
    run = model.run([StopAt(seconds=1e-9)])
    assert model.state == 1
    assert "seconds have passed" in run.stop_reason
