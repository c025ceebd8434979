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
from fastrec.models.pair_counts import PairCounts
from fastrec.models.recurrent_memory import RecurrentMemory, largest_step
from fastrec.models.resuming import Training, place_in, prepare_run
from fastrec.nn.ensemble import Ensemble
from fastrec.nn.network import Architecture
from fastrec.runtime import isa
from fastrec.runtime.threads import Team
from fastrec.storage import model_file
from fastrec.training.batches import Sessions
from fastrec.training.loop import Meter, Run, run_epochs
from fastrec.training.negatives import noise_table
from fastrec.training.rnn import Draws, RnnEpochs
from fastrec.training.schedule import Schedule

LARGEST_WEIGHT = 1e4  # of a layer: with one, all gates are saturated, and no state means anything


class RecurrentModel(RecurrentMemory):
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
        self._bonuses(exclude_seen=False)
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
        try:
            return pairs.counted(items, self.threads)
        except InputError as error:
            raise InputError(f"{error}; or do without: neighbour_bonus=0") from None

    def _bonuses(self, exclude_seen: bool) -> Bonuses | None:
        """Return what is added to scores, or None for nothing."""
        repeat, neighbour = self._checked_bonuses()
        if neighbour and self._pairs is None:
            raise InputError(
                f"neighbour_bonus is {neighbour}, but the model was fitted with 0 and has counted "
                "no pairs of items; set it back, or fit anew"
            )
        repeat = 0.0 if exclude_seen else repeat
        pairs = self._pairs if neighbour else None
        return Bonuses(repeat, neighbour, pairs) if repeat or neighbour else None

    def _take(self, catalogue: Catalogue) -> None:
        self.item_ids, self.item_counts = catalogue.item_ids, catalogue.item_counts
        self.user_ids = self._features.user_ids if self._features is not None else None
        self._forget_answers()

    def _feature_rows(self) -> int:
        return self._features.count if self._features is not None else 0

    def _feature_names(self) -> dict[str, list[str]]:
        return {"context": list(self.context), "user_features": list(self.user_features)}

    @property
    def feature_kinds(self) -> dict[str, str]:
        """What each context column and user feature holds: ``"int"``, ``"str"`` or ``"number"``.

        Categories are ids of the first two kinds. Raises NotFittedError before ``fit``.
        """
        self._check_fitted()
        return self._features.kinds if self._features is not None else {}

    # Training

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
                    is_bf16=self._rounds_products(),
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
        rows, events = largest_step(self.batching, limits, sessions.targets)
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
