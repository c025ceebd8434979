"""From columns as users hand them in to the rows of a log: encoded batch by batch, then sorted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastrec.data import columns as checked
from fastrec.data.id_builder import IdBuilder
from fastrec.data.id_columns import as_id_column
from fastrec.data.ids import IdMap
from fastrec.data.order import run_offsets, sorting_order
from fastrec.errors import InputError
from fastrec.runtime import checks

CONTEXT = "context."  # what the key of a context column begins with, among the keys of encoded rows


@dataclass(frozen=True)
class Roles:
    """Which column of a table plays which role; None where none does.

    ``context`` maps the name that a context column has in the log to the column
    of the table; those among ``categories`` are categories although they hold
    numbers.
    """

    item: str | None = None
    user: str | None = None
    session: str | None = None
    time: str | None = None
    order: str | None = None
    value: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)
    categories: frozenset[str] = frozenset()
    time_unit: str | None = None

    @classmethod
    def of(cls, context: Iterable[str] = (), categories: Iterable[str] = (), **named: Any) -> Roles:
        """Return the roles for column names as users give them to a reader.

        Raises
        ------
        InputError
            No item, neither user nor session, or one column in two roles.
        """
        for role, name in named.items():
            if name is not None and role != "time_unit" and not isinstance(name, str):
                raise InputError(f"{role}= must be the name of a column, got {name!r}")
        coded = column_names("categories", categories)
        contexts = {name: name for name in (*column_names("context", context), *coded)}
        roles = cls(context=contexts, categories=frozenset(coded), **named)
        roles.check()
        return roles

    def check(self) -> None:
        """Raise where the roles do not make a log."""
        if self.item is None:
            raise InputError("item= must be given: what was bought, played or clicked")
        if self.user is None and self.session is None:
            raise InputError("user= or session= must be given: whose history a row belongs to")
        if self.time_unit is not None and self.time is None:
            raise InputError("time_unit= says the unit of the times; give time= too")
        if self.time_unit is not None:
            checks.one_of("time_unit", self.time_unit, checked.TIME_UNITS)
        named: dict[str, str] = {}
        for role in ("user", "session", "item", "value"):
            name = getattr(self, role)
            if name is not None and name in named:
                raise InputError(
                    f"{named[name]}= and {role}= both name the column {name!r}; "
                    "each needs its own (are two swapped?)"
                )
            if name is not None:
                named[name] = role

    def used(self) -> list[tuple[str, str]]:
        """Return (key of the encoded rows, column of the table) for each role that is played."""
        plain = ("user", "session", "item", "time", "order", "value")
        pairs = [(role, getattr(self, role)) for role in plain]
        pairs += [(CONTEXT + name, column) for name, column in self.context.items()]
        return [(key, column) for key, column in pairs if column is not None]

    def pick_from(self, available: Iterable[str], where: str) -> list[str]:
        """Return the different columns of the table that are needed; all must be ``available``."""
        names = list(available)
        for key, column in self.used():
            checked.pick(column, names, key.removeprefix(CONTEXT) + "=", where)
        return list(dict.fromkeys(column for _, column in self.used()))


def column_names(role: str, names: Any) -> list[str]:
    """Return a list of names of columns as a user gives it, checked."""
    if isinstance(names, str):
        raise InputError(f"{role} must be a list of columns, got {names!r}: use [{names!r}]")
    listed = checks.listed(role, names, "a list of names of columns")
    for name in listed:
        if not isinstance(name, str):
            raise InputError(f"{role} must be a list of names of columns, got {name!r} among them")
    return listed


class RowEncoder:
    """Turns batches of a table into arrays of codes and numbers, and knows the ids at the end.

    Parameters
    ----------
    roles : Roles
        Which column is what.
    label : callable
        Gives the name that a column has in messages.
    """

    def __init__(self, roles: Roles, label: Callable[[str], str]) -> None:
        self.roles = roles
        self._label = label
        self._builders: dict[str, IdBuilder] = {}
        self.time_unit: str | None = None
        self.rows = 0

    def encode(self, batch: Callable[[str], Any]) -> dict[str, np.ndarray]:
        """Return the encoded columns of one batch: provisional codes int32, numbers otherwise.

        Parameters
        ----------
        batch : callable
            Returns a column of the batch by its name in the table.
        """
        encoded = {}
        since = f" (counting from row {self.rows})" if self.rows else ""
        for key, column in self.roles.used():
            encoded[key] = self._encode_column(key, batch(column), self._label(column) + since)
        lengths = {self._label(column): len(encoded[key]) for key, column in self.roles.used()}
        self.rows += checked.check_lengths(lengths)
        return encoded

    def _encode_column(self, key: str, values: Any, name: str) -> np.ndarray:
        if key == "time":
            times, unit = checked.time_column(values, self.roles.time_unit, name)
            if self.time_unit not in (None, unit):
                raise InputError(f"{name} changes its unit from {self.time_unit} to {unit}")
            self.time_unit = unit
            return times
        if key == "order":
            return _order_numbers(values, name)
        if key == "value":
            return checked.value_column(values, name)
        if key.startswith(CONTEXT) and not self._is_category(key, values):
            return checked.context_numbers(values, name)
        builder = self._builders.setdefault(key, IdBuilder(name))
        builder.name = name
        return builder.add_column(as_id_column(values, name))

    def _is_category(self, key: str, values: Any) -> bool:
        if key.removeprefix(CONTEXT) in self.roles.categories or key in self._builders:
            return True
        return self.rows == 0 and checked.is_text(values)

    def finish(self) -> tuple[dict[str, IdMap], dict[str, np.ndarray]]:
        """Return the id map of each column of ids, and the final code of each provisional one.

        A column whose codes are final already has no entry in the second.
        """
        maps, finals = {}, {}
        for key, builder in self._builders.items():
            maps[key], final = builder.finish()
            if final is not None:
                finals[key] = final
        return maps, finals


def _order_numbers(values: Any, name: str) -> np.ndarray:
    """Return a column to sort by as int64 or float64."""
    array = checked.plain_array(values, name)
    if array.dtype.kind == "M":
        return checked.time_column(array, None, name)[0]
    if array.dtype.kind == "f" and np.isfinite(array).all():
        return array.astype(np.float64)
    if array.dtype.kind not in "iu" and len(array):
        raise InputError(f"{name} must hold finite numbers or times, got dtype {array.dtype}")
    return array.astype(np.int64)


class RowCollector:
    """Keeps encoded batches in memory and puts them together as one table of rows."""

    def __init__(self, encoder: RowEncoder) -> None:
        self.encoder = encoder
        self._pieces: dict[str, list[np.ndarray]] = {}

    def add(self, batch: Callable[[str], Any]) -> None:
        """Encode and keep one batch."""
        for key, array in self.encoder.encode(batch).items():
            self._pieces.setdefault(key, []).append(array)

    def finish(self) -> tuple[dict[str, np.ndarray], dict[str, IdMap]]:
        """Return the columns with final codes, rows in the order they came, and the id maps."""
        maps, finals = self.encoder.finish()
        whole = {}
        for key in list(self._pieces):
            pieces = self._pieces.pop(key)
            array = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
            del pieces
            whole[key] = finals[key][array] if key in finals else array
        return whole, maps


def sort_rows(rows: dict[str, np.ndarray]) -> np.ndarray:
    """Sort rows by user, session, time and order, in place of ``rows``, and drop the order.

    Returns
    -------
    ndarray of int64, shape (histories + 1,)
        Where each history, a run of equal user and session, begins.
    """
    keys = [rows[key] for key in ("user", "session", "time", "order") if key in rows]
    order = sorting_order(keys)
    del keys
    rows.pop("order", None)
    if order is not None:
        for key in rows:
            rows[key] = rows[key][order]
    return run_offsets([rows[key] for key in ("user", "session") if key in rows])
