"""The epoch loop of every ``fit``: history, validation, callbacks, progress, interruption."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastrec.errors import DivergedError, InputError
from fastrec.runtime import checks
from fastrec.training.callbacks import Callback
from fastrec.training.history import History

if TYPE_CHECKING:
    from fastrec.data.queries import Queries

PROGRESS_SECONDS = 0.1
DEFAULT_METRICS = ("recall@20", "mrr@20", "ndcg@20")


@dataclass
class Run:
    """A training run under way, as callbacks see it.

    Attributes
    ----------
    model : Model
        The model that is trained.
    epochs : int
        Epochs that were asked for.
    events : int
        Events of one epoch: what the progress bar and ``events_per_second`` count.
    history : History
        The model's history; a run appends to it.
    validation : Queries or None
        What is evaluated after each epoch, in any model's ids.
    done_epochs : int
        Epochs of this run that an earlier process has trained, see :class:`Checkpoint`.
    callback_states : list
        What that process's callbacks have left, as :meth:`Callback._state` returns it.
    stop_reason : str or None
        Why the run ends before its last epoch.
    stops_now : bool
        Whether it ends within the epoch at hand.
    """

    model: Any
    epochs: int
    events: int
    history: History
    validation: Queries | None = None
    callbacks: Sequence[Callback] = ()
    progress: bool = False
    threads: int | None = None
    done_epochs: int = 0
    callback_states: Sequence[Any] = ()
    stop_reason: str | None = None
    stops_now: bool = False
    metrics: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        what = "a list of fastrec.Callback (put a single one into [ ])"
        self.callbacks = checks.listed("callbacks", self.callbacks, what)
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                hint = "; give an instance, with ()" if isinstance(callback, type) else ""
                raise InputError(
                    f"callbacks must be a list of fastrec.Callback, got {callback!r}{hint}"
                )
            if callback.log_every is not None:
                name = f"log_every of {type(callback).__name__}"
                checks.whole_number(name, callback.log_every)
        asked = [name for callback in self.callbacks for name in _metrics_of(callback)]
        self.metrics = tuple(dict.fromkeys([*asked, *DEFAULT_METRICS]))

    def stop(self, reason: str, *, now: bool = False) -> None:
        """End the training after the epoch at hand, or within it; the first reason is kept."""
        self.stop_reason = self.stop_reason or reason
        self.stops_now = self.stops_now or now


def _metrics_of(callback: Callback) -> list[str]:
    name = f"metrics of {type(callback).__name__}"
    names = checks.listed(name, callback.metrics, "names of metrics such as ('recall@20',)")
    return [checks.text(f"each of the {name}", metric) for metric in names]


@dataclass
class _Report:
    """When a callback wants to hear of an epoch next, and what it has heard of."""

    callback: Callback
    every: int
    next: int
    loss_sum: float = 0.0
    weight: float = 0.0


class Meter:
    """What an epoch has done so far; the thread that called ``fit`` feeds it.

    Attributes
    ----------
    events : int
        Events done.
    loss : float
        Their mean loss.
    loss_sum, weight : float
        Their summed loss and weight.
    details : dict
        What the epoch's row of the history holds besides.
    is_cut : bool
        Whether a callback has asked to end now, within the epoch.
    """

    def __init__(self, run: Run, epoch: int, bar: Any) -> None:
        self._run, self._epoch, self._bar = run, epoch, bar
        self._shown = 0
        self._next_look = 0.0
        self._begin = time.perf_counter()
        self._reports = [
            _Report(callback, callback.log_every, callback.log_every)
            for callback in run.callbacks
            if callback.log_every is not None
        ]
        self.events = 0
        self.loss = math.nan
        self.loss_sum, self.weight = 0.0, 0.0
        self.details: dict[str, Any] = {}
        self.is_cut = False

    @property
    def seconds(self) -> float:
        """Seconds since the epoch has begun."""
        return time.perf_counter() - self._begin

    def go_on(self, events: int, loss_sum: float, weight: float, seconds: float) -> None:
        """Take what an earlier process has done of this epoch."""
        self.events, self.loss_sum, self.weight = events, loss_sum, weight
        self.loss = loss_sum / weight if weight else math.nan
        self._begin -= seconds
        for report in self._reports:
            report.next = (events // report.every + 1) * report.every
            report.loss_sum, report.weight = loss_sum, weight

    def update(self, events: int, loss_sum: float, weight: float, fix: str) -> None:
        """Take the totals of this epoch so far.

        Parameters
        ----------
        events : int
            Events done in this epoch.
        loss_sum, weight : float
            Their summed loss and the weight of their examples.
        fix : str
            What the user may lower when the loss is no number, for the error.

        Raises
        ------
        DivergedError
            The loss is NaN or infinite.
        """
        self.events = events
        if not math.isfinite(loss_sum):
            raise DivergedError(
                f"the loss became {loss_sum} in epoch {self._epoch} after {events} events; "
                f"lower {fix} and fit again"
            )
        self.loss_sum, self.weight = loss_sum, weight
        self.loss = loss_sum / weight if weight else math.nan
        if self._bar is None:
            return
        now = time.perf_counter()
        if now >= self._next_look or events == self._run.events:
            self._next_look = now + PROGRESS_SECONDS
            self._bar.set_postfix_str(f"epoch {self._epoch}, loss {self.loss:.4f}", refresh=False)
            self._bar.update(events - self._shown)
            self._shown = events

    def log(self, **details: Any) -> None:
        """Tell the callbacks whose time has come how far the epoch is.

        Parameters
        ----------
        **details
            What their row holds besides ``epoch``, ``events``, ``loss`` and ``seconds``.
        """
        for report in self._reports:
            if self.events < report.next:
                continue
            weight = self.weight - report.weight
            row = {
                "epoch": self._epoch,
                "events": self.events,
                "loss": (self.loss_sum - report.loss_sum) / weight if weight else math.nan,
                "seconds": self.seconds,
                **details,
            }
            report.next = (self.events // report.every + 1) * report.every
            report.loss_sum, report.weight = self.loss_sum, self.weight
            self._run.model._forget_answers()
            report.callback.on_log(self._run, row)
        self.is_cut = self._run.stops_now


def run_epochs(run: Run, train_epoch: Callable[[int, Meter], None]) -> None:
    """Train epoch after epoch; a row of the history after each.

    Parameters
    ----------
    run : Run
        What is trained, watched and recorded.
    train_epoch : callable of (epoch, meter)
        Trains epoch ``epoch`` (from 0) and keeps ``meter`` up to date.

    Raises
    ------
    DivergedError
        From the meter.
    KeyboardInterrupt
        Ctrl-C: raised again once the history has the epoch's row, marked as
        partial, and the model is usable in the state that it has reached.
    """
    try:
        _run_epochs(run, train_epoch)
    finally:
        for callback in run.callbacks:
            callback.on_fit_exit(run)


def _run_epochs(run: Run, train_epoch: Callable[[int, Meter], None]) -> None:
    """Train epoch after epoch, with the callbacks around them."""
    first = (run.history[-1]["epoch"] if run.history else 0) - run.done_epochs
    for callback in run.callbacks:
        callback.on_fit_begin(run)
    for callback, state in zip(run.callbacks, run.callback_states, strict=False):
        callback._restore(*state)
    bar = _progress_bar(run) if run.progress else None
    try:
        for epoch in range(run.done_epochs, run.epochs):
            meter = Meter(run, first + epoch + 1, bar)
            try:
                train_epoch(epoch, meter)
                row = _row(first + epoch + 1, meter, partial=meter.is_cut)
                if run.validation is not None:
                    row.update(_validate(run, run.validation))
            except KeyboardInterrupt:
                run.history.append(_row(first + epoch + 1, meter, partial=True))
                raise
            run.history.append(row)
            for callback in run.callbacks:
                callback.on_epoch_end(run, row)
            if run.stop_reason:
                break
    finally:
        if bar is not None:
            bar.close()
    for callback in run.callbacks:
        callback.on_fit_end(run)


def _row(epoch: int, meter: Meter, *, partial: bool) -> dict[str, Any]:
    seconds = meter.seconds
    return {
        "epoch": epoch,
        "loss": meter.loss,
        "seconds": seconds,
        "events_per_second": meter.events / max(seconds, 1e-9),
        "partial": partial,
        **meter.details,
    }


def _validate(run: Run, queries: Queries) -> dict[str, float]:
    from fastrec.evaluation import evaluate

    return dict(evaluate(run.model, queries, run.metrics, threads=run.threads))


def _progress_bar(run: Run) -> Any:
    from tqdm.auto import tqdm

    name = type(run.model).__name__
    return tqdm(total=run.epochs * run.events, desc=name, unit="events", unit_scale=True)
