"""The epochs of recurrent nets: a plan of steps, a team that runs them, a place to go on from.

Every block of steps is one call of each net's compiled trainer by all threads of the team.
Between two blocks the thread that called ``fit`` looks at the loss, tells the
callbacks and prepares the next block; nothing is being written then, so that a
checkpoint is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np

from fastrec.errors import DivergedError, InputError
from fastrec.nn.ensemble import seed_of
from fastrec.runtime.random import generator, stream_key
from fastrec.runtime.threads import Team
from fastrec.training.batches import Block, Limits, Sessions, lane_blocks, session_blocks
from fastrec.training.loop import Meter
from fastrec.training.schedule import Schedule

BATCHINGS = {"sessions": session_blocks, "lanes": lane_blocks}
ORDERS = ("random", "time")

FeaturesAt = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Returns the feature rows of some places of the log and what they are multiplied with."""


@dataclass
class Place:
    """How far a run is: what a checkpoint keeps beside the arrays.

    Attributes
    ----------
    epoch : int
        Epochs of this run that are done.
    block : int
        Blocks of the next one that are done.
    events : int
        Events in these.
    losses : list of float
        Of each net, the summed loss of these events; empty before the first.
    weight : float
        Their summed weight.
    seconds : float
        What these have taken.
    """

    epoch: int = 0
    block: int = 0
    events: int = 0
    losses: list[float] = field(default_factory=list)
    weight: float = 0.0
    seconds: float = 0.0

    @property
    def loss(self) -> float:
        """The mean of the nets' losses."""
        return sum(self.losses) / max(len(self.losses), 1)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)


@dataclass(frozen=True)
class Draws:
    """What the random draws of a run come from.

    Attributes
    ----------
    seed : int
    past_epochs : int
        Epochs before this run, so that training on does not repeat the draws of the first.
    """

    seed: int
    past_epochs: int

    def order(self, epoch: int) -> np.random.Generator:
        """Return the generator that orders the sessions of an epoch."""
        return generator(self.seed, "rnn", "order", self.past_epochs + epoch)

    def key(self, epoch: int, member: int) -> int:
        """Return the key of the stream that an epoch's steps of a net draw from."""
        return stream_key(seed_of(self.seed, member), "rnn", "steps", self.past_epochs + epoch)


class RnnEpochs:
    """Runs compiled ``Trainer``s over the sessions of a log, epoch by epoch, block by block.

    Parameters
    ----------
    trainers : sequence of fastrec.native.<level>.rnn.Trainer
        What is read and written, one for each net of an ensemble.
    sessions : Sessions
        What is trained on.
    batching : str
        A key of ``BATCHINGS``.
    order : str
        One of ``ORDERS``.
    limits : Limits
        What steps and blocks may hold.
    schedule : Schedule
    draws : Draws
    team : Team
        The threads of the fit, which run one trainer after the other.
    features_at : callable or None
        The features of each event.
    place : Place or None
        Where an earlier process was when it wrote the arrays that the trainers go on with.

    Attributes
    ----------
    place : Place
        How far this run is.
    skipped : int
        Sessions with nothing to predict.
    events : int
        Events of an epoch.
    """

    def __init__(
        self,
        trainers: Sequence[Any],
        sessions: Sessions,
        batching: str,
        order: str,
        limits: Limits,
        schedule: Schedule,
        draws: Draws,
        team: Team,
        *,
        features_at: FeaturesAt | None = None,
        place: Place | None = None,
    ) -> None:
        self._trainers, self._sessions, self._team = trainers, sessions, team
        self._plan, self._limits = BATCHINGS[batching], limits
        self._moments = sessions.last_moments if order == "time" else None
        self._schedule, self._draws, self._features_at = schedule, draws, features_at
        self.place = place or Place()
        self._targets = sessions.targets
        is_used = self._targets > 0
        self.skipped = len(is_used) - int(is_used.sum())
        self.events = int(self._targets[is_used].sum())
        if self.events == 0:
            raise InputError(
                f"there is nothing to learn from: none of the {len(is_used)} sessions has two "
                "items that min_count keeps; give longer sessions, or lower min_count"
            )

    def train(self, epoch: int, meter: Meter) -> None:
        """Train the epoch at the place at hand and keep the meter up to date.

        Raises
        ------
        DivergedError
            The loss became NaN or infinite.
        InputError
            No event has any weight.
        """
        place = self.place
        meter.details["skipped_sessions"] = self.skipped
        meter.go_on(place.events, place.loss, place.weight, place.seconds)
        for member, trainer in enumerate(self._trainers):
            loss = place.losses[member] if place.losses else 0.0
            trainer.totals = loss, place.weight
        try:
            for number, block in enumerate(
                self._plan(self._targets, self._limits, self._draws.order(epoch), self._moments)
            ):
                if number < place.block:
                    continue
                rate = self._schedule.at(epoch + place.events / self.events)
                self._train_block(block, epoch, rate)
                place.block, place.events = number + 1, place.events + block.events
                self._look(meter)
                steps = block.first_step + block.steps
                meter.log(learning_rate=rate, steps=steps)
                if meter.is_cut:
                    break
        except KeyboardInterrupt:
            with suppress(DivergedError):  # what ended the run is what the caller should see
                self._look(meter)
            raise
        if place.weight == 0:
            raise InputError(
                "there is nothing to learn from: value gives every event that follows another "
                "the weight 0; raise it, or leave value out"
            )
        self.place = Place(epoch + 1)

    def _look(self, meter: Meter) -> None:
        """Take the trainers' totals."""
        place = self.place
        place.losses = [trainer.totals[0] for trainer in self._trainers]
        place.weight = self._trainers[0].totals[1]  # the same for all
        place.seconds = meter.seconds
        meter.update(place.events, place.loss, place.weight, "learning_rate")

    def _train_block(self, block: Block, epoch: int, rate: float) -> None:
        places = self._sessions.places_of(block)
        value = self._sessions.log.value
        ids, values = self._features_at(places.values) if self._features_at else (None, None)
        rows = (
            self._sessions.items_at(places.values),
            places.offsets[:-1],
            block.length,
            block.slot,
            block.fresh.view(np.uint8),
            block.step_rows,
            block.first_step,
        )
        weights = None if value is None else np.ascontiguousarray(value[places.values], np.float32)
        for member, trainer in enumerate(self._trainers):
            key = self._draws.key(epoch, member)
            run = partial(_run, trainer, (*rows, key, rate, weights, ids, values))
            self._team.run(run, trainer.abort)


def _run(trainer: Any, arguments: tuple[Any, ...], rank: int) -> None:
    trainer.run(rank, *arguments)
