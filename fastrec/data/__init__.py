"""What goes in: interaction logs, texts, id maps, readers, splits, queries, synthetic data."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastrec.data.convert import as_interactions
    from fastrec.data.corpus import Corpus
    from fastrec.data.corpus_convert import as_corpus, encode_documents
    from fastrec.data.id_builder import IdBuilder
    from fastrec.data.ids import IdMap
    from fastrec.data.interactions import Interactions
    from fastrec.data.known_process import SyntheticPlaylists
    from fastrec.data.queries import Queries
    from fastrec.data.ragged import Ragged
    from fastrec.data.splits import split_by_time, split_last, split_users
    from fastrec.data.synthetic import synthetic_playlists
    from fastrec.data.third_order import third_order_playlists

_HOMES = {
    "Corpus": "corpus",
    "IdBuilder": "id_builder",
    "IdMap": "ids",
    "Interactions": "interactions",
    "Queries": "queries",
    "Ragged": "ragged",
    "SyntheticPlaylists": "known_process",
    "as_corpus": "corpus_convert",
    "as_interactions": "convert",
    "encode_documents": "corpus_convert",
    "split_by_time": "splits",
    "split_last": "splits",
    "split_users": "splits",
    "synthetic_playlists": "synthetic",
    "third_order_playlists": "third_order",
}

__all__ = [
    "Corpus",
    "IdBuilder",
    "IdMap",
    "Interactions",
    "Queries",
    "Ragged",
    "SyntheticPlaylists",
    "as_corpus",
    "as_interactions",
    "encode_documents",
    "split_by_time",
    "split_last",
    "split_users",
    "synthetic_playlists",
    "third_order_playlists",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
