"""The parameters of a recurrent model, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence

from fastrec.errors import DeviceError, InputError
from fastrec.nn.network import CELLS, ITEM_INPUTS, Architecture
from fastrec.nn.optimizers import (
    LARGEST_RATE,
    SGD,
    SMALLEST_RATE,
    Adagrad,
    Adam,
    Optimizer,
    RowAdagrad,
)
from fastrec.runtime import checks, isa
from fastrec.runtime.threads import resolve_threads
from fastrec.training.rnn import BATCHINGS, ORDERS
from fastrec.training.schedule import SCHEDULES

LOSSES = ("sampled_softmax", "softmax", "bpr_max", "top1_max")
OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "adagrad": Adagrad,
    "adam": Adam,
    "row_adagrad": RowAdagrad,
}
PRODUCTS = ("float32", "bfloat16")
MOST_LAYERS = 3
MOST_MEMBERS = 64
LARGEST_BONUS = 1e3  # of which a score is still told apart


class RecurrentParams:
    """What a recurrent model is told; see :class:`fastrec.PlaylistRNN` for what they mean."""

    cell: str
    units: int
    layers: int
    item_inputs: str
    dim: int | None
    scores: str
    scale: float
    bias: bool
    members: int
    repeat_bonus: float
    neighbour_bonus: float
    epochs: int
    loss: str
    negatives: int
    ns_exponent: float
    logq: bool
    bpr_regularization: float
    elu: float
    input_dropout: float
    state_dropout: float
    batching: str
    order: str
    batch_size: int
    truncation: int
    optimizer: str
    learning_rate: float
    schedule: str
    momentum: float
    weight_decay: float
    clip: float
    products: str
    user_features: Sequence[str]
    context: Sequence[str]
    min_count: int
    seed: int
    threads: int | None

    def _check_params(self) -> None:
        """Raise InputError for a parameter out of range, DeviceError for what cannot run here."""
        self._architecture()
        checks.whole_number("members", self.members, maximum=MOST_MEMBERS)
        self._checked_bonuses()
        checks.one_of("loss", self.loss, LOSSES)
        checks.whole_number("negatives", self.negatives, maximum=1 << 20)
        checks.real_number("ns_exponent", self.ns_exponent, -8, 8)
        checks.flag("logq", self.logq)
        checks.real_number("bpr_regularization", self.bpr_regularization, minimum=0)
        checks.real_number("elu", self.elu, minimum=0)
        if self.elu and self.loss != "bpr_max":
            raise InputError(f"elu is for the loss 'bpr_max', not for {self.loss!r}; set it to 0")
        for name in ("input_dropout", "state_dropout"):
            if checks.real_number(name, getattr(self, name), 0, 1) == 1:
                raise InputError(f"{name} must be below 1, or nothing is left; usual are 0 to 0.5")
        checks.one_of("batching", self.batching, tuple(BATCHINGS))
        checks.one_of("order", self.order, ORDERS)
        checks.whole_number("batch_size", self.batch_size, maximum=1 << 20)
        checks.whole_number("truncation", self.truncation, maximum=1 << 20)
        checks.whole_number("epochs", self.epochs)
        self._check_optimizer()
        self._rounds_products()
        for name in ("user_features", "context"):
            names = checks.listed(name, getattr(self, name), "a list of column names")
            columns = [checks.text(f"each of {name}", column) for column in names]
            if len(set(columns)) < len(columns):
                raise InputError(f"{name} must name each column once, got {columns}")
        twice = sorted(set(self.context) & set(self.user_features))
        if twice:
            raise InputError(f"{twice[0]!r} is in context and in user_features; name it once")
        checks.whole_number("min_count", self.min_count)
        checks.whole_number("seed", self.seed, minimum=0)
        resolve_threads(self.threads)

    def _checked_bonuses(self) -> tuple[float, float]:
        """Return ``repeat_bonus`` and ``neighbour_bonus``."""
        return (
            checks.real_number("repeat_bonus", self.repeat_bonus, 0, LARGEST_BONUS),
            checks.real_number("neighbour_bonus", self.neighbour_bonus, 0, LARGEST_BONUS),
        )

    def _check_optimizer(self) -> None:
        checks.one_of("optimizer", self.optimizer, tuple(OPTIMIZERS))
        if checks.real_number("learning_rate", self.learning_rate, minimum=0) == 0:
            raise InputError("learning_rate must be above 0, got 0: nothing would be trained")
        checks.real_number("learning_rate", self.learning_rate, SMALLEST_RATE, LARGEST_RATE)
        checks.one_of("schedule", self.schedule, SCHEDULES)
        momentum = checks.real_number("momentum", self.momentum, 0, 1)
        if momentum == 1:
            raise InputError("momentum must be below 1, or steps grow for ever")
        if momentum and self.optimizer not in ("sgd", "adagrad"):
            raise InputError(
                f"momentum is for 'sgd' and 'adagrad', not for {self.optimizer!r}; set it to 0"
            )
        checks.real_number("weight_decay", self.weight_decay, 0, 1 / self.learning_rate)
        checks.real_number("clip", self.clip, minimum=0)

    def _rounds_products(self) -> bool:
        """Return whether training multiplies bfloat16 numbers."""
        if checks.one_of("products", self.products, PRODUCTS) == "float32":
            return False
        if not isa.load("rnn").HAS_BF16:
            raise DeviceError(
                "products='bfloat16' needs kernels for AVX-512 BF16, which this process, at the "
                f"level {isa.level()}, has not; set products='float32' (or unset FASTREC_ISA, if "
                "that keeps a processor that has it from the level avx512)"
            )
        return True

    def _optimizer(self) -> Optimizer:
        """Return the optimizer that the parameters ask for; a schedule moves its rate."""
        momentum = {"momentum": self.momentum} if self.momentum else {}
        return OPTIMIZERS[self.optimizer](
            rate=self.learning_rate, decay=self.weight_decay, **momentum
        )

    def _architecture(self) -> Architecture:
        """Return the net that the parameters ask for."""
        cell = checks.one_of("cell", self.cell, CELLS)
        units = checks.whole_number("units", self.units, maximum=1 << 14)
        inputs = checks.one_of("item_inputs", self.item_inputs, ITEM_INPUTS)
        dim = units
        if self.dim is not None:
            dim = checks.whole_number("dim", self.dim, maximum=1 << 14)
            if inputs != "separate":
                raise InputError(
                    f"dim is the length of separate item inputs, but item_inputs is {inputs!r}; "
                    "leave it out"
                )
        scale = checks.real_number("scale", self.scale, minimum=0)
        if scale == 0:
            raise InputError("scale must be above 0; scores='dot' multiplies without one")
        is_cosine = checks.one_of("scores", self.scores, ("cosine", "dot")) == "cosine"
        return Architecture(
            cell=cell,
            layers=checks.whole_number("layers", self.layers, maximum=MOST_LAYERS),
            units=units,
            item_inputs=inputs,
            dim=dim,
            scale=float(scale) if is_cosine else 0.0,
            has_bias=checks.flag("bias", self.bias),
        )
