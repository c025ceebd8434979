"""What goes in: interaction logs, id maps, readers, splits, queries and synthetic data."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "IdBuilder": "id_builder",
    "IdMap": "ids",
    "Interactions": "interactions",
    "Queries": "queries",
    "Ragged": "ragged",
    "SyntheticPlaylists": "synthetic",
    "as_interactions": "convert",
    "split_by_time": "splits",
    "split_last": "splits",
    "split_users": "splits",
    "synthetic_playlists": "synthetic",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
