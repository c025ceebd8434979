"""How a comparison is measured: both sides in alternation, in one process, medians of the runs.

A machine's speed drifts while a benchmark runs (clocks, neighbours, caches).
Taking turns gives both sides the same drift, so the ratio is steadier than
either figure; the median drops the run that something else disturbed.

A benchmark module of this folder offers ``rows(only=None)``, a generator of
:class:`Row`, and ``NAMES``, the names of the rows that it can make;
:mod:`benchmarks.speed` collects them.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """One line of the speed table.

    Attributes
    ----------
    name : str
        What is compared, kebab-case; ``--only`` selects by it.
    unit : str
        Of ``ours`` and ``peer``: a rate ("words/s": higher is better) or a time ("ms", "s").
    ours, peer : float
        Medians of the alternating runs; ``peer`` is None where nothing is compared.
    peer_name : str
        The package and its setting.
    ratio : float or None
        How many times better ours is: above 1, ours is faster, whatever the unit.
    threads : int
        Threads that each side was given.
    extra : dict
        More columns, such as the quality that stands beside the speed.
    floor : float or None
        What the machine allows at most, in ``unit``, where it was measured in the same run.
    """

    name: str
    unit: str
    ours: float
    peer: float | None
    peer_name: str
    threads: int
    extra: dict[str, Any] = field(default_factory=dict)
    floor: float | None = None

    @property
    def ratio(self) -> float | None:
        """Return ours over the peer, turned round for times so that above 1 is always faster."""
        if self.peer is None or not self.ours or not self.peer:
            return None
        return self.ours / self.peer if self.unit.endswith("/s") else self.peer / self.ours

    def as_dict(self) -> dict[str, Any]:
        """Return the row as one JSON object."""
        row = {
            "name": self.name,
            "unit": self.unit,
            "ours": self.ours,
            "peer": self.peer,
            "peer_name": self.peer_name,
            "ratio": self.ratio,
            "floor": self.floor,
            "threads": self.threads,
        }
        return row | self.extra


def seconds_of(work: Callable[[], Any]) -> float:
    """Return how long one call of ``work`` takes, in seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def alternate(
    sides: Mapping[str, Callable[[], float | None]], *, repeats: int = 5, warm_up: bool = True
) -> dict[str, list[float]]:
    """Run the sides in turns and return every measurement of each.

    Parameters
    ----------
    sides : mapping of name to callable
        A side returns what it measured itself (a rate, or seconds without its
        setup); where it returns None, the seconds of the call are taken.
    repeats : int
        Turns. The order of the sides is reversed every other turn, so that no
        side always runs in the wake of the same other one.
    warm_up : bool
        Run every side once beforehand without counting it.

    Returns
    -------
    dict of name to list of float, ``repeats`` long
    """
    names = list(sides)
    measured: dict[str, list[float]] = {name: [] for name in names}
    if warm_up:
        for name in names:
            sides[name]()
    for turn in range(repeats):
        for name in names if turn % 2 == 0 else reversed(names):
            start = time.perf_counter()
            value = sides[name]()
            elapsed = time.perf_counter() - start
            measured[name].append(elapsed if value is None else value)
    return measured


def medians(
    sides: Mapping[str, Callable[[], float | None]], *, repeats: int = 5, warm_up: bool = True
) -> dict[str, float]:
    """Return the median of each side's alternating runs; see :func:`alternate`."""
    measured = alternate(sides, repeats=repeats, warm_up=warm_up)
    return {name: statistics.median(values) for name, values in measured.items()}


def thread_counts(*wanted: int) -> list[int]:
    """Return those of the wanted thread counts for which this process has CPUs."""
    from fastrec.runtime.threads import available_cpus

    return [count for count in wanted if count <= available_cpus()]


class MissingDataError(RuntimeError):
    """A row needs the real data sets, and ``FASTREC_DATA`` names no folder that has them."""


def data_folder(name: str) -> Path:
    """Return the folder of a real data set below ``FASTREC_DATA``.

    Raises
    ------
    MissingDataError
        The variable is unset, or the data set is not there.
    """
    root = os.environ.get("FASTREC_DATA", "").strip()
    if not root:
        raise MissingDataError(
            f"needs the data set {name}: set FASTREC_DATA to the folder that holds it"
        )
    folder = Path(root) / name
    if not folder.is_dir():
        raise MissingDataError(f"needs the data set {name}, which is not in FASTREC_DATA={root}")
    return folder
