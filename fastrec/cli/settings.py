"""``--set key=value``, read by the model's own signature."""

from __future__ import annotations

import ast
import inspect
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

from fastrec.errors import InputError
from fastrec.runtime import checks

_NAMES = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    types.NoneType: "none",
}


def parse_settings(model_class: type, assignments: Sequence[str]) -> dict[str, Any]:
    """Return the parameters that ``--set key=value`` gives, each in the type of its parameter.

    Parameters
    ----------
    model_class : type
        Its constructor names the parameters and annotates them.
    assignments : sequence of str
        ``key=value``; the last one of a key wins.

    Raises
    ------
    InputError
        No ``=``, an unknown key (the closest is suggested) or a value of another type.
    """
    signature = inspect.signature(model_class)
    hints = typing.get_type_hints(model_class.__init__)  # type: ignore[misc]
    settings = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        key = key.strip()
        if not equals:
            raise InputError(f"--set takes key=value, got {assignment!r}")
        if key not in signature.parameters:
            known = signature.parameters
            raise InputError(
                f"{model_class.__name__} has no parameter {key!r}, it has "
                f"{', '.join(known) or 'none'}{checks.did_you_mean(key, known)}"
            )
        settings[key] = _convert(key, text.strip(), hints[key])
    return settings


def _convert(key: str, text: str, hint: Any) -> Any:
    """Return ``text`` as the first type of ``hint`` that it can be."""
    is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    options = typing.get_args(hint) if is_union else (hint,)
    if any(typing.get_origin(option) is Callable for option in options):
        raise InputError(
            f"--set {key}={text}: {key} is a function of Python, which a line cannot give; leave "
            "it out, or train with the library"
        )
    # Strings last: anything can be a string.
    for option in sorted(options, key=lambda option: option is str):
        try:
            return _read(text, option)
        except ValueError:
            continue
    expected = " or ".join(_NAMES.get(option, str(option)) for option in options)
    raise InputError(f"--set {key}={text}: expected {expected}")


def _read(text: str, option: Any) -> Any:
    """Return ``text`` as one type; ValueError where it is none."""
    if option is types.NoneType or option is bool:
        words = {"none": None} if option is types.NoneType else {"true": True, "false": False}
        if text.lower() not in words:
            raise ValueError(text)
        return words[text.lower()]
    if option in (int, float, str):
        return option(text)
    # Anything else is written as in Python: (256, 128).
    try:
        return ast.literal_eval(text)
    except SyntaxError:
        raise ValueError(text) from None
