"""Every model's class by its name, and the loading of a model file into the right one."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

from fastrec.errors import FormatError, InputError
from fastrec.runtime import checks
from fastrec.storage import model_file

if TYPE_CHECKING:
    from fastrec.models.model import Model

_MODULES = {
    "Doc2Vec": "fastrec.models.doc2vec",
    "Item2Vec": "fastrec.models.item2vec",
    "ItemKNN": "fastrec.models.item_knn",
    "Phrases": "fastrec.models.phrases",
    "PlaylistRNN": "fastrec.models.playlist_rnn",
    "Popularity": "fastrec.models.popularity",
    "SentenceVectors": "fastrec.models.sentence",
    "SessionKNN": "fastrec.models.session_knn",
    "Word2Vec": "fastrec.models.word2vec",
}
MODEL_NAMES = {
    "doc2vec": "Doc2Vec",
    "item-knn": "ItemKNN",
    "item2vec": "Item2Vec",
    "playlist-rnn": "PlaylistRNN",
    "popularity": "Popularity",
    "sentencevectors": "SentenceVectors",
    "session-knn": "SessionKNN",
    "word2vec": "Word2Vec",
}
"""Command-line names of the models, and the classes that they name."""


def model_class(name: str) -> type[Model]:
    """Return the model class called ``name``, as a class ("Item2Vec") or on the command line.

    Raises
    ------
    InputError
        There is none; the message suggests the closest name.
    """
    if not isinstance(name, str):
        raise InputError(f"a model is named by a string such as 'item2vec', got {name!r}")
    class_name = MODEL_NAMES.get(name, name)
    if class_name not in _MODULES:
        raise InputError(
            f"there is no model {name!r}, there are {', '.join(MODEL_NAMES)}"
            f"{checks.did_you_mean(name, MODEL_NAMES)}"
        )
    found: type[Model] = getattr(importlib.import_module(_MODULES[class_name]), class_name)
    return found


def load(path: str | os.PathLike[str], *, mmap: bool = False, verify: bool | None = None) -> Model:
    """Load a model from the file that its ``save`` has written.

    Parameters
    ----------
    path : str or path-like
        The file.
    mmap : bool
        Map the matrices, read-only, instead of reading them: opening takes
        milliseconds whatever the size, and processes share the memory.
    verify : bool or None
        Compare everything that the file holds with the checksums in it. None: where it is
        read, which costs about a quarter of the reading, and not where it is mapped, for
        that would read all of it. A file without checksums, of an older version, loads as
        it is, unless they were asked for.

    Returns
    -------
    Model
        Of the class that was saved, ready to answer.

    Raises
    ------
    InputError
        There is no such file, or it is a folder.
    FormatError
        Truncated, damaged, of a newer version, or not a model of fastrec.
    """
    content = model_file.load(path, mmap, verify)
    return restore(content, repr(os.fspath(path)))


def restore(content: model_file.ModelFile, name: str) -> Model:
    """Build the model that a model file describes; ``name`` is for the error."""
    if content.class_name not in _MODULES:
        raise FormatError(
            f"{name} holds a model of class {content.class_name!r}, which this version of fastrec "
            f"does not have; it was saved by fastrec {content.fastrec_version}"
        )
    cls = model_class(content.class_name)
    try:
        model = cls(**content.params)
        model._restore(content.arrays, content.state)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise FormatError(
            f"{name} is damaged: what it holds does not make a {content.class_name} "
            f"({type(error).__name__}: {error}); save the model again"
        ) from error
    return model
