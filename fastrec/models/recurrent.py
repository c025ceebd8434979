"""What a recurrent recommender keeps and how it is trained: its nets, checkpoints, files."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrec.data import IdMap, Interactions, Ragged
from fastrec.errors import DivergedError, InputError
from fastrec.models.bonuses import Bonuses
from fastrec.models.catalogue import Catalogue
from fastrec.models.features import FeatureRows
from fastrec.models.neighbours import DistinctItems, check_values
from fastrec.models.pair_counts import PairCounts, most_pairs
from fastrec.models.recurrent_params import RecurrentParams
from fastrec.models.resuming import Training, place_in, prepare_run
from fastrec.models.vector_model import VectorRecommender
from fastrec.nn.ensemble import Ensemble
from fastrec.nn.network import Architecture, RecurrentNetwork
from fastrec.nn.optimizers import Optimizer
from fastrec.runtime import isa
from fastrec.runtime.arrays import FLOATS_PER_LINE, aligned_empty, aligned_zeros, stride_of
from fastrec.runtime.threads import Team, available_cpus, resolve_threads
from fastrec.storage import model_file
from fastrec.training.batches import PRODUCTS_A_BLOCK, Limits, Sessions
from fastrec.training.loop import Meter, Run, run_epochs
from fastrec.training.negatives import noise_table
from fastrec.training.rnn import Draws, RnnEpochs
from fastrec.training.schedule import Schedule

# What a step's events may take beside the parameters; the promise is 300 MB of work in all.
STEP_BYTES = 224 << 20
LARGEST_WEIGHT = 1e4  # of a layer: with one, all gates are saturated, and no state means anything
WORK_OF_ITEM = 24  # bytes: noise table, logarithms, maps
WORK_OF_SESSION = 24  # bytes: what there is to predict, the order of an epoch


def slots_a_number(optimizer: Optimizer) -> int:
    """Return how many floats of state a single weight has.

    Row-wise Adagrad means the rows of items; layers have the state of plain Adagrad.
    """
    whole = optimizer.slots(FLOATS_PER_LINE) // FLOATS_PER_LINE
    return max(whole, 1) if optimizer.slots(1) else 0


class RecurrentModel(RecurrentParams, VectorRecommender):
    """The nets of a recommender, trained in steps; a subclass has the parameters."""

    _network: Ensemble
    _features: FeatureRows | None = None
    _pairs: PairCounts | None = None  # of items, where there is a neighbour_bonus
    _fitted_features: dict[str, list[str]]
    _training: Training | None = None

    def _is_fitted(self) -> bool:
        return hasattr(self, "_network")

    # Beginning

    def _begin(self, log: Interactions) -> None:
        catalogue = Catalogue.of(log, self.min_count)
        self._features, self._fitted_features = self._features_of(log), self._feature_names()
        self._network = Ensemble.new(
            self._architecture(),
            self.members,
            len(catalogue.item_ids),
            self._feature_rows(),
            self.seed,
        )
        self._pairs = None
        if self.neighbour_bonus:
            self._pairs = self._counted(PairCounts.empty(len(catalogue.item_ids)), log, catalogue)
        self._take(catalogue)

    def _extend(self, log: Interactions) -> None:
        """Take new items, categories and users into copies of the parameters."""
        asked = self._architecture().to_dict() | self._feature_names()
        asked["members"] = self.members
        fitted = self._network.architecture.to_dict() | self._fitted_features
        fitted["members"] = len(self._network.members)
        for name, value in asked.items():
            if value != fitted[name]:
                raise InputError(
                    f"{name} is {value!r}, but this model was fitted with {fitted[name]!r}, which "
                    "its weights are made for; set it back, or fit anew"
                )
        catalogue = Catalogue(self.item_ids, self.item_counts).extended(log, self.min_count)
        self._features = self._features_of(log, self._features)
        self._network = self._network.extended(
            len(catalogue.item_ids), self._feature_rows(), self.seed
        )
        if self._pairs is not None:
            pairs = self._pairs.widened(len(catalogue.item_ids))
            self._pairs = self._counted(pairs, log, catalogue)
        self._take(catalogue)

    def _counted(self, pairs: PairCounts, log: Interactions, catalogue: Catalogue) -> PairCounts:
        """Return counts with those of the log's histories added."""
        check_values(log)
        rows = catalogue.rows_of(log)[log.item]
        value, is_kept = log.value, rows >= 0
        histories = Ragged(rows, log.history_offsets)
        if not is_kept.all():
            histories = histories.where(is_kept)
            value = None if value is None else value[is_kept]
        items = DistinctItems.of(histories, len(catalogue.item_ids), value)
        return pairs.counted(items, self.threads)

    def _bonuses(self, exclude_seen: bool) -> Bonuses | None:
        """Return what is added to scores, or None for nothing."""
        repeat, neighbour = self._checked_bonuses()
        if neighbour and self._pairs is None:
            raise InputError(
                f"neighbour_bonus is {neighbour}, but the model was fitted with 0 and has counted "
                "no pairs of items; set it back, or fit anew"
            )
        repeat = 0.0 if exclude_seen else repeat
        return Bonuses(repeat, neighbour, self._pairs) if repeat or neighbour else None

    def _take(self, catalogue: Catalogue) -> None:
        self.item_ids, self.item_counts = catalogue.item_ids, catalogue.item_counts
        self.user_ids = self._features.user_ids if self._features is not None else None
        self._forget_answers()

    def _features_of(self, log: Interactions, old: FeatureRows | None = None) -> FeatureRows | None:
        context, users = tuple(self.context), tuple(self.user_features)
        return FeatureRows.of(log, context, users, old) if context or users else None

    def _feature_names(self) -> dict[str, list[str]]:
        return {"context": list(self.context), "user_features": list(self.user_features)}

    @property
    def feature_kinds(self) -> dict[str, str]:
        """What each context column and user feature holds: ``"int"``, ``"str"`` or ``"number"``.

        Categories are ids of the first two kinds. Raises NotFittedError before ``fit``.
        """
        self._check_fitted()
        return self._features.kinds if self._features is not None else {}

    def _feature_rows(self) -> int:
        return self._features.count if self._features is not None else 0

    # Training

    def _limits(self, network: RecurrentNetwork, columns: int) -> Limits:
        """Return what steps may hold, so that a step's memory and a block's time are bounded."""
        one, many = (
            self._step_bytes(network, self.batch_size, events, columns, 1) for events in (1, 1025)
        )
        an_event = (many - one) / 1024
        most = max(1, int((STEP_BYTES - one) / an_event))
        scored = len(network.outputs) if self.loss == "softmax" else self.negatives
        products = len(network.dense) + (scored + 1) * stride_of(network.architecture.units)
        return Limits(
            self.batch_size,
            self.truncation,
            most,
            max(1, PRODUCTS_A_BLOCK // (3 * products * self.members)),
        )

    def _team_size(self) -> int:
        """Return the threads of a fit: they meet often, so more than processors would crawl."""
        return min(resolve_threads(self.threads), available_cpus())

    def _step_bytes(
        self, network: RecurrentNetwork, rows: int, events: int, columns: int, threads: int
    ) -> int:
        """Return what the compiled trainers take for steps of so many rows and events."""
        bytes_: int = isa.load("rnn").Trainer.work_bytes(
            network.compiled,
            loss=self.loss,
            negatives=self.negatives,
            max_rows=rows,
            max_events=events,
            max_features=columns,
            threads=threads,
            trainers=self.members,
        )
        return bytes_

    def _slots(self, network: RecurrentNetwork) -> dict[str, np.ndarray]:
        """Return a net's state of the optimizer at its beginning, by the trainer's names."""
        optimizer = self._optimizer()
        matrices: dict[str, np.ndarray | None] = {"output": network.outputs}
        matrices |= {"input": network.inputs, "feature": network.features}
        if network.inputs is network.outputs:
            del matrices["input"]
        slots = {}
        for name, matrix in matrices.items():
            if matrix is not None:
                slots[f"{name}_slots"] = aligned_zeros(
                    (len(matrix), optimizer.slots(matrix.shape[1]))
                )
        slots["dense_slots"] = aligned_zeros((slots_a_number(optimizer), len(network.dense)))
        if network.bias is not None:
            slots["bias_slots"] = aligned_zeros((len(network.bias), slots_a_number(optimizer)))
        return {name: array for name, array in slots.items() if array.size}

    def _noise(self) -> dict[str, Any]:
        """Return the arguments of the trainer that say what events are compared with."""
        if self.loss == "softmax":
            return {}
        noise: dict[str, Any] = {"noise": noise_table(self.item_counts, self.ns_exponent)}
        if self.loss == "sampled_softmax" and self.logq:
            logs = np.log(np.maximum(self.item_counts, 1e-9)) * self.ns_exponent
            top = logs.max()
            chance = np.exp(logs - top)
            noise["log_q"] = (logs - top - np.log(chance.sum()) + np.log(self.negatives)).astype(
                np.float32
            )
        return noise

    def _trainers(self, slots: list[dict[str, np.ndarray]], **limits: int) -> list[Any]:
        """Return a compiled trainer for each net; they take turns in one memory."""
        trainers: list[Any] = []
        noise = self._noise()
        for net, own in zip(self._network.members, slots, strict=True):
            trainers.append(
                isa.load("rnn").Trainer(
                    net.compiled,
                    loss=self.loss,
                    negatives=self.negatives,
                    optimizer=self._optimizer().settings(),
                    **noise,
                    **own,
                    input_dropout=self.input_dropout,
                    state_dropout=self.state_dropout,
                    clip=self.clip,
                    bpr_regularization=self.bpr_regularization,
                    elu=self.elu,
                    **limits,
                    turns_with=trainers[0] if trainers else None,
                )
            )
        return trainers

    def _train(
        self, run: Run, log: Interactions, resumed: model_file.ModelFile | None = None
    ) -> None:
        nets, features = self._network.members, self._features
        columns = len(features.context) + len(features.users) if features is not None else 0
        sessions = Sessions.of(log, Catalogue(self.item_ids, self.item_counts).rows_of(log))
        limits = self._limits(nets[0], columns)
        rows, events = _largest_step(self.batching, limits, sessions.targets)
        slots = [self._slots(net) for net in nets]
        with Team(self._team_size()) as team:
            trainers = self._trainers(
                slots,
                max_rows=rows,
                max_events=events,
                max_features=columns,
                threads=team.threads,
            )
            epochs = RnnEpochs(
                trainers,
                sessions,
                self.batching,
                self.order,
                limits,
                Schedule(self.schedule, self.learning_rate, 0.0, self.epochs),
                Draws(self.seed, len(run.history) - run.done_epochs),
                team,
                features_at=None if features is None else lambda at: features.at(log, at),
                place=None if resumed is None else place_in(resumed),
            )
            run.events = epochs.events
            self._training = Training(trainers, slots, epochs, log)
            if resumed is not None:
                self._training.restore(resumed)

            def train_epoch(epoch: int, meter: Meter) -> None:
                self._forget_answers()
                epochs.train(epoch, meter)
                self._check_weights(epoch)

            try:
                run_epochs(run, train_epoch)
            finally:
                self._training = None

    def _check_weights(self, epoch: int) -> None:
        """Raise where cosine scores, which are bounded, hide that the layers have blown up."""
        layers = [net.dense for net in self._network.members]
        largest = max(max(float(dense.max()), -float(dense.min())) for dense in layers)
        if not largest <= LARGEST_WEIGHT:
            raise DivergedError(
                f"the weights of the layers have grown to {largest:.3g} after epoch {epoch + 1}; "
                "lower learning_rate and fit again"
            )

    # Memory

    def _estimated_memory(self, log: Interactions) -> dict[str, int]:
        counts = log.item_counts()
        items = max(1, int((counts >= self.min_count).sum()))
        features = self._features_of(log)
        rows = features.count if features is not None else 0
        columns = len(features.context) + len(features.users) if features is not None else 0
        net = self._architecture()
        parameters = 4 * self.members * net.parameter_floats(items, rows)
        # Memory that nobody writes to takes no room: the kernel is asked about a net of this size.
        inputs = outputs = aligned_empty((items, stride_of(net.units)))
        if net.item_inputs != "tied":
            inputs = aligned_empty((items, net.input_columns))
        network = RecurrentNetwork(
            net, aligned_empty((net.dense_floats(),)), inputs, outputs, None, None
        )
        lengths = np.diff(log.history_offsets) - 1
        limits = self._limits(network, columns)
        threads = self._team_size()
        step = self._step_bytes(
            network, *_largest_step(self.batching, limits, lengths), columns, threads
        )
        work = step + WORK_OF_ITEM * items + 4 * len(counts) + WORK_OF_SESSION * len(lengths)
        if (counts < self.min_count).any():
            work += (4 if len(log) < 2**31 else 8) * len(log)
        if self.neighbour_bonus:
            pairs = 8 * most_pairs(lengths + 1, items)
            parameters += pairs + 16 * items
            work += pairs + 48 * len(log)  # once more while counted; keys, order, columns
        bias = items if net.has_bias else 0
        optimizer = self._optimizer()
        slots = (
            4
            * self.members
            * (
                slots_a_number(optimizer) * (net.dense_floats() + bias)
                + optimizer.slots(net.units) * items
                + optimizer.slots(net.input_columns)
                * (rows + (items if net.item_inputs != "tied" else 0))
            )
        )
        return {
            "parameters": parameters,
            "optimizer": slots,
            "log": log.nbytes,
            "work": work,
            "total": parameters + slots + log.nbytes + work,
        }

    # Checkpoints

    def _save_checkpoint(self, path: str, run: Run) -> None:
        """Write a model file that :meth:`_resume` goes on from; called while the model trains."""
        name, params, arrays, state = self._content()
        if self._training is not None:
            arrays, state = self._training.written(arrays, state, run)
        model_file.save(path, name, params, arrays, state)

    def _resume(self, run: Run, log: Interactions, saved: model_file.ModelFile) -> None:
        """Go on with the run that a checkpoint holds, from the state that it holds."""
        history = self.history
        self._restore(saved.arrays, saved.state)
        self.history = history
        prepare_run(run, saved)
        self._train(run, log, saved)

    # Files

    def _parameters(self) -> dict[str, np.ndarray]:
        return self._network.arrays()

    def _arrays(self) -> dict[str, np.ndarray]:
        features = self._features.arrays() if self._features is not None else {}
        return {
            **self._parameters(),
            "item_counts": self.item_counts,
            **self.item_ids.to_arrays("item_ids"),
            **features,
            **(self._pairs.arrays() if self._pairs is not None else {}),
        }

    def _state(self) -> dict[str, Any]:
        return {
            **super()._state(),
            "architecture": self._network.architecture.to_dict(),
            "members": len(self._network.members),
            "feature_names": self._fitted_features,
            "features": self._features.state() if self._features is not None else None,
        }

    def _restore(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        super()._restore(arrays, state)
        catalogue = Catalogue(IdMap.from_arrays("item_ids", arrays), arrays["item_counts"])
        if len(catalogue.item_counts) != len(catalogue.item_ids):
            raise ValueError("item_counts of another length than item_ids")
        features, self._fitted_features = state["features"], state["feature_names"]
        self._features = None if features is None else FeatureRows.restored(arrays, features)
        self._network = Ensemble.restored(
            Architecture(**state["architecture"]),
            state["members"],
            arrays,
            len(catalogue.item_ids),
        )
        has_pairs = "pair_offsets" in arrays
        self._pairs = PairCounts.restored(arrays, len(catalogue.item_ids)) if has_pairs else None
        self._take(catalogue)


def _largest_step(batching: str, limits: Limits, targets: np.ndarray) -> tuple[int, int]:
    """Return the most rows and events that a step of a log has."""
    longest = int(targets.max(initial=1))
    rows = min(limits.batch_size, max(1, int((targets > 0).sum())))
    row_events = limits.lane_events if batching == "lanes" else limits.row_events
    events = rows * min(row_events, max(longest, 1))
    if batching == "sessions":
        events = min(events, max(limits.events_a_step, 1))
    return rows, events
