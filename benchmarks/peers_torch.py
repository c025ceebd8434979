"""The GRU of the training rows in PyTorch, as fast as we could write it.

Several ways to write the step, of which :func:`fastest_way` takes the quickest for a shape:
with autograd over ``nn.GRUCell`` or over gates by ``linear``, or with the gradients written
out; ``nn.GRU`` over packed or padded batches for whole sessions. All gather a step's item rows
once, and update the touched ones with an optimizer that is written out, which takes a third of
the time of ``torch.optim``'s sparse ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from benchmarks.rnn_work import NEGATIVES, Shape, Work, log_q_of

EPSILON = 1e-8
BETAS = (0.9, 0.999)
MASKED = -1e9
LANE_WAYS = ("autograd, GRUCell", "autograd, linear", "gradients written out")
WHOLE_WAYS = ("nn.GRU, packed", "nn.GRU, padded")


class Rows:
    """Item vectors and the optimizer of those that a step touches."""

    def __init__(self, items: np.ndarray, optimizer: str, rate: float) -> None:
        self.table = torch.from_numpy(items.copy())
        self.optimizer, self.rate, self.steps = optimizer, rate, 0
        self.squares = torch.zeros_like(self.table)
        self.means = torch.zeros_like(self.table) if optimizer == "adam" else None

    def gather(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the rows of ``ids``."""
        return self.table.index_select(0, ids)

    def update(self, ids: torch.Tensor, where: torch.Tensor, gradients: torch.Tensor) -> None:
        """Update the rows of the distinct ``ids``: gradient i belongs to ``ids[where[i]]``."""
        self.steps += 1
        total = torch.zeros(len(ids), self.table.shape[1]).index_add_(0, where, gradients)
        squares = self.squares.index_select(0, ids)
        if self.means is None:
            squares.addcmul_(total, total)
            self.squares.index_copy_(0, ids, squares)
            moved = total.div_(squares.sqrt_().add_(EPSILON))
            rate = self.rate
        else:
            squares.mul_(BETAS[1]).addcmul_(total, total, value=1 - BETAS[1])
            self.squares.index_copy_(0, ids, squares)
            means = self.means.index_select(0, ids).lerp_(total, 1 - BETAS[0])
            self.means.index_copy_(0, ids, means)
            root = squares.sqrt_().div_((1 - BETAS[1] ** self.steps) ** 0.5).add_(EPSILON)
            moved = means.div_(root)
            rate = self.rate / (1 - BETAS[0] ** self.steps)
        rows = self.table.index_select(0, ids).sub_(moved, alpha=rate)
        self.table.index_copy_(0, ids, rows)


class Gru:
    """The layer's weights in PyTorch's layout, and their optimizer."""

    def __init__(self, weights: dict[str, np.ndarray], shape: Shape, is_layer: bool) -> None:
        units = shape.units
        make = torch.nn.GRU if is_layer else torch.nn.GRUCell
        self.module = make(units, units)
        state_bias = np.zeros(3 * units, np.float32)
        state_bias[2 * units :] = weights["state_bias"]
        arrays = (weights["input_weights"].T, weights["state_weights"].T, weights["bias"])
        self.parameters = list(self.module.parameters())
        for parameter, array in zip(self.parameters, (*arrays, state_bias), strict=True):
            parameter.data.copy_(torch.from_numpy(np.ascontiguousarray(array)))
        if shape.optimizer == "adam":
            self.optimizer = torch.optim.Adam(
                self.parameters, lr=shape.rate, betas=BETAS, eps=EPSILON, fused=True
            )
        else:
            self.optimizer = torch.optim.Adagrad(
                self.parameters, lr=shape.rate, eps=EPSILON, fused=True
            )

    def step(self) -> None:
        """Update the weights by their gradients, and forget these."""
        self.optimizer.step()
        for parameter in self.parameters:
            parameter.grad = None


