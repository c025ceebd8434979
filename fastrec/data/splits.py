"""Cutting a log in two, a part to learn from and a part to be asked about, over the same ids."""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import Any

import numpy as np

from fastrec.data.columns import PER_SECOND, time_column
from fastrec.data.interactions import Interactions, require_log
from fastrec.data.ragged import ranges
from fastrec.data.selection import row_histories, select_rows
from fastrec.errors import InputError
from fastrec.runtime import checks, random


def split_by_time(
    log: Interactions,
    *,
    fraction: float | None = None,
    after: Any | None = None,
    whole_histories: bool = True,
) -> tuple[Interactions, Interactions]:
    """Return the log before a moment and the log after it.

    Parameters
    ----------
    log : Interactions
        With time.
    fraction : float or None
        The share of histories (or events) in the second part. Those of one and the same
        moment stay together, in the first, so the share may come out smaller.
    after : int, datetime, datetime64, ISO text, or None
        The moment itself, instead of a fraction; whole numbers are in the log's unit, times
        without a zone are UTC. What happened at that very moment is in the first part.
    whole_histories : bool
        True: histories stay whole, and go by the time of their last event. False: every
        event goes by its own time, so that a history may be in both parts.

    Raises
    ------
    InputError
        No time in the log, both or neither of fraction and after, or a part without rows.
    """
    require_log("log", log)
    if log.time is None:
        raise InputError("split_by_time needs a log with time=")
    if (fraction is None) == (after is None):
        raise InputError("give either fraction= or after=, not both")
    whole = checks.flag("whole_histories", whole_histories)
    times = log.time[log.history_offsets[1:] - 1] if whole else log.time
    cut = _moment(after, log.time_unit) if fraction is None else _quantile(times, fraction)
    later = times > cut
    if later.all() or not later.any():
        part = "first" if later.all() else "second"
        raise InputError(
            f"the {part} part is empty: times run from {times.min()} to {times.max()} "
            f"({log.time_unit}) and the cut is at {cut}"
        )
    rows = later[row_histories(log)] if whole else later
    return select_rows(log, ~rows), select_rows(log, rows)


def _quantile(times: np.ndarray, fraction: float) -> int:
    """Return the largest time that leaves at most ``fraction`` of all after it."""
    share = checks.real_number("fraction", fraction, 0, 1)
    if share in (0, 1):
        raise InputError(f"fraction must lie between 0 and 1, got {fraction}")
    rank = min(len(times) - 1, max(0, len(times) - 1 - math.floor(share * len(times) + 1e-9)))
    return int(np.partition(times, rank)[rank])


def _moment(after: Any, unit: str | None) -> int:
    """Return a moment in the unit of the log, rounded down."""
    if isinstance(after, (bool, float)):
        raise InputError(f"after must be a whole number or a time, got {after!r}")
    if isinstance(after, (int, np.integer)):
        return int(after)
    if isinstance(after, date) and not isinstance(after, datetime):
        after = datetime(after.year, after.month, after.day)
    try:
        moment = np.array([np.datetime64(after)]) if not isinstance(after, datetime) else [after]
        ticks, own = time_column(np.asarray(moment), None, "after")
    except (ValueError, TypeError) as error:
        raise InputError(
            f"after must be a whole number or a time, got {after!r}: {error}"
        ) from None
    return int(ticks[0]) * PER_SECOND[unit or "s"] // PER_SECOND[own]


def split_last(log: Interactions, n: int = 1) -> tuple[Interactions, Interactions]:
    """Return the log without the last ``n`` events of each history, and the log of these.

    Histories of ``n`` events or fewer stay whole in the first part, for nothing would be
    known of them there.

    Raises
    ------
    InputError
        ``n`` is no whole number of at least 1, or no history is longer.
    """
    checks.whole_number("n", n)
    require_log("log", log)
    lengths = np.diff(log.history_offsets)
    long = lengths > n
    if not long.any():
        raise InputError(f"no history is longer than n={n} events; the longest has {lengths.max()}")
    held = np.zeros(len(log), np.bool_)
    held[ranges(log.history_offsets[1:][long] - n, np.full(int(long.sum()), n))] = True
    return select_rows(log, ~held), select_rows(log, held)


def split_users(
    log: Interactions, *, fraction: float, seed: int = 0
) -> tuple[Interactions, Interactions]:
    """Return the log without some users drawn by chance, and the log of these, all their rows.

    In a log without users, sessions are drawn. Deterministic for a seed.

    Parameters
    ----------
    log : Interactions
        Any.
    fraction : float
        The share of users in the second part, rounded to whole ones.
    seed : int
        Of the draw.

    Raises
    ------
    InputError
        The fraction leaves a part without users.
    """
    require_log("log", log)
    share = checks.real_number("fraction", fraction, 0, 1)
    checks.whole_number("seed", seed, 0)
    codes = log.owner
    present = np.unique(codes)
    count = round(share * len(present))
    if not 0 < count < len(present):
        raise InputError(
            f"fraction={fraction} of {len(present)} users leaves a part without any; choose another"
        )
    drawn = random.generator(seed, "split_users").permutation(len(present))[:count]
    is_drawn = np.zeros(int(present[-1]) + 1, np.bool_)
    is_drawn[present[drawn]] = True
    rows = is_drawn[codes]
    return select_rows(log, ~rows), select_rows(log, rows)
