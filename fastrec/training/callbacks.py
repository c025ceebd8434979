"""What may watch and stop a training run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

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

    def on_fit_begin(self, run: Run) -> None:
        """Called before the first epoch."""

    def on_epoch_end(self, run: Run, row: dict[str, Any]) -> None:
        """Called after each epoch with its row of the history."""

    def on_fit_end(self, run: Run) -> None:
        """Called after the last epoch, whatever ended the training but an exception."""

    def on_fit_exit(self, run: Run) -> None:
        """Called last of all, after an exception too: let go of what was kept for this run."""


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

    def on_fit_end(self, run: Run) -> None:
        """Put the best state back."""
        if self._best_state is not None and run.history[-1]["epoch"] != self._best_epoch:
            run.model._restore_state(self._best_state)

    def on_fit_exit(self, run: Run) -> None:
        """Free the copy of the best state."""
        self._best_state = None


def _name_of(metric: Any) -> str:
    """Return the metric's name, or say what is wrong with it before any epoch is trained."""
    from fastrec.evaluation import parse_metrics

    return str(parse_metrics([metric])[0])
