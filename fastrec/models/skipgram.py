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
from fastrec.training.huffman import Tree, grown_tree, huffman_tree
from fastrec.training.loop import Meter, Run, run_epochs
from fastrec.training.negatives import keep_thresholds, noise_table
from fastrec.training.schedule import Schedule
from fastrec.training.sgns import LARGEST_PIECE, Pieces, SgnsEpochs, hot_rows

WINDOWS_A_DRAW = {"pair": 0, "window": 1, "block": 4}
DOCUMENT_WORDS_A_DRAW = 8
# Centers with one input row whose scores are taken before any of them is trained. The kernel waits
# for a score otherwise: 4 are 1.4 times as fast as one, 8 are 1.05 times as fast as 4 and let a
# document's row of a tiny vocabulary diverge at learning rates that are safe for one.
SCORED_AT_ONCE = 4
LOSSES = ("negative_sampling", "hierarchical_softmax", "softmax")
ROWS_AT_ONCE = 1 << 12
WORK_OF_ITEM = 24  # bytes: noise table, thresholds, maps
WORK_OF_LEAF = 100  # bytes: the lists that a tree is made from


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
    _largest_piece = LARGEST_PIECE
    _catalogue: Catalogue
    _dim: int
    _form: dict[str, Any]  # the parameters that the output layer was made by
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

    def _form_params(self) -> dict[str, Any]:
        """Return the parameters that say what the rows of the output layer are."""
        return {"loss": self.loss}

    def _check_form(self) -> None:
        """Raise where such a parameter is not what this model was fitted with."""
        now = self._form_params()
        for name, fitted in self._form.items():
            if now.get(name, fitted) != fitted:
                raise InputError(
                    f"{name} is {now[name]!r}, but this model was fitted with {fitted!r}, which "
                    "its output layer is made for; set it back, or fit anew"
                )

    def _output_places(self, form: dict[str, Any]) -> int:
        """Return how many input rows stand side by side in a hidden row."""
        return 1

    def _output_dim(self) -> int:
        """Return the padded length of a hidden row, which output rows are multiplied with."""
        return self._output_places(self._form) * stride_of(self._dim)

    def _begin_tokens(self, tokens: Tokens) -> None:
        self._dim, self._form = self.dim, self._form_params()
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
        self._check_form()
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
            outputs[: len(old_outputs)] = old_outputs
        self._catalogue, self._inputs, self._outputs = catalogue, inputs, outputs
        self._forget_answers()

    def _output_rows(self) -> int:
        """Return the rows of the output layer: one an item, or one a node of the tree."""
        if self._form["loss"] != "hierarchical_softmax":
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
        return Pieces.of(len(tokens), self.window, tokens.longest, products, self._largest_piece)

    def _output_layer(self, documents_only: bool) -> dict[str, Any]:
        """Return the arguments of the kernel that say what centers are predicted with."""
        if self.loss == "hierarchical_softmax":
            tree = grown_tree(self._tree_counts, self._tree_blocks)
            return {"tree": (tree.paths, tree.nodes, tree.branches)}
        if self.loss == "softmax":
            return {}
        return {
            "noise": noise_table(self._catalogue.item_counts, self.ns_exponent),
            "negatives": self.negatives,
            **self._noise_sharing(documents_only),
        }

    def _noise_sharing(self, documents_only: bool) -> dict[str, Any]:
        """Return the arguments of the kernel that say which centers share noise."""
        if self.negative_sharing == "block":
            return {"group": DOCUMENT_WORDS_A_DRAW if documents_only else WINDOWS_A_DRAW["block"]}
        if self._is_cbow() or documents_only:  # one input row a center: a window is a pair
            return {"group": SCORED_AT_ONCE, "apart": True}
        return {"group": WINDOWS_A_DRAW[self.negative_sharing]}

    def _hot_rows(self, items: int, threads: int) -> tuple[int, int]:
        """Return what :func:`hot_rows` does; in a full softmax no row is hotter than another."""
        return hot_rows(items, threads) if self.loss != "softmax" else (0, 0)

    def _trainer(
        self, tokens: Tokens, threads: int, *, documents_only: bool = False, **options: Any
    ) -> Any:
        """Return the compiled trainer of this model on the tokens."""
        hot, centers = self._hot_rows(len(self._inputs), threads)
        arguments: dict[str, Any] = {
            "window": self.window or 0,
            "dynamic_window": self.dynamic_window,
            "past_only": self.context == "past",
            "cbow": self._is_cbow(),
            "keep": keep_thresholds(self._catalogue.item_counts, self.subsample),
            "values": tokens.weights,
            "hot_rows": min(hot, len(self._outputs)),
            "hot_centers": centers,
            "documents_only": documents_only,
            **self._output_layer(documents_only),
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
        rate = Schedule("linear", self.learning_rate, self.min_learning_rate, self.epochs)
        with Team(threads) as team:
            epochs = SgnsEpochs(trainer, pieces, rate, self.seed, len(run.history), team)

            def train_epoch(epoch: int, meter: Meter) -> None:
                self._forget_answers()
                epochs.train(epoch, meter)

            run_epochs(run, train_epoch)

    def _estimated_memory(
        self, tokens: Tokens, data_bytes: int, documents: int = 0
    ) -> dict[str, int]:
        """Return what ``memory`` says, see :meth:`fastrec.Item2Vec.memory`."""
        counts = tokens.item_counts()
        codes = len(counts)
        counts = np.sort(counts[counts >= self.min_count])[::-1][: self.max_vocab]
        items = len(counts)
        is_tree = self.loss == "hierarchical_softmax" and items > 0
        tree = huffman_tree(counts) if is_tree else None
        width = self._output_places(self._form_params()) * stride_of(self.dim)
        inputs = (items + documents) * stride_of(self.dim)
        parameters = 4 * (inputs + (items if tree is None else tree.size) * width)
        pieces = self._pieces(tokens)
        threads = min(resolve_threads(self.threads), pieces.count)
        scratch = threads * self._scratch_bytes(items, width, tree, threads, pieces.capacity)
        work = WORK_OF_ITEM * items + 4 * codes + 4 * documents + scratch
        if tree is not None:
            work += tree.nbytes + WORK_OF_LEAF * items
        return {
            "parameters": parameters,
            "log": data_bytes,
            "work": work,
            "total": parameters + data_bytes + work,
        }

    def _scratch_bytes(
        self, items: int, width: int, tree: Tree | None, threads: int, capacity: int
    ) -> int:
        """Return the scratch memory of one thread of a fit, in bytes."""
        options: dict[str, Any] = {"negatives": self.negatives}
        # But for the scores of a full softmax, a trainer of one item needs the scratch of any.
        rows = 1
        if tree is not None:
            longest = int(np.diff(tree.paths).max())
            path = np.zeros(longest, dtype=np.int32), np.zeros(longest, dtype=np.float32)
            options["tree"] = np.array([0, longest]), *path
        elif self.loss == "softmax":
            rows = max(items, 1)
        else:
            options |= {"noise": np.zeros(1, dtype=np.uint64), **self._noise_sharing(False)}
        nothing = np.zeros(1, dtype=np.int32)
        trainer = isa.load("sgns").Trainer(
            nothing,
            nothing,
            np.zeros(2, dtype=np.int64),
            np.empty((rows, stride_of(self.dim)), dtype=np.float32),
            np.empty((1, width), dtype=np.float32),
            window=self.window or 0,
            dynamic_window=True,
            past_only=False,
            cbow=self._is_cbow(),
            hot_rows=self._hot_rows(items, threads)[0],
            **options,
        )
        return int(trainer.scratch_bytes(capacity))

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
        return {
            **super()._state(),
            "dim": self._dim,
            "form": self._form,
            "tree_blocks": self._tree_blocks,
        }

    def _restore(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        super()._restore(arrays, state)
        noun = self._item_noun
        counts = arrays[f"{noun}_counts"]
        self._dim, self._form = int(state["dim"]), dict(state.get("form", self._form_params()))
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
