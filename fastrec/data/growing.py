"""Arrays that grow at their end, in memory until they are large and in a file from then on."""

from __future__ import annotations

import array
import mmap
import tempfile
from typing import IO, Any

import numpy as np

from fastrec.errors import FastrecError


class GrowingArray:
    """A one-dimensional array of a length that nobody knows beforehand.

    Beyond ``limit`` bytes what there is moves to a temporary file without a name
    in the folder that ``TMPDIR`` names (the system's own otherwise), and all that
    follows is written there; the file vanishes with the last view of it, also when
    the process is killed.

    Parameters
    ----------
    dtype : {int32, int64}
    limit : int
        Bytes to hold in memory, 0 or more.
    """

    def __init__(self, dtype: type, limit: int) -> None:
        self.dtype = np.dtype(dtype)
        self.limit = limit
        # array.array grows by realloc in small steps: no second copy, hardly any slack.
        self._memory: array.array[int] = array.array("i" if self.dtype.itemsize == 4 else "q")
        self._file: IO[bytes] | None = None
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, values: np.ndarray) -> None:
        """Add values, shape (n,), at the end.

        Raises
        ------
        FastrecError
            The temporary file cannot be written; the cause is the ``OSError``.
        """
        part = np.ascontiguousarray(values, self.dtype).view(np.uint8).data
        self._length += len(values)
        if self._file is None and self._length * self.dtype.itemsize <= self.limit:
            self._memory.frombytes(part)
            return
        try:
            if self._file is None:
                # Closed by whoever takes the array, or with this object.
                self._file = tempfile.TemporaryFile(prefix="fastrec-")  # noqa: SIM115
                self._file.write(memoryview(self._memory).cast("B"))
                del self._memory
            self._file.write(part)
        except OSError as error:
            raise self._failed(error) from error

    def finish(self) -> np.ndarray:
        """Return the whole, writeable: in memory, or mapped from the file. Call it once."""
        if self._file is None:
            return np.frombuffer(self._memory, self.dtype)
        try:
            with self._file as file:
                file.flush()
                mapped = mmap.mmap(file.fileno(), self._length * self.dtype.itemsize)
        except OSError as error:
            raise self._failed(error) from error
        return np.frombuffer(mapped, self.dtype)

    def _failed(self, error: OSError) -> FastrecError:
        return FastrecError(
            f"could not write {self._length * self.dtype.itemsize} bytes of codes to a temporary "
            f"file in {tempfile.gettempdir()!r}: {error.strerror}; set TMPDIR to a folder with "
            "room, or raise memory_limit"
        )


def is_mapped(values: np.ndarray) -> bool:
    """Say whether an array lies in a mapped file rather than in memory."""
    base: Any = values
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(base.obj if isinstance(base, memoryview) else base, mmap.mmap)
