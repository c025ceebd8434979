"""A saved model: its class, parameters and state as JSON, its matrices and id maps as arrays.

The file is a safetensors container (:mod:`fastrec.storage.container`) whose
metadata says that it is ours, in which format version, and by which version of
the package it was written. Nothing in it is ever unpickled or executed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastrec.errors import FormatError, InputError
from fastrec.runtime.checks import file_path
from fastrec.runtime.files import Path
from fastrec.storage import container
from fastrec.storage.container import Container

FORMAT = "fastrec-model"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class ModelFile:
    """What a model file holds.

    Attributes
    ----------
    class_name : str
        The name of the model's class.
    params : dict
        The constructor's arguments, as JSON keeps them: a tuple comes back as a list.
    arrays : dict of str to ndarray
        Matrices and id maps; read-only where they are mapped.
    state : dict
        Whatever else the model keeps: training history, counters.
    fastrec_version : str
        The version of the package that wrote the file.
    """

    class_name: str
    params: dict[str, Any]
    arrays: dict[str, np.ndarray]
    state: dict[str, Any]
    fastrec_version: str


def save(
    path: Path,
    class_name: str,
    params: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    state: Mapping[str, Any],
) -> None:
    """Save a model to one file, which replaces ``path`` only when it is whole.

    Parameters
    ----------
    path : str or path-like
        The file; its folder exists.
    class_name : str
        The name under which the class is found again.
    params, state : mapping of str to JSON values
        NumPy scalars are stored as the numbers that they are.
    arrays : mapping of str to ndarray
        See :func:`fastrec.storage.container.write`.

    Raises
    ------
    InputError
        A value that JSON cannot hold, or a path that cannot be written.
    FastrecError
        The system could not write it (full disk); the old file is unchanged.
    """
    container.write(path, arrays, _metadata(class_name, params, state))


def to_bytes(
    class_name: str,
    params: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    state: Mapping[str, Any],
) -> bytes:
    """Return the bytes that :func:`save` would write: what a model's pickle carries."""
    return container.to_bytes(arrays, _metadata(class_name, params, state))


def load(path: Path, mmap: bool = False, verify: bool | None = None) -> ModelFile:
    """Read a file that :func:`save` has written.

    Parameters
    ----------
    path : str or path-like
        The file.
    mmap : bool
        Map the arrays, read-only, instead of reading them: opening takes
        milliseconds whatever the size, and processes share the memory.
    verify : bool or None
        Compare the arrays with their checksums; None: unless they are mapped.

    Raises
    ------
    InputError
        There is no such file, or it is a folder.
    FormatError
        Truncated, damaged, of a newer format version, or not a model of fastrec.
    """
    return _model_file(file_path(path), container.read(path, mmap, verify))


def from_bytes(content: bytes) -> ModelFile:
    """Return what :func:`to_bytes` was given; raises ``FormatError`` as :func:`load` does."""
    return _model_file("bytes", container.from_bytes(content))


def _metadata(
    class_name: str, params: Mapping[str, Any], state: Mapping[str, Any]
) -> dict[str, str]:
    return {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "fastrec_version": _package_version(),
        "class": class_name,
        "params": _to_json("params", params),
        "state": _to_json("state", state),
    }


def _model_file(name: str, content: Container) -> ModelFile:
    metadata = content.metadata
    if metadata.get("format") != FORMAT:
        raise FormatError(
            f"{name!r} is a safetensors file but no model of fastrec "
            f"(format {metadata.get('format')!r}, expected {FORMAT!r}); "
            "load it with the library that saved it"
        )
    _check_version(name, metadata)
    try:
        class_name = metadata["class"]
        params, state = json.loads(metadata["params"]), json.loads(metadata["state"])
    except (KeyError, ValueError, RecursionError) as error:
        raise FormatError(
            f"{name!r} is damaged: its metadata lacks the class, params or state ({error}); "
            "save the model again"
        ) from None
    if not isinstance(params, dict) or not isinstance(state, dict):
        raise FormatError(f"{name!r} is damaged: its params and state are no JSON objects")
    return ModelFile(
        class_name, params, content.arrays, state, metadata.get("fastrec_version", "unknown")
    )


def _check_version(name: str, metadata: Mapping[str, str]) -> None:
    version = metadata.get("format_version", "")
    if not re.fullmatch(r"[1-9][0-9]{0,8}", version):
        raise FormatError(
            f"{name!r} is damaged: its format version is {version!r}, expected a whole number"
        )
    if int(version) > FORMAT_VERSION:
        raise FormatError(
            f"{name!r} is of a newer version: fastrec {metadata.get('fastrec_version', '?')} wrote "
            f"it in format {version}, this is fastrec {_package_version()}, which reads up to "
            f"format {FORMAT_VERSION}; upgrade with: pip install --upgrade fastrec-engine"
        )


def _to_json(what: str, values: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(values), separators=(",", ":"), default=_plain_number)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"{what} must hold numbers, strings, booleans, None, lists and tables of them to be "
            f"saved: {error}"
        ) from None


def _plain_number(value: Any) -> Any:
    if isinstance(value, np.generic) and not isinstance(value, np.void):
        return value.item()
    raise TypeError(f"got {value!r} of type {type(value).__name__}")


def _package_version() -> str:
    from importlib import metadata  # 10 ms, needed by nobody who only imports the package

    try:
        return metadata.version("fastrec-engine")
    except metadata.PackageNotFoundError:
        return "unknown"
