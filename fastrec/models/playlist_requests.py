"""The arguments of ``generate``, checked and turned into rules on the model's codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastrec.data import Ragged
from fastrec.errors import InputError
from fastrec.generation.groups import Groups
from fastrec.generation.rules import NO_LIMIT, Rules
from fastrec.generation.sampling import Choice
from fastrec.models.base import Recommender
from fastrec.models.requests import is_row
from fastrec.runtime import checks

STRATEGIES = ("greedy", "sample", "beam")


def choice_of(temperature: Any, top_k: Any, top_p: Any) -> Choice:
    """Return how tracks are drawn, or say which argument is out of range."""
    used = 1.0
    if temperature is not None:
        used = checks.real_number("temperature", temperature, 0, 1e6)
        if used < 1e-6:
            raise InputError(
                f"temperature must be at least 1e-6, got {temperature!r}; strategy='greedy' always "
                "takes the most likely track"
            )
    if top_k is not None:
        top_k = checks.whole_number("top_k", top_k, maximum=2**31 - 1)
    if top_p is not None:
        top_p = checks.real_number("top_p", top_p, 0, 1)
        if top_p == 0:
            raise InputError("top_p must be above 0, got 0: nothing could be drawn")
    return Choice(used, top_k, top_p)


def rules_of(
    model: Recommender,
    starts: Ragged,
    length: int,
    *,
    allow_repeats: bool,
    exclude: Any,
    allow: Any,
    groups: Any,
    max_in_row: Any,
    max_per_group: Any,
    fixed: Any,
    end: Any,
) -> Rules:
    """Return the rules of playlists with these starts; see ``generate`` for the arguments.

    Raises
    ------
    InputError
        Arguments of another form, or rules that contradict one another.
    UnknownIdError
        A fixed track that the model does not know.
    """
    count = len(starts)
    rules = Rules(
        starts=starts,
        fixed=_fixed_tracks(model, count, length, fixed, end),
        groups=_groups(model, groups, max_in_row, max_per_group),
        repeats=checks.flag("allow_repeats", allow_repeats),
        exclude=model._encode_items("exclude", exclude, count),
        allow=model._encode_items("allow", allow, count),
        most_in_row=NO_LIMIT if max_in_row is None else max_in_row,
        most_in_all=NO_LIMIT if max_per_group is None else max_per_group,
    )
    rules.check(lambda code: model.item_ids.decode(np.array([code])).tolist()[0])
    return rules


def _groups(model: Recommender, groups: Any, max_in_row: Any, max_per_group: Any) -> Groups:
    """Return the groups of tracks, after checking their limits."""
    for name, limit in (("max_in_row", max_in_row), ("max_per_group", max_per_group)):
        if limit is None:
            continue
        checks.whole_number(name, limit, maximum=NO_LIMIT)
        if groups is None:
            raise InputError(
                f"{name} limits groups of tracks; give groups=, for example "
                "groups=(log.item_ids, log.items['artist'])"
            )
    if groups is None:
        return Groups.none(len(model.item_ids))
    if max_in_row is None and max_per_group is None:
        raise InputError("groups limit nothing by themselves; give max_in_row or max_per_group")
    return Groups.of(groups, model.item_ids)


def _fixed_tracks(model: Recommender, count: int, length: int, fixed: Any, end: Any) -> np.ndarray:
    """Return the track that stands at each place, int32 (count, length), -1 where any may."""
    places = np.full((count, length), -1, np.int32)
    if fixed is not None:
        each = [fixed] * count if isinstance(fixed, Mapping) else _one_each("fixed", fixed, count)
        for row, own in enumerate(each):
            if not isinstance(own, Mapping):
                raise InputError(
                    "fixed must be a dict of place to track, or a list of one dict a playlist, got "
                    f"{checks.described(own)}"
                )
            for place, track in own.items():
                at = checks.whole_number("each place of fixed", place, 0, length - 1)
                places[row, at] = _code(model, "fixed", track)
    if end is not None:
        each = _one_each("end", end, count) if is_row(end) else [end] * count
        for row, track in enumerate(each):
            code = _code(model, "end", track)
            if places[row, -1] not in (-1, code):
                raise InputError(
                    f"playlist {row} shall end on {track!r}, but fixed puts another track at its "
                    f"last place, {length - 1}; leave one of them out"
                )
            places[row, -1] = code
    return places


def _one_each(name: str, given: Any, count: int) -> list[Any]:
    listed = checks.listed(name, given, "one for all or one for each playlist")
    if len(listed) != count:
        raise InputError(f"{name} must be one for each of {count} playlists, got {len(listed)}")
    return listed


def _code(model: Recommender, name: str, track: Any) -> int:
    """Return the code of a track that has to be known."""
    code = int(model.item_ids.encode([track], name=f"{name} tracks")[0])
    if code < 0:
        raise InputError(f"{name} must hold tracks, got {track!r}, which is padding")
    return code
