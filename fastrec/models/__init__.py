"""The models: one file per family on the contracts of ``base.py``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastrec.models.base import Recommender
    from fastrec.models.doc2vec import Doc2Vec
    from fastrec.models.embedder import Embedder
    from fastrec.models.item2vec import Item2Vec
    from fastrec.models.item_knn import ItemKNN
    from fastrec.models.model import Model
    from fastrec.models.phrases import Phrases
    from fastrec.models.playlist_rnn import PlaylistRNN
    from fastrec.models.popularity import Popularity
    from fastrec.models.registry import MODEL_NAMES, load, model_class
    from fastrec.models.sentence import SentenceVectors
    from fastrec.models.session_knn import SessionKNN
    from fastrec.models.word2vec import Word2Vec
    from fastrec.search.recommendations import Recommendations

_HOMES = {
    "MODEL_NAMES": "fastrec.models.registry",
    "Doc2Vec": "fastrec.models.doc2vec",
    "Embedder": "fastrec.models.embedder",
    "Item2Vec": "fastrec.models.item2vec",
    "ItemKNN": "fastrec.models.item_knn",
    "Model": "fastrec.models.model",
    "Phrases": "fastrec.models.phrases",
    "PlaylistRNN": "fastrec.models.playlist_rnn",
    "Popularity": "fastrec.models.popularity",
    "Recommendations": "fastrec.search.recommendations",
    "Recommender": "fastrec.models.base",
    "SentenceVectors": "fastrec.models.sentence",
    "SessionKNN": "fastrec.models.session_knn",
    "Word2Vec": "fastrec.models.word2vec",
    "load": "fastrec.models.registry",
    "model_class": "fastrec.models.registry",
}

__all__ = [
    "MODEL_NAMES",
    "Doc2Vec",
    "Embedder",
    "Item2Vec",
    "ItemKNN",
    "Model",
    "Phrases",
    "PlaylistRNN",
    "Popularity",
    "Recommendations",
    "Recommender",
    "SentenceVectors",
    "SessionKNN",
    "Word2Vec",
    "load",
    "model_class",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
