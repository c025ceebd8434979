"""What the models of the skip-gram family share: two matrices and how they are trained."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrec.data import IdMap
from fastrec.errors import InputError
from fastrec.models.catalogue import Catalogue, Tokens
from fastrec.models.model import Model
from fastrec.runtime import checks, isa
from fastrec.runtime.arrays import padded_zeros, stride_of
from fastrec.runtime.random import generator
from fastrec.runtime.threads import Team, resolve_threads
from fastrec.training.huffman import grown_tree
from fastrec.training.loop import Meter, Run, run_epochs
from fastrec.training.negatives import keep_thresholds, noise_table
from fastrec.training.sgns import Pieces, Rate, SgnsEpochs, hot_rows

WINDOWS_A_DRAW = {"pair": 0, "window": 1, "block": 4}
LOSSES = ("negative_sampling", "hierarchical_softmax", "softmax")
ROWS_AT_ONCE = 1 << 16


class SkipGramModel(Model):
    """Input vectors of items and the output layer that they are trained against.

    A subclass takes the parameters that are annotated here, as far as it offers them,
    and calls ``_begin_tokens`` or ``_extend_tokens`` and then ``_train_tokens``.
    """

    dim: int
    window: int | None
    negatives: int
    epochs: int
    learning_rate: float
    min_learning_rate: float
    architecture: str
    subsample: float
    ns_exponent: float
    negative_sharing: str
    min_count: int
    seed: int
    threads: int | None
    dynamic_window: bool = True
    context: str = "both"
    loss: str = "negative_sampling"
    max_vocab: int | None = None

    _item_noun = "item"
    _catalogue: Catalogue
    _dim: int
    _inputs: np.ndarray
    _outputs: np.ndarray
    _tree_blocks: list[int]  # items of each block of the tree, see grown_tree
    _tree_counts: np.ndarray

    def _is_fitted(self) -> bool:
        return hasattr(self, "_inputs")

    def _is_cbow(self) -> bool:
        return self.architecture == "cbow"

    def _check_training_params(self) -> None:
        """Check the parameters that every model of the family has."""
        checks.whole_number("dim", self.dim, maximum=65536)
        checks.whole_number("negatives", self.negatives, maximum=1024)
        checks.whole_number("epochs", self.epochs)
        if checks.real_number("learning_rate", self.learning_rate, minimum=0) == 0:
            raise InputError("learning_rate must be above 0, got 0: nothing would be trained")
        checks.real_number("min_learning_rate", self.min_learning_rate, 0, self.learning_rate)
        checks.one_of("context", self.context, ("both", "past"))
        checks.one_of("loss", self.loss, LOSSES)
        checks.flag("dynamic_window", self.dynamic_window)
        checks.real_number("subsample", self.subsample, 0, 1)
        checks.real_number("ns_exponent", self.ns_exponent, -8, 8)
        checks.one_of("negative_sharing", self.negative_sharing, tuple(WINDOWS_A_DRAW))
        checks.whole_number("min_count", self.min_count)
        if self.max_vocab is not None:
            checks.whole_number("max_vocab", self.max_vocab)
        checks.whole_number("seed", self.seed, minimum=0)
        resolve_threads(self.threads)

    # The matrices

    def _output_dim(self) -> int:
        """Return the padded length of a hidden row, which output rows are multiplied with."""
        return stride_of(self._dim)

    def _begin_tokens(self, tokens: Tokens) -> None:
        self._dim = self.dim
        catalogue = Catalogue.of(tokens, self.min_count, self.max_vocab, self._item_noun)
        items = len(catalogue.item_ids)
        self._tree_blocks, self._tree_counts = [items], catalogue.item_counts
        self._take(catalogue, self._new_rows("item2vec rows", items, 0), None)

    def _extend_tokens(self, tokens: Tokens) -> None:
        """Make room for new items, in copies of the matrices."""
        if self.dim != self._dim:
            raise InputError(
                f"dim is {self.dim}, but the vectors of this model have {self._dim}; "
                "partial_fit goes on with the old dim, fit starts anew"
            )
        before = len(self._catalogue.item_ids)
        catalogue = self._catalogue.extended(tokens, self.min_count, self.max_vocab)
        inputs = self._new_rows("item2vec rows", len(catalogue.item_ids), before)
        inputs[:before] = self._inputs
        if len(inputs) > before:
            self._tree_blocks = [*self._tree_blocks, len(inputs) - before]
            self._tree_counts = np.append(self._tree_counts, catalogue.item_counts[before:])
        self._take(catalogue, inputs, self._outputs)

    def _take(
        self, catalogue: Catalogue, inputs: np.ndarray, old_outputs: np.ndarray | None
    ) -> None:
        outputs = padded_zeros(self._output_rows(), self._output_dim())
        if old_outputs is not None:
            if old_outputs.shape[1] != outputs.shape[1]:
                raise InputError(
                    "window and architecture cannot change in partial_fit where windows are "
                    "concatenated; fit starts anew"
                )
            outputs[: len(old_outputs)] = old_outputs
        self._catalogue, self._inputs, self._outputs = catalogue, inputs, outputs
        self._forget_answers()

    def _output_rows(self) -> int:
        """Return the rows of the output layer: one an item, or one a node of the tree."""
        if self.loss != "hierarchical_softmax":
            return sum(self._tree_blocks)
        # A block's tree has a node less than items, and is joined to the others by one more.
        return sum(max(size - 1, 1) for size in self._tree_blocks) + len(self._tree_blocks) - 1

    def _new_rows(self, name: str, rows: int, first: int) -> np.ndarray:
        """Return a matrix whose rows from ``first`` on are uniform in (-0.5, 0.5) / dim."""
        matrix = padded_zeros(rows, self._dim)
        random = generator(self.seed, name, first)
        for start in range(first, rows, ROWS_AT_ONCE):
            part = matrix[start : start + ROWS_AT_ONCE, : self._dim]
            part[:] = random.random(part.shape, dtype=np.float32)
            part -= 0.5
            part /= self._dim
        return matrix

    # Training

    def _pieces(self, tokens: Tokens) -> Pieces:
        products = stride_of(self.dim) * (1 + self.negatives)
        return Pieces.of(len(tokens), self.window, tokens.longest, products)

    def _output_layer(self) -> dict[str, Any]:
        """Return the arguments of the kernel that say what centers are predicted with."""
        if self.loss == "hierarchical_softmax":
            tree = grown_tree(self._tree_counts, self._tree_blocks)
            return {"tree": (tree.paths, tree.nodes, tree.branches)}
        if self.loss == "softmax":
            return {}
        return {
            "noise": noise_table(self._catalogue.item_counts, self.ns_exponent),
            "negatives": self.negatives,
            "group": self._group(),
        }

    def _group(self) -> int:
        """Return how many neighbouring centers share noise; 0 where each pair draws its own."""
        return max(WINDOWS_A_DRAW[self.negative_sharing], self._is_cbow())

    def _trainer(self, tokens: Tokens, threads: int, **options: Any) -> Any:
        """Return the compiled trainer of this model on the tokens."""
        items = len(self._inputs)
        hot, centers = hot_rows(items, threads) if self.loss != "softmax" else (0, 0)
        arguments: dict[str, Any] = {
            "window": self.window or 0,
            "dynamic_window": self.dynamic_window,
            "past_only": self.context == "past",
            "cbow": self._is_cbow(),
            "keep": keep_thresholds(self._catalogue.item_counts, self.subsample),
            "values": tokens.weights,
            "hot_rows": min(hot, len(self._outputs)),
            "hot_centers": centers,
            **self._output_layer(),
            **options,
        }
        return isa.load("sgns").Trainer(
            tokens.codes,
            self._catalogue.rows_of(tokens),
            tokens.offsets,
            self._inputs,
            self._outputs,
            **arguments,
        )

    def _train_tokens(self, run: Run, tokens: Tokens, **options: Any) -> None:
        pieces = self._pieces(tokens)
        threads = min(resolve_threads(self.threads), pieces.count)
        trainer = self._trainer(tokens, threads, **options)
        rate = Rate(self.learning_rate, self.min_learning_rate, self.epochs)
        with Team(threads) as team:
            epochs = SgnsEpochs(trainer, pieces, rate, self.seed, len(run.history), team)

            def train_epoch(epoch: int, meter: Meter) -> None:
                self._forget_answers()
                epochs.train(epoch, meter)

            run_epochs(run, train_epoch)

    def _estimated_memory(self, tokens: Tokens, data_bytes: int) -> dict[str, int]:
        """Return what ``memory`` says, see :meth:`fastrec.Item2Vec.memory`."""
        counts = tokens.item_counts()
        items = int((counts >= self.min_count).sum())
        items = items if self.max_vocab is None else min(items, self.max_vocab)
        stride = stride_of(self.dim)
        threads = resolve_threads(self.threads)
        parameters = 2 * 4 * items * stride
        kernel = isa.load("sgns")
        # A trainer of one item needs the scratch of any, but for a full softmax's scores.
        one = np.zeros((1, stride), dtype=np.float32)
        nothing = np.zeros(1, dtype=np.int32)
        scratch = kernel.Trainer(
            nothing,
            nothing,
            np.zeros(2, dtype=np.int64),
            one,
            one,
            window=self.window or 0,
            dynamic_window=True,
            past_only=False,
            cbow=self._is_cbow(),
            noise=np.zeros(1, dtype=np.uint64),
            negatives=self.negatives,
            hot_rows=hot_rows(items, threads)[0],
        ).scratch_bytes(self._pieces(tokens).capacity)
        work = 24 * items + 4 * len(counts) + threads * scratch
        return {
            "parameters": parameters,
            "log": data_bytes,
            "work": work,
            "total": parameters + data_bytes + work,
        }

    # State

    def _arrays(self) -> dict[str, np.ndarray]:
        noun = self._item_noun
        return {
            **self._parameters(),
            f"{noun}_counts": self._catalogue.item_counts,
            **self._catalogue.item_ids.to_arrays(f"{noun}_ids"),
            **({"tree_counts": self._tree_counts} if len(self._tree_blocks) > 1 else {}),
        }

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "dim": self._dim, "tree_blocks": self._tree_blocks}

    def _restore(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        super()._restore(arrays, state)
        noun = self._item_noun
        counts = arrays[f"{noun}_counts"]
        self._dim = int(state["dim"])
        self._catalogue = Catalogue(IdMap.from_arrays(f"{noun}_ids", arrays), counts)
        self._tree_blocks = [int(size) for size in state.get("tree_blocks", [len(counts)])]
        self._tree_counts = arrays.get("tree_counts", counts)
        if sum(self._tree_blocks) != len(counts) or len(self._tree_counts) != len(counts):
            raise ValueError(f"blocks of {sum(self._tree_blocks)} items, expected {len(counts)}")

    def _restored_matrix(
        self, arrays: dict[str, np.ndarray], name: str, rows: int, columns: int
    ) -> np.ndarray:
        """Return a float32 matrix of the file, whose shape must be ``(rows, columns)``."""
        matrix = arrays[name]
        if matrix.shape != (rows, columns) or matrix.dtype != np.float32:
            raise ValueError(f"{name} of shape {matrix.shape}, expected {(rows, columns)}")
        return matrix
