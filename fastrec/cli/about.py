"""Whose histories a command asks about, and in what context."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fastrec.cli.inputs import parse_id, parse_ids
from fastrec.errors import InputError

Users = Annotated[
    list[str] | None,
    typer.Option(
        "--user",
        metavar="ID",
        help="User, where the model has user features: one for all histories, or one for each.",
    ),
]
Context = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="Context column or user feature; VALUE for all histories, or one for each, "
        "separated by commas or as a JSON list. May be given again.",
    ),
]


def about(
    model: Any, count: int, users: list[str] | None, context: list[str] | None
) -> dict[str, Any]:
    """Return the arguments ``users`` and ``context`` of a question about ``count`` histories.

    Raises
    ------
    InputError
        The model reads neither, a column is unknown or given twice, or values are not of its kind
        or of another number than one or ``count``.
    """
    if not users and not context:
        return {}
    option = "--user" if users else "--context"
    kinds: dict[str, str] = getattr(model, "feature_kinds", {})
    if not kinds:
        raise InputError(
            f"this {type(model).__name__} was fitted without context and user features; leave "
            f"out {option}"
        )
    found: dict[str, Any] = {}
    if users:
        if model.user_ids is None:
            raise InputError("the model was fitted without user features; leave out --user")
        given = [parse_id("--user", text, model.user_ids.kind) for text in users]
        found["users"] = _for_each("--user", given, count)
    for text in context or ():
        name, sign, values = text.partition("=")
        if not sign:
            raise InputError(f"--context takes NAME=VALUE, such as device=mobile, got {text[:60]}")
        columns = found.setdefault("context", {})
        if name in columns:
            raise InputError(f"--context names {name!r} twice; give its values once")
        option = f"--context {name}"
        parsed = _values(option, values, kinds.get(name, "str"))  # the model refuses other names
        columns[name] = _for_each(option, parsed, count)
    return found


def _values(option: str, text: str, kind: str) -> list[Any]:
    if kind != "number":
        return list(parse_ids(option, text, kind))
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"{option} takes numbers, got {text[:60]}") from None


def _for_each(option: str, values: list[Any], count: int) -> list[Any]:
    """Return one value a history."""
    if len(values) == 1:
        return values * count
    if len(values) != count:
        raise InputError(
            f"{option} takes one value, or one for each of {count} histories, got {len(values)}"
        )
    return values
