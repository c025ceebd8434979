"""What may watch and stop a training run."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastrec.errors import InputError
from fastrec.runtime import checks

if TYPE_CHECKING:
    from fastrec.training.loop import Run


class Callback:
    """Base of the callbacks; override what you need.

    The methods are called from the thread that called ``fit``. ``run.model`` is
    usable in each of them (recommend, evaluate, save), ``run.history`` holds the
    epochs so far, ``run.stop(reason)`` ends the training after this epoch. An
    exception ends the training and reaches the caller of ``fit``.
    """

    metrics: tuple[str, ...] = ()
    """Validation metrics that this callback reads from the history."""

    log_every: int | None = None
    """Events between two calls of :meth:`on_log`, from the beginning of each epoch; None: never."""

    def on_fit_begin(self, run: Run) -> None:
        """Called before the first epoch."""

    def on_log(self, run: Run, row: dict[str, Any]) -> None:
        """Called within an epoch, at the first stop after each ``log_every`` events.

        ``row`` holds ``epoch``, the ``events`` of it that are done, the mean ``loss`` since the
        last call, the ``seconds`` of the epoch, the ``learning_rate`` and, where the model
        trains in steps, how many of these ``steps`` it has made in this epoch.
        ``run.stop(reason, now=True)`` ends the training here.
        """

    def on_epoch_end(self, run: Run, row: dict[str, Any]) -> None:
        """Called after each epoch with its row of the history."""

    def on_fit_end(self, run: Run) -> None:
        """Called after the last epoch, whatever ended the training but an exception."""

    def on_fit_exit(self, run: Run) -> None:
        """Called last of all, after an exception too: let go of what was kept for this run."""

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what a checkpoint keeps of this callback: values for JSON, and arrays."""
        return {}, {}

    def _restore(self, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Take what ``_state`` has returned in another process; ``on_fit_begin`` came before."""


class EarlyStopping(Callback):
    """Stop when a metric has not improved for some epochs, and restore the best state.

    Keeping the best state costs one more copy of the model's parameters.

    Parameters
    ----------
    metric : str
        ``"loss"`` (training loss, lower is better) or a validation metric such as
        ``"recall@20"`` (higher is better), for which ``fit`` needs ``validation=``.
    patience : int
        Epochs without an improvement before the training stops, at least 1.
    min_delta : float
        What counts as an improvement, in the metric's own units.
    restore_best : bool
        Put the state of the best epoch back at the end. False saves the copy.

    Raises
    ------
    InputError
        An option out of range, or a metric that there is not; at ``fit``, no validation
        set to measure it on.

    Notes
    -----
    An epoch whose metric is NaN is no improvement. After Ctrl-C or an error the state is
    the one reached, not the best one.

    Examples
    --------
    >>> from fastrec import EarlyStopping
    >>> EarlyStopping("recall@20", patience=2).metrics
    ('recall@20',)
    """

    def __init__(
        self,
        metric: str = "recall@20",
        *,
        patience: int = 2,
        min_delta: float = 0.0,
        restore_best: bool = True,
    ) -> None:
        self.metric = metric
        self.patience = checks.whole_number("patience", patience)
        self.min_delta = checks.real_number("min_delta", min_delta, minimum=0)
        self.restore_best = checks.flag("restore_best", restore_best)
        self.metrics = () if isinstance(metric, str) and metric == "loss" else (_name_of(metric),)

    def on_fit_begin(self, run: Run) -> None:
        """Forget an earlier run."""
        if self.metrics and run.validation is None:
            raise InputError(
                f"EarlyStopping({self.metric!r}) needs fit(..., validation=queries); "
                "without a validation set use EarlyStopping('loss')"
            )
        self._best: float | None = None
        self._best_epoch = run.history[-1]["epoch"] if run.history else 0
        self._best_state: Any = None

    def on_epoch_end(self, run: Run, row: dict[str, Any]) -> None:
        """Compare the epoch with the best one so far."""
        value = -row["loss"] if self.metric == "loss" else row[self.metric]
        is_better = self._best is None or value > self._best + self.min_delta
        if is_better and not math.isnan(value):
            self._best, self._best_epoch = value, row["epoch"]
            if self.restore_best:
                self._best_state = run.model._copy_state()
        elif row["epoch"] - self._best_epoch >= self.patience:
            run.stop(f"{self.metric} has not improved since epoch {self._best_epoch}")

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"best": self._best, "best_epoch": self._best_epoch}, dict(self._best_state or {})

    def _restore(self, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        self._best, self._best_epoch = state["best"], state["best_epoch"]
        self._best_state = dict(arrays) or None

    def on_fit_end(self, run: Run) -> None:
        """Put the best state back."""
        if self._best_state is not None and run.history[-1]["epoch"] != self._best_epoch:
            run.model._restore_state(self._best_state)

    def on_fit_exit(self, run: Run) -> None:
        """Free the copy of the best state."""
        self._best_state = None


class StopAt(Callback):
    """Stop when a loss is reached, or when some seconds have passed.

    Parameters
    ----------
    loss : float or None
        Stop after the first epoch whose training loss is at most this.
    seconds : float or None
        Stop that long after the fit has begun, within an epoch, whose row of the history
        is then marked as partial. A step that has begun is ended first.

    Raises
    ------
    InputError
        Neither is given, or one that is no number above 0.

    Examples
    --------
    >>> from fastrec import StopAt
    >>> StopAt(seconds=60).seconds
    60
    """

    def __init__(self, *, loss: float | None = None, seconds: float | None = None) -> None:
        if loss is None and seconds is None:
            raise InputError("StopAt needs loss=, seconds= or both")
        if loss is not None:
            checks.real_number("loss", loss)
        if seconds is not None and checks.real_number("seconds", seconds, minimum=0) == 0:
            raise InputError("seconds must be above 0, got 0")
        self.loss, self.seconds = loss, seconds
        self.log_every = None if seconds is None else 1

    def on_fit_begin(self, run: Run) -> None:
        """Start the clock."""
        self._begin = time.perf_counter()

    def on_log(self, run: Run, row: dict[str, Any]) -> None:
        """Look at the clock."""
        self._look(run)

    def on_epoch_end(self, run: Run, row: dict[str, Any]) -> None:
        """Look at the loss, and at the clock."""
        if self.loss is not None and row["loss"] <= self.loss:
            run.stop(f"the loss has reached {self.loss}")
        self._look(run)

    def _look(self, run: Run) -> None:
        if self.seconds is not None and time.perf_counter() - self._begin >= self.seconds:
            run.stop(f"{self.seconds} seconds have passed", now=True)


class Checkpoint(Callback):
    """Save a training run now and then, so that it can be gone on with after a crash.

    The file is a model file: ``fastrec.load`` opens the model as it was. It also holds the
    optimizer's state, the sessions under way, the place in the epoch and what callbacks
    such as :class:`EarlyStopping` remember (name them before this one); ``fit(log, resume=path)``
    goes on from there with the same bits as a run that was never interrupted.

    Parameters
    ----------
    path : str or path-like
        The file, replaced each time when the new one is whole.
    every : number
        How many of ``unit`` lie between two savings.
    unit : {"epochs", "events", "seconds"}
        Events and seconds are looked at between calls of compiled code, which take about a
        tenth of a second.

    Raises
    ------
    InputError
        An option out of range; at ``fit``, a model that cannot be resumed, or a path whose
        folder does not exist.

    Examples
    --------
    >>> from fastrec import Checkpoint
    >>> Checkpoint("run.fastrec", every=5, unit="epochs").every
    5
    """

    def __init__(
        self, path: str | os.PathLike[str], *, every: float = 1, unit: str = "epochs"
    ) -> None:
        self.path = checks.file_path(path)
        self.unit = checks.one_of("unit", unit, ("epochs", "events", "seconds"))
        if unit == "seconds":
            self.every = checks.real_number("every", every, minimum=0)
        else:
            self.every = checks.whole_number("every", every)
        self.log_every = {"epochs": None, "events": int(self.every), "seconds": 1}[unit]

    def on_fit_begin(self, run: Run) -> None:
        """Refuse what could not be saved, before anything is trained."""
        if not hasattr(run.model, "_save_checkpoint"):
            raise InputError(
                f"{type(run.model).__name__} cannot go on from a checkpoint; "
                "save it in a callback's on_epoch_end, with run.model.save(path)"
            )
        folder = os.path.dirname(os.path.abspath(self.path))
        if not os.path.isdir(folder):
            raise InputError(f"the folder {folder!r} of the checkpoint does not exist; create it")
        self._epochs = 0
        self._saved = time.perf_counter()

    def on_log(self, run: Run, row: dict[str, Any]) -> None:
        """Save where events or seconds have come together."""
        if self.unit == "events" or time.perf_counter() - self._saved >= self.every:
            self._save(run)

    def on_epoch_end(self, run: Run, row: dict[str, Any]) -> None:
        """Save where epochs have come together."""
        self._epochs += 1
        if self.unit == "epochs" and self._epochs % self.every == 0:
            self._save(run)

    def _save(self, run: Run) -> None:
        run.model._save_checkpoint(self.path, run)
        self._saved = time.perf_counter()


def _name_of(metric: Any) -> str:
    """Return the metric's name, or say what is wrong with it before any epoch is trained."""
    from fastrec.evaluation import parse_metrics

    return str(parse_metrics([metric])[0])
