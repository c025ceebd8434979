"""Checkpoints of training runs: what they hold beside the model, and how a run goes on from one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastrec.data import Interactions
from fastrec.errors import InputError
from fastrec.native.checksum import Checksum
from fastrec.nn.ensemble import name_of
from fastrec.storage import model_file
from fastrec.storage.model_file import ModelFile
from fastrec.training.loop import Run
from fastrec.training.rnn import Place, RnnEpochs

TRAINING = "training"


@dataclass
class Training:
    """A run under way: what a checkpoint needs to see.

    Attributes
    ----------
    trainers : list of fastrec.native.<level>.rnn.Trainer
        One for each net.
    slots : list of dict of str to ndarray
        Of each net the optimizer's state beside each array of parameters.
    epochs : RnnEpochs
    log : Interactions
    """

    trainers: list[Any]
    slots: list[dict[str, np.ndarray]]
    epochs: RnnEpochs
    log: Interactions
    fingerprint: str | None = None

    def written(
        self, arrays: dict[str, np.ndarray], state: dict[str, Any], run: Run
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return the arrays and the state of a model's file, with those of the run beside them."""
        if self.fingerprint is None:
            self.fingerprint = fingerprint(self.log)
        own = self._arrays()
        callbacks = []
        for number, callback in enumerate(run.callbacks):
            values, kept = callback._state()
            own |= {_name(number, key): array for key, array in kept.items()}
            callbacks.append([type(callback).__name__, values, list(kept)])
        training = {
            "place": self.epochs.place.to_dict(),
            "steps_done": int(self.trainers[0].steps_done),
            "log": self.fingerprint,
            "callbacks": callbacks,
        }
        named = {f"{TRAINING}.{name}": array for name, array in own.items()}
        return arrays | named, state | {TRAINING: training}

    def restore(self, saved: ModelFile) -> None:
        """Take the optimizer's state and the sessions under way from a checkpoint."""
        for name, array in self._arrays().items():
            array[...] = saved.arrays[f"{TRAINING}.{name}"]
        for trainer in self.trainers:
            trainer.steps_done = saved.state[TRAINING]["steps_done"]

    def _arrays(self) -> dict[str, np.ndarray]:
        """Return what is written and taken back, by name; not copied."""
        return {
            name_of(member, name): array
            for member, (trainer, slots) in enumerate(zip(self.trainers, self.slots, strict=True))
            for name, array in {**slots, "lane_states": trainer.lane_states}.items()
        }


def fingerprint(log: Interactions) -> str:
    """Return a checksum of what a recurrent net reads of a log."""
    checksum = Checksum()
    columns = [log.item, log.history_offsets, log.value, log.user, log.time]
    columns += [log.context[name] for name in sorted(log.context)]
    columns += log.item_ids.to_arrays("items").values()
    for column in columns:
        if column is not None:
            checksum.update(np.ascontiguousarray(column).reshape(-1).view(np.uint8))
    digest: str = checksum.hexdigest()
    return digest


def checkpoint(
    path: str | os.PathLike[str], name: str, params: Mapping[str, Any], log: Interactions
) -> ModelFile:
    """Read a checkpoint of class ``name`` with these parameters on this log.

    Raises
    ------
    InputError
        A file without a run to go on with, of other parameters or another log.
    FormatError
        No model file, or a damaged one.
    """
    saved = model_file.load(path)
    shown = repr(os.fspath(path))
    if saved.class_name != name or TRAINING not in saved.state:
        raise InputError(
            f"{shown} holds a {saved.class_name} but no run of a {name} to go on with; "
            "fastrec.Checkpoint writes such files"
        )
    mine = json.loads(json.dumps(dict(params), default=float))
    for key, value in mine.items():
        if key != "threads" and saved.params.get(key) != value:
            raise InputError(
                f"{key} is {value!r}, but the run in {shown} has {saved.params.get(key)!r}; "
                "set it so, or fit without resume="
            )
    if saved.state[TRAINING]["log"] != fingerprint(log):
        raise InputError(
            f"the run in {shown} trains on another log; give that one, or fit without resume="
        )
    return saved


def place_in(saved: ModelFile) -> Place:
    """Return how far the run of a checkpoint was."""
    return Place(**saved.state[TRAINING]["place"])


def prepare_run(run: Run, saved: ModelFile) -> None:
    """Let a run begin where that of a checkpoint was, and its callbacks with what they knew.

    Raises
    ------
    InputError
        The run has other callbacks.
    """
    callbacks = saved.state[TRAINING]["callbacks"]
    names = [type(callback).__name__ for callback in run.callbacks]
    known = [name for name, _, _ in callbacks]
    if names != known:
        raise InputError(
            f"the run had the callbacks {known}, got {names}; give the same in the same order"
        )
    run.done_epochs = place_in(saved).epoch
    run.callback_states = [
        (values, {key: saved.arrays[f"{TRAINING}.{_name(number, key)}"] for key in keys})
        for number, (_, values, keys) in enumerate(callbacks)
    ]


def _name(callback: int, key: str) -> str:
    """Return the name of an array that a callback has left."""
    return f"callback{callback}.{key}"
