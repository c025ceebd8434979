"""The ways to files and back; a part of :class:`~fastrec.search.vectors.Vectors`.

What reads and writes tables and what draws is imported when it is first used: it
would double the time to import vectors.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fastrec.data.ids import IdMap
from fastrec.errors import FormatError
from fastrec.runtime import checks
from fastrec.storage import word2vec

if TYPE_CHECKING:
    from fastrec.search.projection import Projection

Path = str | os.PathLike[str]


class VectorFiles:
    """How :class:`Vectors` are saved, loaded and drawn; not meant to be used by itself."""

    ids: IdMap
    matrix: np.ndarray

    if TYPE_CHECKING:

        def __init__(self, ids: IdMap, matrix: np.ndarray) -> None: ...
        def project(self, ids: Any = None) -> Projection: ...  # noqa: D102
        def _codes(self, ids: Any) -> np.ndarray: ...

    def save_word2vec(self, path: Path, binary: bool = False) -> None:
        """Write the vectors in word2vec's text or binary format, for gensim and others.

        The file replaces ``path`` only when it is whole. Whole-number ids are
        written in decimal.

        Raises
        ------
        InputError
            An id that is empty or has white space inside (the formats cannot hold
            it), a vector that is not finite, a path that cannot be written.
        FastrecError
            The system could not write it (full disk); the old file is unchanged.
        """
        word2vec.write(path, self.ids, self.matrix, checks.flag("binary", binary))

    @classmethod
    def load_word2vec(cls, path: Path, binary: bool | None = None, kind: str | None = None) -> Self:
        """Read vectors in word2vec's text or binary format.

        Parameters
        ----------
        path : str or path-like
            The file.
        binary : bool or None
            Whether it is binary; None looks at the first entry.
        kind : {"str", "int"} or None
            What the ids are, for the formats only know text. None: whole numbers where
            there are ids and all are decimal ones from 0 to 2**63 - 1 without leading
            zeros, as :meth:`save_word2vec` writes them; else strings. Name the kind
            where the ids are words that could all be numbers.

        Raises
        ------
        InputError
            There is no such file, or it is a folder.
        FormatError
            Not of the format, truncated, numbers that are not finite, an id that
            occurs twice, or with ``kind="int"`` one that is no whole number; the line
            or entry is named.
        """
        if kind is not None:
            checks.one_of("kind", kind, ("str", "int"))
        if binary is not None:
            checks.flag("binary", binary)
        names, matrix = word2vec.read(path, binary)
        if kind is None:
            kind = "int" if word2vec.are_whole_numbers(names) else "str"
        given = word2vec.whole_numbers(path, names) if kind == "int" else names
        return cls._of_rows(path, given, matrix)

    def save_npz(self, path: Path) -> None:
        """Write a NumPy archive with the arrays ``ids`` and ``vectors``.

        ``numpy.load(path)`` reads it, nothing in it is pickled. The file replaces
        ``path`` only when it is whole. String ids are stored at the width of the
        longest, four bytes a character: for long ones :meth:`to_parquet` is smaller.

        Raises
        ------
        InputError
            A vector that is not finite, an id that ends in a NUL character, a path
            that cannot be written.
        FastrecError
            The system could not write it (full disk); the old file is unchanged.
        """
        from fastrec.storage import vector_tables

        vector_tables.write_npz(path, self.ids, self.matrix)

    @classmethod
    def load_npz(cls, path: Path) -> Self:
        """Read a NumPy archive with the arrays ``ids`` and ``vectors``; nothing is unpickled.

        Parameters
        ----------
        path : str or path-like
            Written by :meth:`save_npz` or ``numpy.savez``. Ids are whole numbers or
            fixed-width strings, vectors of any float type become float32.

        Raises
        ------
        InputError
            There is no such file, it is a folder, or ids are negative.
        FormatError
            No such archive, arrays missing, of another type or shape, numbers that are
            not finite, an id that occurs twice.
        """
        from fastrec.storage import vector_tables

        ids, matrix = vector_tables.read_npz(path)
        return cls._of_rows(path, ids, matrix)

    def to_parquet(self, path: Path) -> None:
        """Write a Parquet file with the columns ``id`` and ``vector``.

        ``vector`` is a list of ``dim`` float32, which pandas, polars and DuckDB read.
        The file replaces ``path`` only when it is whole.

        Raises
        ------
        InputError
            pyarrow is not installed, a vector is not finite, or a path that cannot be
            written.
        FastrecError
            The system could not write it (full disk); the old file is unchanged.
        """
        from fastrec.storage import vector_tables

        vector_tables.write_parquet(path, self.ids, self.matrix)

    @classmethod
    def from_parquet(cls, path: Path, *, id: str = "id", vector: str = "vector") -> Self:
        """Read vectors from a Parquet file, or from a folder of such files.

        Parameters
        ----------
        path : str or path-like
            A row an id.
        id, vector : str
            The column of ids, whole numbers or strings, and that of the vectors: lists of
            one length, of any float type, which become float32.

        Raises
        ------
        InputError
            pyarrow is not installed, there is no such file or column, no row, or ids
            are missing or negative.
        FormatError
            The file is damaged, vectors differ in length, numbers are missing or not
            finite, an id occurs twice.
        """
        from fastrec.storage import vector_tables

        ids, matrix = vector_tables.read_parquet(path, id, vector)
        return cls._of_rows(path, ids, matrix)

    def plot(
        self,
        ids: Any,
        path: Path,
        *,
        title: str | None = None,
        labels: Sequence[Any] | None = None,
        groups: Sequence[Any] | None = None,
    ) -> Projection:
        """Draw vectors as points with names, by :meth:`project`, into a PNG file.

        Parameters
        ----------
        ids : id, sequence of n ids, or None
            Whose vectors; None: all.
        path : str or path-like
            Ends in ``.png``. The file is replaced only when the picture is whole.
        title : str or None
            Above the picture.
        labels : sequence of n, or None
            What stands beside the points, of any script; "" for nothing. None: the ids.
        groups : sequence of n, or None
            Points of one group share a colour, which a legend names; None among them is
            grey.

        Returns
        -------
        Projection
            What is drawn.

        Raises
        ------
        UnknownIdError
            An id without a vector.
        InputError
            matplotlib is not installed, there is nothing to draw, lengths differ, or the
            path cannot be written.
        FastrecError
            The system could not write it (full disk); the old file is unchanged.

        Notes
        -----
        Placing names costs O(n^2); beyond a few hundred they cover each other. What no
        installed font can draw is shown as U+FFFD. No window, and no state of pyplot.
        """
        from fastrec.search import picture

        projection = self.project(ids)
        names = self.ids.ids if ids is None else self.ids.decode(self._codes(ids))
        picture.draw(
            projection,
            path,
            title=title,
            labels=names.tolist() if labels is None else labels,
            groups=groups,
        )
        return projection

    @classmethod
    def _of_rows(cls, path: Path, given: Any, matrix: np.ndarray) -> Self:
        """Return vectors of different ids in the order of their rows."""
        ids, codes = IdMap.from_ids(given, f"ids of {path!s}")
        if len(ids) < len(codes):
            again = int(np.flatnonzero(np.bincount(codes)[codes] > 1)[0])
            row = int(np.flatnonzero(codes == codes[again])[1])
            [id] = ids.decode(codes[[row]]).tolist()
            raise FormatError(
                f"row {row} of {path!s} repeats the id {id!r} of row {again}; an id has one "
                "vector, remove one of the two"
            )
        # A new map numbers whole numbers in ascending order; the rows are in that of the file.
        return cls(ids.take(codes) if ids.kind == "int" else ids, matrix)
