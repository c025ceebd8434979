"""Groups of tracks, such as those of one artist, of which a playlist takes only so many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastrec.data import IdMap, Ragged
from fastrec.data.ragged import offsets_of
from fastrec.errors import InputError
from fastrec.runtime import checks


@dataclass(frozen=True, eq=False)
class Groups:
    """Which group each track is of.

    Attributes
    ----------
    of_track : int32 ndarray, shape (tracks + 1,)
        The number of the group by code, -1 for none; the code -1 finds -1.
    members : Ragged of int32
        The tracks of each group, ascending.
    """

    of_track: np.ndarray
    members: Ragged

    def __len__(self) -> int:
        """Return the number of groups."""
        return len(self.members)

    @classmethod
    def none(cls, n_tracks: int) -> Groups:
        """Return what says that no track is of any group."""
        empty = Ragged(np.empty(0, np.int32), np.zeros(1, np.int64))
        return cls(np.full(n_tracks + 1, -1, np.int32), empty)

    @classmethod
    def of(cls, given: Any, item_ids: IdMap) -> Groups:
        """Take the groups of tracks as their user gives them.

        Parameters
        ----------
        given : mapping of id to group, or pair (ids, groups)
            The pair has one group for each id: ``(log.item_ids, log.items["artist"])``. Groups
            are numbers or strings; None, "" and NaN are no group. Ids that the model does not
            know are left out.
        item_ids : IdMap
            The model's.

        Raises
        ------
        InputError
            Neither of these, or not one id that the model knows.
        """
        ids, names = _columns(given)
        if len(ids) != len(names):
            raise InputError(
                f"groups must have one group for each id, got {len(ids)} ids and {len(names)} "
                "groups"
            )
        if isinstance(ids, IdMap):
            codes = ids.codes_in(item_ids)[:-1]
        else:
            codes = item_ids.encode(ids, on_unknown="ignore", name="ids of groups")
        if not (codes >= 0).any():
            raise InputError("groups hold not one track that the model knows; are they other ids?")
        of_track = np.full(len(item_ids) + 1, -1, np.int32)
        of_track[codes] = _numbered(names)
        of_track[-1] = -1
        order = np.argsort(of_track[:-1], kind="stable").astype(np.int32)
        without = int((of_track[:-1] < 0).sum())
        counts = np.bincount(of_track[:-1][order[without:]])
        return cls(of_track, Ragged(order[without:], offsets_of(counts)))


def _columns(given: Any) -> tuple[Any, Any]:
    """Return ids and groups, beside each other."""
    if isinstance(given, Mapping):
        return list(given), list(given.values())
    if isinstance(given, tuple) and len(given) == 2:
        ids = given[0] if isinstance(given[0], IdMap) else checks.listed("ids", given[0], "ids")
        return ids, checks.listed("groups", given[1], "groups")
    raise InputError(
        "groups must be a dict of id to group, or a pair of ids and groups such as "
        f"(log.item_ids, log.items['artist']), got {checks.described(given)}"
    )


def _numbered(names: list[Any]) -> np.ndarray:
    """Return a number for each name, in order of first appearance, -1 for what is none."""
    numbers: dict[Any, int] = {}
    found = np.empty(len(names), np.int32)
    for place, name in enumerate(names):
        if name is None or (isinstance(name, str) and name == ""):
            found[place] = -1
            continue
        try:
            number = numbers.setdefault(name, len(numbers))
            found[place] = number if name == name else -1  # NaN is not itself
        except Exception as error:  # what a stranger is compared with may raise anything
            raise InputError(
                f"groups must be numbers or strings, got {checks.described(name)}"
            ) from error
    return found
