"""How files are opened and replaced: a reader finds the old file or the new one, never a half.

A file is written under a temporary name beside its target, flushed to the disk
and then renamed over it. A failure on the way (full disk, Ctrl-C, a killed
process) leaves what was there before.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from typing import BinaryIO

from fastrec.errors import FastrecError, InputError
from fastrec.runtime.checks import file_path

Path = str | os.PathLike[str]


def open_to_read(path: Path) -> BinaryIO:
    """Open a file for reading bytes.

    Raises
    ------
    InputError
        There is no such file, it is a folder, or it may not be read.
    """
    name = file_path(path)
    if os.path.isdir(name):
        raise InputError(f"{name!r} is a folder, expected a file; name a file inside it")
    try:
        return open(name, "rb")
    except FileNotFoundError:
        folder = os.path.dirname(os.path.abspath(name))
        where = "its folder is there" if os.path.isdir(folder) else f"nor a folder {folder!r}"
        raise InputError(f"there is no file {name!r} ({where}); check the path") from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {name!r}: {_reason(error)}") from error


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a new binary file that takes the place of ``path`` when the block ends well.

    The bytes are on the disk before the rename, and the rename is too where the
    system lets a folder be flushed. A link keeps pointing where it points: the
    file behind it is replaced, with its access rights. When the block raises, the
    temporary file is removed and ``path`` is as it was; after ``kill -9`` a file
    ``.NAME.XXXXXXXX.tmp`` may stay behind.

    Raises
    ------
    InputError
        The folder does not exist, or ``path`` is a folder, a device, a pipe or a socket.
    FastrecError
        The system refused to write (full disk, access rights); the cause is the
        ``OSError``.
    """
    target = os.path.realpath(file_path(path))
    folder, name = os.path.split(target)
    if os.path.isdir(target):
        raise InputError(f"{path!s} is a folder, expected the name of a file to write")
    if os.path.exists(target) and not os.path.isfile(target):
        # Renamed over, /dev/null would be a file from then on, for every program.
        raise InputError(
            f"{path!s} is a device, a pipe or a socket, expected the name of a file to write"
        )
    if not os.path.isdir(folder):
        raise InputError(f"cannot write {path!s}: there is no folder {folder!r}; create it first")
    temporary = os.path.join(folder, f".{name[:200]}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _copy_access_rights(target, temporary)
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            before = "the old file is unchanged" if os.path.exists(target) else "nothing is left"
            raise FastrecError(
                f"could not write {path!s}: {_reason(error)}; {before}; "
                "free some space or write to another folder"
            ) from error
        raise
    _flush_folder(folder)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _copy_access_rights(source: str, target: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.chmod(target, os.stat(source).st_mode & 0o777)


def _flush_folder(folder: str) -> None:
    """Make the rename durable; Windows and some network disks cannot flush a folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
