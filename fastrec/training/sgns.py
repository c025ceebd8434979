"""The epochs of the skip-gram family: a log in pieces, a team that takes them, a falling rate.

Pieces are ranges of tokens and depend on the log alone. A team's threads take
them in a shuffled order and update shared matrices without locks (Hogwild: Niu,
Recht, Re, Wright, 2011); with one thread the result is the same bit for bit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastrec.errors import DivergedError, InputError
from fastrec.runtime.arrays import aligned_empty
from fastrec.runtime.random import stream_key
from fastrec.runtime.threads import Team
from fastrec.training.loop import Meter
from fastrec.training.schedule import Schedule

LARGEST_PIECE = 8192  # tokens of one kernel call: a few milliseconds
SMALLEST_PIECE = 256
# Neighbouring documents are often of one kind. Trained one after the other, the words learn for a
# while what the documents should: PV-DM on 25,000 film reviews sorted by praise, read out by a
# logistic regression, is wrong about 28 % in pieces of 8192 tokens, 18 % of 1024 and 17 % of 256.
# CBOW on 2 M words of an encyclopaedia has a held-out loss of 2.255 in pieces of 8192 tokens, 2.248
# of 1024 and 2.243 of 256 (means of three seeds, standard deviation up to .004); skip-gram
# has 2.407 to 2.409 in all of them.
TEXT_PIECE = 256
PIECES = 64  # that a short log is cut into, so that several threads find work
WORK_AT_ONCE = 1 << 30  # products of one kernel call: a tenth of a second, so Ctrl-C is heard
DOUBLES_PER_LINE = 8  # the totals of one thread fill a cache line

# Rows that several threads would fight for: 16 are a good part of all accesses to a text, and cost
# little to exchange. Measured with 2 threads on 2 M words: skip-gram 1.6, CBOW 1.2 times as fast;
# 64 rows or 2048 centers are no faster, and the held-out loss is worse from 512 centers on.
HOT_ROWS = 16
HOT_CENTERS = 256  # of all threads between two exchanges
FEWEST_HOT_CENTERS = 16
SMALLEST_HOT_CATALOGUE = 4096  # below, a piece trains its rows so often that late news would hurt


def hot_rows(items: int, threads: int) -> tuple[int, int]:
    """Return of how many rows each thread keeps copies, and after how many centers they meet."""
    if threads == 1 or items < SMALLEST_HOT_CATALOGUE:
        return 0, 0
    return HOT_ROWS, max(HOT_CENTERS // threads, FEWEST_HOT_CENTERS)


@dataclass(frozen=True)
class Pieces:
    """How a log is cut for the kernel.

    Attributes
    ----------
    tokens : int
        Events of the log.
    grain : int
        Tokens of a piece; the last one may be shorter.
    capacity : int
        Tokens that are laid out at once: a piece and the contexts around it.
    a_call : int
        Pieces that one kernel call takes.
    """

    tokens: int
    grain: int
    capacity: int
    a_call: int

    @classmethod
    def of(
        cls,
        tokens: int,
        window: int | None,
        longest: int,
        products: int,
        largest: int = LARGEST_PIECE,
    ) -> Pieces:
        """Cut ``tokens`` tokens so that a kernel call takes a fraction of a second.

        ``window`` None reaches over sequences of up to ``longest`` tokens; a pair costs
        ``products`` multiplications; no piece has more than ``largest`` tokens.
        """
        reach = longest if window is None else min(window, longest)
        a_token = 2 * max(reach, 1) * products
        at_once = max(1, min(LARGEST_PIECE, WORK_AT_ONCE // a_token))
        grain = min(largest, max(SMALLEST_PIECE, -(-tokens // PIECES)), at_once)
        return cls(tokens, grain, grain + 2 * reach, at_once // grain)

    @property
    def count(self) -> int:
        """How many pieces there are."""
        return -(-self.tokens // self.grain)


class SgnsEpochs:
    """Runs a compiled ``Trainer`` over all pieces of a log, epoch by epoch.

    Parameters
    ----------
    trainer : fastrec.native.<level>.sgns.Trainer
        What is read and written.
    pieces : Pieces
        How the log is cut.
    rate : Schedule
        The learning rate.
    seed, past_epochs : int
        Epoch e of this run draws from the streams of ``(seed, past_epochs + e)``, so that
        training on does not repeat the draws of the first run.
    team : Team
        The threads of the fit.
    """

    def __init__(
        self, trainer: Any, pieces: Pieces, rate: Schedule, seed: int, past_epochs: int, team: Team
    ) -> None:
        self._trainer, self._pieces, self._rate, self._team = trainer, pieces, rate, team
        self._seed, self._past_epochs = seed, past_epochs
        size = trainer.scratch_bytes(pieces.capacity)
        self._scratch = [aligned_empty((size,), np.int8) for _ in range(team.threads)]

    def _key(self, name: str, epoch: int) -> int:
        return stream_key(self._seed, "sgns", name, self._past_epochs + epoch)

    def train(self, epoch: int, meter: Meter) -> None:
        """Train one epoch, from 0, and keep the meter up to date.

        Raises
        ------
        DivergedError
            The loss became NaN or infinite.
        InputError
            Not one pair was trained.
        """
        self._trainer.set_epoch(*(self._key(name, epoch) for name in ("keep", "window", "noise")))
        pieces = self._pieces
        tickets = itertools.count(0, pieces.a_call)
        totals = np.zeros((self._team.threads, DOUBLES_PER_LINE))
        done = np.zeros((self._team.threads, DOUBLES_PER_LINE), dtype=np.int64)
        places = _shuffle(pieces.count, self._key("order", epoch))

        def report() -> None:
            loss, weight = totals[:, :2].sum(axis=0)
            meter.update(int(done[:, 0].sum()), float(loss), float(weight), "learning_rate")

        def work(rank: int) -> None:
            while not (self._team.is_stopping() or meter.is_cut):
                first = next(tickets)
                last = min(first + pieces.a_call, pieces.count)
                if first >= last:
                    return
                starts = places(first, last) * pieces.grain
                self._trainer.train(
                    starts,
                    pieces.grain,
                    pieces.capacity,
                    self._rate.at(epoch + first / pieces.count),
                    self._rate.at(epoch + last / pieces.count),
                    self._scratch[rank],
                    totals[rank],
                )
                stops = np.minimum(starts + pieces.grain, pieces.tokens)
                done[rank, 0] += (stops - starts).sum()
                if rank == 0:
                    report()
                    meter.log(learning_rate=self._rate.at(epoch + last / pieces.count))

        try:
            self._team.run(work)
        except BaseException:
            with suppress(DivergedError):  # what ended the run is what the caller should see
                report()
            raise
        report()
        if totals[:, 1].sum() == 0:
            raise InputError(
                "there is nothing to learn from: no history or document has two items or words "
                "side by side that min_count and subsample keep and value gives a weight; lower "
                "them"
            )


def _shuffle(count: int, key: int) -> Callable[[int, int], np.ndarray]:
    """Return a permutation of ``range(count)``: an affine map, so it takes no memory."""
    step = 1 + key % max(count - 1, 1)
    while math.gcd(step, count) != 1:
        step += 1
    shift = key >> 32
    return lambda first, last: np.array(
        [(index * step + shift) % count for index in range(first, last)]
    )
