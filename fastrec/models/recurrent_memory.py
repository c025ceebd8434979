"""What training a recurrent recommender takes: how large a step may be, and all of it in bytes."""

from __future__ import annotations

import numpy as np

from fastrec.data import Interactions
from fastrec.models.features import FeatureRows
from fastrec.models.pair_counts import pair_bytes
from fastrec.models.recurrent_params import RecurrentParams
from fastrec.models.vector_model import VectorRecommender
from fastrec.nn.network import RecurrentNetwork
from fastrec.nn.optimizers import Optimizer
from fastrec.runtime import isa
from fastrec.runtime.arrays import FLOATS_PER_LINE, aligned_empty, aligned_zeros, stride_of
from fastrec.runtime.threads import available_cpus, resolve_threads
from fastrec.training.batches import PRODUCTS_A_BLOCK, Limits

# What a step's events may take beside the parameters; the promise is 300 MB of work in all.
STEP_BYTES = 224 << 20
WORK_OF_ITEM = 24  # bytes: noise table, logarithms, maps
WORK_OF_SESSION = 24  # bytes: what there is to predict, the order of an epoch


def slots_a_number(optimizer: Optimizer) -> int:
    """Return how many floats of state a single weight has.

    Row-wise Adagrad means the rows of items; layers have the state of plain Adagrad.
    """
    whole = optimizer.slots(FLOATS_PER_LINE) // FLOATS_PER_LINE
    return max(whole, 1) if optimizer.slots(1) else 0


class RecurrentMemory(RecurrentParams, VectorRecommender):
    """The memory of a recommender whose parameters a subclass has."""

    def _limits(self, network: RecurrentNetwork, columns: int) -> Limits:
        """Return what steps may hold, so that a step's memory and a block's time are bounded.

        Steps are the same for any number of members.
        """
        one, many = (
            self._step_bytes(network, self.batch_size, events, columns) for events in (1, 1025)
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
        self,
        network: RecurrentNetwork,
        rows: int,
        events: int,
        columns: int,
        threads: int = 1,
        trainers: int = 1,
    ) -> int:
        """Return what compiled trainers that take turns have for steps of so many events."""
        bytes_: int = isa.load("rnn").Trainer.work_bytes(
            network.compiled,
            loss=self.loss,
            negatives=self.negatives,
            max_rows=rows,
            max_events=events,
            max_features=columns,
            threads=threads,
            trainers=trainers,
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
            network, *largest_step(self.batching, limits, lengths), columns, threads, self.members
        )
        work = step + WORK_OF_ITEM * items + 4 * len(counts) + WORK_OF_SESSION * len(lengths)
        if (counts < self.min_count).any():
            work += (4 if len(log) < 2**31 else 8) * len(log)
        if self.neighbour_bonus:
            kept, counting = pair_bytes(lengths + 1, items)
            parameters += kept
            work = max(work, counting)  # which is over before the training begins
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

    def _features_of(self, log: Interactions, old: FeatureRows | None = None) -> FeatureRows | None:
        context, users = tuple(self.context), tuple(self.user_features)
        return FeatureRows.of(log, context, users, old) if context or users else None


def largest_step(batching: str, limits: Limits, targets: np.ndarray) -> tuple[int, int]:
    """Return the most rows and events that a step of a log has."""
    longest = int(targets.max(initial=1))
    rows = min(limits.batch_size, max(1, int((targets > 0).sum())))
    row_events = limits.lane_events if batching == "lanes" else limits.row_events
    events = rows * min(row_events, max(longest, 1))
    if batching == "sessions":
        events = min(events, max(limits.events_a_step, 1))
    return rows, events
