"""fastrec: one compiled engine for embedding and sequence recommenders.

A person's ordered history goes in; ranked items and vectors come out. The names
here are loaded when they are first used, so that importing the package costs
next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastrec.data import (
        Corpus,
        IdMap,
        Interactions,
        Queries,
        Ragged,
        split_by_time,
        split_last,
        split_users,
        synthetic_playlists,
    )
    from fastrec.errors import (
        DeviceError,
        DivergedError,
        FastrecError,
        FormatError,
        InputError,
        NotFittedError,
        UnknownIdError,
    )
    from fastrec.evaluation import (
        AnalogyEvaluation,
        Evaluation,
        SimilarityEvaluation,
        evaluate,
        evaluate_analogies,
        evaluate_similarity,
    )
    from fastrec.models import (
        Doc2Vec,
        Embedder,
        Item2Vec,
        ItemKNN,
        Phrases,
        PlaylistRNN,
        Popularity,
        Recommendations,
        Recommender,
        SentenceVectors,
        SessionKNN,
        Word2Vec,
        load,
    )
    from fastrec.search import TopK, TopKIndex, Vectors, select
    from fastrec.training import Callback, Checkpoint, EarlyStopping, History, StopAt

_HOMES = {
    "fastrec.data": (
        *("Corpus", "IdMap", "Interactions", "Queries", "Ragged"),
        *("split_by_time", "split_last", "split_users", "synthetic_playlists"),
    ),
    "fastrec.errors": (
        *("DeviceError", "DivergedError", "FastrecError", "FormatError"),
        *("InputError", "NotFittedError", "UnknownIdError"),
    ),
    "fastrec.evaluation": (
        *("AnalogyEvaluation", "Evaluation", "SimilarityEvaluation"),
        *("evaluate", "evaluate_analogies", "evaluate_similarity"),
    ),
    "fastrec.models": (
        *("Doc2Vec", "Embedder", "Item2Vec", "ItemKNN", "Phrases", "PlaylistRNN", "Popularity"),
        *("Recommendations", "Recommender", "SentenceVectors", "SessionKNN", "Word2Vec", "load"),
    ),
    "fastrec.search": ("TopK", "TopKIndex", "Vectors", "select"),
    "fastrec.training": ("Callback", "Checkpoint", "EarlyStopping", "History", "StopAt"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AnalogyEvaluation",
    "Callback",
    "Checkpoint",
    "Corpus",
    "DeviceError",
    "DivergedError",
    "Doc2Vec",
    "EarlyStopping",
    "Embedder",
    "Evaluation",
    "FastrecError",
    "FormatError",
    "History",
    "IdMap",
    "InputError",
    "Interactions",
    "Item2Vec",
    "ItemKNN",
    "NotFittedError",
    "Phrases",
    "PlaylistRNN",
    "Popularity",
    "Queries",
    "Ragged",
    "Recommendations",
    "Recommender",
    "SentenceVectors",
    "SessionKNN",
    "SimilarityEvaluation",
    "StopAt",
    "TopK",
    "TopKIndex",
    "UnknownIdError",
    "Vectors",
    "Word2Vec",
    "evaluate",
    "evaluate_analogies",
    "evaluate_similarity",
    "load",
    "select",
    "split_by_time",
    "split_last",
    "split_users",
    "synthetic_playlists",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("fastrec-engine")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'fastrec' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])