class Peer:
    """One side of a training row.

    Parameters
    ----------
    weights : dict of arrays
        See :func:`benchmarks.rnn_work.initial_weights`.
    shape : Shape
        What is trained.
    work : Work
        Its steps.
    way : str
        One of ``LANE_WAYS`` or ``WHOLE_WAYS``.
    """

    def __init__(
        self, weights: dict[str, np.ndarray], shape: Shape, work: Work, way: str, threads: int
    ) -> None:
        torch.set_num_threads(threads)
        self.shape, self.work, self.way = shape, work, way
        self.rows = Rows(weights["items"], shape.optimizer, shape.rate)
        self.gru = Gru(weights, shape, is_layer=shape.is_whole)
        self.log_q = torch.from_numpy(log_q_of(work.counts))
        self.negatives = torch.from_numpy(work.negatives)
        self.tokens = torch.from_numpy(work.tokens.astype(np.int64))
        self.state = torch.zeros(shape.rows, shape.units)
        self.steps: dict[str, Callable[[int], torch.Tensor]] = {
            "autograd, GRUCell": self.lane_step,
            "autograd, linear": self.lane_step,
            "gradients written out": self.written_step,
            "nn.GRU, packed": self.whole_step,
            "nn.GRU, padded": self.whole_step,
        }

    def run(self, first: int, stop: int) -> float:
        """Train the steps [first, stop) and return the mean loss of their events."""
        step, total = self.steps[self.way], torch.zeros((), dtype=torch.float64)
        for number in range(first, stop):
            total += step(number)
        return total.item() / self.work.events(first, stop)

    def rows_of(self, number: int) -> tuple[torch.Tensor, slice]:
        """Return the first places of a step's rows, and these rows."""
        part = slice(int(self.work.step_rows[number]), int(self.work.step_rows[number + 1]))
        return torch.from_numpy(self.work.starts[part]), part

    def loss(
        self,
        states: torch.Tensor,
        own: torch.Tensor,
        others: torch.Tensor,
        targets: torch.Tensor,
        negatives: torch.Tensor,
    ) -> torch.Tensor:
        """Return the mean sampled softmax of the events."""
        positive = (states * own).sum(1, keepdim=True) - self.log_q[targets][:, None]
        sampled = torch.addmm(self.log_q[negatives], states, others.T, beta=-1)
        sampled = sampled.masked_fill_(targets[:, None] == negatives, MASKED)
        scores = torch.cat([positive, sampled], 1)
        return functional.cross_entropy(scores, torch.zeros_like(targets))

    def cell(self, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        """Return the next states of the lanes."""
        if self.way == "autograd, GRUCell":
            return self.gru.module(x, h)
        w, u, b, c = self.gru.parameters
        a, s = functional.linear(x, w, b), functional.linear(h, u, c)
        units = self.shape.units
        r, z = torch.sigmoid(a[:, : 2 * units] + s[:, : 2 * units]).chunk(2, 1)
        n = torch.tanh(torch.addcmul(a[:, 2 * units :], r, s[:, 2 * units :]))
        return torch.lerp(n, h, z)

    def begun(self, part: slice) -> torch.Tensor:
        """Return the states of the lanes, those of new sessions zeroed."""
        fresh = self.work.fresh[part].nonzero()[0]
        if len(fresh):
            self.state[torch.from_numpy(fresh)] = 0
        return self.state

    def lane_step(self, number: int) -> torch.Tensor:
        """Train one event of each lane by autograd; return the summed loss."""
        starts, part = self.rows_of(number)
        inputs, targets = self.tokens[starts], self.tokens[starts + 1]
        ids = torch.cat([inputs, targets, self.negatives[number]])
        distinct, where = torch.unique(ids, return_inverse=True)
        rows, count = self.rows.gather(ids).requires_grad_(), len(inputs)
        states = self.cell(rows[:count], self.begun(part))
        loss = self.loss(
            states, rows[count : 2 * count], rows[2 * count :], targets, self.negatives[number]
        )
        loss.backward()
        self.rows.update(distinct, where, rows.grad)
        self.gru.parameters[3].grad[: 2 * self.shape.units] = 0  # these gates have one bias
        self.gru.step()
        self.state = states.detach()
        return loss.detach() * count

    @torch.no_grad()
    def written_step(self, number: int) -> torch.Tensor:
        """Train one event of each lane by gradients written out; return the summed loss."""
        starts, part = self.rows_of(number)
        inputs, targets = self.tokens[starts], self.tokens[starts + 1]
        negatives = self.negatives[number]
        ids = torch.cat([inputs, targets, negatives])
        distinct, where = torch.unique(ids, return_inverse=True)
        rows, count, units = self.rows.gather(ids), len(inputs), self.shape.units
        x, own, others = rows[:count], rows[count : 2 * count], rows[2 * count :]
        w, u, b, c = self.gru.parameters
        p = self.begun(part)
        a, s = torch.addmm(b, x, w.T), torch.addmm(c, p, u.T)
        gates = torch.sigmoid_(a[:, : 2 * units] + s[:, : 2 * units])
        r, z = gates.chunk(2, 1)
        inner = s[:, 2 * units :]
        n = torch.tanh_(torch.addcmul(a[:, 2 * units :], r, inner))
        h = torch.lerp(n, p, z)

        scores = torch.empty(count, 1 + NEGATIVES)
        torch.sub((h * own).sum(1), self.log_q[targets], out=scores[:, 0])
        torch.addmm(self.log_q[negatives], h, others.T, beta=-1, out=scores[:, 1:])
        scores[:, 1:].masked_fill_(targets[:, None] == negatives, MASKED)
        shares = torch.softmax(scores, 1)
        loss = -shares[:, 0].log().sum()
        slopes = shares.div_(count)
        slopes[:, 0] -= 1 / count
        first, rest = slopes[:, :1], slopes[:, 1:]

        gradients = torch.empty_like(rows)
        d = torch.addmm(first * own, rest, others)
        torch.mul(first, h, out=gradients[count : 2 * count])
        torch.mm(rest.T, h, out=gradients[2 * count :])
        d_a = torch.empty(count, 3 * units)
        d_n = torch.mul(d.mul(1 - z), 1 - n * n, out=d_a[:, 2 * units :])
        d_inner = d_n * r
        torch.mul(d * (p - n), z * (1 - z), out=d_a[:, units : 2 * units])
        torch.mul(d_inner * inner, 1 - r, out=d_a[:, :units])
        d_s = torch.cat([d_a[:, : 2 * units], d_inner], 1)
        torch.mm(d_a, w, out=gradients[:count])
        w.grad, u.grad = d_a.T @ x, d_s.T @ p
        b.grad, c.grad = d_a.sum(0), d_s.sum(0)
        c.grad[: 2 * units] = 0
        self.rows.update(distinct, where, gradients)
        self.gru.step()
        self.state = h
        return loss

    def whole_step(self, number: int) -> torch.Tensor:
        """Train whole sessions by autograd; return the summed loss."""
        starts, part = self.rows_of(number)
        lengths = torch.from_numpy(self.work.lengths[part].astype(np.int64))
        times = torch.arange(int(lengths[0]))[:, None]
        is_real = times < lengths
        places = torch.where(is_real, starts + times, 0)[is_real]  # time by time
        inputs, targets = self.tokens[places], self.tokens[places + 1]
        ids = torch.cat([inputs, targets, self.negatives[number]])
        distinct, where = torch.unique(ids, return_inverse=True)
        rows, count = self.rows.gather(ids).requires_grad_(), len(inputs)
        x = rows[:count]
        if self.way == "nn.GRU, packed":
            packed = torch.nn.utils.rnn.PackedSequence(x, is_real.sum(1))
            states = self.gru.module(packed)[0].data
        else:
            padded = torch.zeros(*is_real.shape, self.shape.units)
            padded = padded.masked_scatter(is_real[:, :, None], x)
            states = self.gru.module(padded)[0][is_real]
        own, others = rows[count : 2 * count], rows[2 * count :]
        loss = self.loss(states, own, others, targets, self.negatives[number])
        loss.backward()
        self.rows.update(distinct, where, rows.grad)
        self.gru.parameters[3].grad[: 2 * self.shape.units] = 0  # these gates have one bias
        self.gru.step()
        return loss.detach() * count


def fastest_way(weights: dict[str, np.ndarray], shape: Shape, work: Work, threads: int) -> str:
    """Return the way whose best of two short runs is the shortest."""
    ways = WHOLE_WAYS if shape.is_whole else LANE_WAYS
    steps, seconds = max(3, shape.steps // 3), {}
    for way in ways:
        peer = Peer(weights, shape, work, way, threads)
        peer.run(0, 2)
        for _ in range(2):
            begin = time.perf_counter()
            peer.run(2, 2 + steps)
            elapsed = time.perf_counter() - begin
            seconds[way] = min(elapsed, seconds.get(way, elapsed))
    return min(seconds, key=seconds.__getitem__)
