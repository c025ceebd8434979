"""Noticing ids of the wrong table: users given as items, or another catalogue altogether."""

from __future__ import annotations

import numpy as np

from fastrec.data.ids import IdMap
from fastrec.errors import InputError

FEW, MOST = 0.5, 0.9


def refuse_swapped(
    items: IdMap, users: IdMap | None, known_items: IdMap, known_users: IdMap | None
) -> None:
    """Raise where ids fit the known ones much better with users and items exchanged.

    Fewer than half of the items are known as items, but nine in ten are known as
    users, and nine in ten of the users as items.
    """
    if users is None or known_users is None or items is known_items:
        return
    if (
        _share(items, known_items) < FEW
        and _share(items, known_users) > MOST
        and _share(users, known_items) > MOST
    ):
        raise InputError(
            "users and items look swapped: "
            f"{_share(items, known_users):.0%} of the items are known as users and "
            f"{_share(users, known_items):.0%} of the users as items; exchange user= and item="
        )


def refuse_unknown(is_any_known: bool, asked: int, known: int) -> None:
    """Raise where not one of the ``asked`` items, of histories and targets, is a known one."""
    if not is_any_known:
        raise InputError(
            f"not one of {asked} items asked about is among the {known} known ones; "
            "are users given as items, or is this another catalogue?"
        )


def _share(ids: IdMap, among: IdMap) -> float:
    """Return the share of ``ids`` that another map knows."""
    if len(ids) == 0 or ids.kind != among.kind:
        return 0.0
    return float(np.mean(ids.codes_in(among)[:-1] >= 0))
