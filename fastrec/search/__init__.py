"""Top-k search over item vectors, and the vectors themselves."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Recommendations": "recommendations",
    "TopK": "result",
    "TopKIndex": "index",
    "Vectors": "vectors",
    "select": "selection",
}

__all__ = ["Recommendations", "TopK", "TopKIndex", "Vectors", "select"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
