"""The record of a training run: one row per epoch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, overload

from fastrec.runtime import checks

Row = dict[str, Any]


class History(Sequence[Row]):
    """One row per epoch, the last one last.

    A row holds ``epoch`` (from 1), ``loss`` (mean over the epoch's examples),
    ``seconds`` of training, ``events_per_second``, ``partial`` (True where the epoch
    was interrupted) and, with a validation set, one entry per metric. Rows of
    ``partial_fit`` follow those of ``fit``.
    """

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        self._rows: list[Row] = []
        for row in checks.listed("rows", rows, "a list of dicts, one an epoch"):
            self.append(row)

    def append(self, row: Row) -> None:
        """Add the row of an epoch."""
        checks.mapping("row", row, "give one with an entry for each column")
        self._rows.append(dict(row))

    def column(self, name: str) -> list[Any]:
        """Return one entry of every row, None where a row lacks it."""
        checks.text("name", name)
        return [row.get(name) for row in self._rows]

    def plot(self, path: str | os.PathLike[str], *, title: str | None = None) -> list[str]:
        """Draw the loss, and the metrics below it, by epoch, as a PNG file.

        Parameters
        ----------
        path : str or path-like
            Ends in ``.png``; replaced only when the picture is whole.
        title : str or None
            Above the picture.

        Returns
        -------
        list of str
            The curves that were drawn.

        Raises
        ------
        InputError
            No epoch, a row without its number, another ending, or matplotlib is not installed.
        """
        from fastrec.training import curves

        return curves.draw(self._rows, path, title)

    def to_rows(self) -> list[Row]:
        """Return copies of the rows: plain values, ready for JSON or a DataFrame."""
        return [dict(row) for row in self._rows]

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"History({len(self._rows)} epochs)\n" + "\n".join(map(_line, self._rows))


def _line(row: Row) -> str:
    parts = [
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in row.items()
        if name != "partial"
    ]
    return ", ".join(parts) + (" (interrupted)" if row.get("partial") else "")
