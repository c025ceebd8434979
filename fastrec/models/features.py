"""What is known of events and users besides items, as rows of vectors.

A category has a row; a number has one for its column, which is multiplied with it.
Numbers are normalised by the mean and the standard deviation of the log that the model
was fitted on. Categories are strings or ids; one that the model has not seen has no row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastrec.data import IdMap, Interactions, Queries
from fastrec.errors import InputError
from fastrec.nn.network import StepFeatures
from fastrec.runtime import checks

# Standard deviations of a number; beyond them a net's states and scores run out of float32.
MOST_DEVIATIONS = 1e6


@dataclass(frozen=True)
class Column:
    """A context column or a user feature.

    Attributes
    ----------
    name : str
    ids : IdMap or None
        The categories; None for numbers.
    rows : int32 ndarray
        The row of each category, and at the end -1 for none; of numbers their one row.
    mean, deviation : float
        Of the numbers.
    """

    name: str
    ids: IdMap | None
    rows: np.ndarray
    mean: float = 0.0
    deviation: float = 1.0

    @classmethod
    def of(cls, name: str, values: np.ndarray, ids: IdMap | None, first: int) -> Column:
        """Take the values of a log: codes of ``ids``, or numbers; rows begin at ``first``."""
        if ids is not None:
            return cls(name, ids, _rows_from(first, len(ids)))
        numbers = _numbers(name, values)
        deviation = float(numbers.std()) if len(numbers) else 0.0
        mean = float(numbers.mean()) if len(numbers) else 0.0
        return cls(name, None, np.array([first], np.int32), mean, deviation or 1.0)

    def extended(self, ids: IdMap | None, first: int) -> Column:
        """Return the column with the new categories of a log; their rows begin at ``first``."""
        self._check_kind(ids)
        if self.ids is None or ids is None:
            return self
        known = self.ids.extend(ids.ids)
        new = _rows_from(first, len(known) - len(self.ids))
        return replace(self, ids=known, rows=np.concatenate([self.rows[:-1], new]))

    def _check_kind(self, ids: IdMap | None) -> None:
        if (ids is None) != (self.ids is None):
            kinds = ("numbers", "categories")
            raise InputError(
                f"{self.name!r} holds {kinds[ids is not None]}, but the model was fitted on "
                f"{kinds[self.ids is not None]}; give it in the same form"
            )

    def encoded(self, values: np.ndarray, ids: IdMap | None) -> tuple[np.ndarray, np.ndarray]:
        """Return the row of each value and what it is multiplied with."""
        self._check_kind(ids)
        if self.ids is not None and ids is not None:
            codes = values if ids is self.ids else ids.codes_in(self.ids)[values]
            return self.rows[codes], np.ones(len(values), np.float32)
        given = _numbers(self.name, values)
        numbers = (given - self.mean) / self.deviation
        far = np.flatnonzero(np.abs(numbers) > MOST_DEVIATIONS)
        if len(far):
            raise InputError(
                f"{self.name!r} is {given[far[0]]:g}, more than {MOST_DEVIATIONS:g} times as far "
                f"from the mean, {self.mean:g}, as what the model was fitted on; give it in the "
                "same unit"
            )
        return np.full(len(values), self.rows[0], np.int32), numbers.astype(np.float32)


def _rows_from(first: int, count: int) -> np.ndarray:
    return np.append(np.arange(first, first + count), -1).astype(np.int32)


def _numbers(name: str, values: np.ndarray) -> np.ndarray:
    """Return numbers as float64, or say that they are none."""
    numbers = np.asarray(values, np.float64)
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        raise InputError(
            f"{name!r} must hold finite numbers, got {numbers[wrong][0]} in {int(wrong.sum())} of "
            f"{len(numbers)} places; fill them, or make it a column of categories"
        )
    return numbers


def _asked_numbers(what: str, given: list[Any]) -> np.ndarray:
    """Return one number a question as float32, or say that they are none."""
    numbers = checks.as_array(what, given, "numbers")
    if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iufb"):
        raise InputError(
            f"{what} must hold numbers, one a history, got {checks.described(numbers)}"
        )
    with np.errstate(over="ignore"):  # what overflows is infinite, and is refused as that
        found: np.ndarray = numbers.astype(np.float32)
    return found


class FeatureRows:
    """The columns that a model reads beside items, and the users' own features.

    Attributes
    ----------
    context, users : list of Column
        In this order they are the columns of :class:`StepFeatures`.
    user_ids : IdMap or None
        Whose features ``user_table`` holds; None without user features.
    count : int
        Rows in all.
    """

    def __init__(
        self,
        context: Sequence[Column],
        users: Sequence[Column],
        user_ids: IdMap | None,
        user_table: StepFeatures,
        count: int,
    ) -> None:
        self.context, self.users = list(context), list(users)
        self.user_ids, self.count = user_ids, count
        # The last row is that of a user who is not known.
        self._table = user_table

    @classmethod
    def of(
        cls,
        log: Interactions,
        context: Sequence[str],
        users: Sequence[str],
        old: FeatureRows | None = None,
    ) -> FeatureRows:
        """Take the columns of a log; rows and users of an old model stay what they are.

        Raises
        ------
        InputError
            A column is missing, holds NaN, or is not of the kind that it was.
        """
        count = old.count if old is not None else 0
        user_values = {name: _user_column(log, name) for name in users}
        sources = [(name, *_context_column(log, name)) for name in context]
        sources += [(name, *user_values[name]) for name in users]
        before = [*old.context, *old.users] if old is not None else [None] * len(sources)
        columns = []
        for (name, values, ids), known in zip(sources, before, strict=True):
            column = Column.of(name, values, ids, count)
            if known is not None:
                column = known.extended(ids, count)
            columns.append(column)
            count = max(count, int(column.rows.max(initial=-1)) + 1)
        own = columns[len(context) :]
        user_ids, table = None, _table([], 0)
        if users and log.user_ids is not None:
            user_ids = log.user_ids
            parts = [column.encoded(*user_values[column.name]) for column in own]
            table = _table(parts, len(user_ids))
            if old is not None and old.user_ids is not None:
                user_ids, table = _merged(old, user_ids, table)
        return cls(columns[: len(context)], own, user_ids, table, count)

    @property
    def width(self) -> int:
        """Features of an event: the columns of :class:`StepFeatures`."""
        return len(self.context) + len(self.users)

    @property
    def kinds(self) -> dict[str, str]:
        """What each column holds: categories that are ``"int"`` or ``"str"``, or ``"number"``."""
        return {
            column.name: "number" if column.ids is None else column.ids.kind
            for column in [*self.context, *self.users]
        }

    # Encoding

    def at(self, log: Interactions, places: np.ndarray) -> StepFeatures:
        """Return the features of the events at some places of a log."""
        parts = [
            column.encoded(log.context[column.name][places], log.context_ids.get(column.name))
            for column in self.context
        ]
        if self.users and log.user is not None:
            users = self._users_of(log)[log.user[places]]
            parts += zip(self._table.ids[users].T, self._table.values[users].T, strict=True)
        return _side_by_side(parts, len(places))

    def _users_of(self, log: Interactions) -> np.ndarray:
        """Return the number here of each user code of a log."""
        if log.user_ids is None or self.user_ids is None:
            raise InputError("user_features need a log that knows users")
        if log.user_ids == self.user_ids:
            return np.arange(len(self.user_ids))
        return log.user_ids.codes_in(self.user_ids)

    def of_queries(self, queries: Queries) -> StepFeatures:
        """Return the features of each query, which all events of its history are given.

        A user feature that the context holds goes before what is known of the user.

        Raises
        ------
        InputError
            A column is missing, or is not of the kind that the model was fitted on.
        """
        parts = [self._asked(column, queries) for column in self.context]
        table = self._users_asked(queries)
        for number, column in enumerate(self.users):
            if column.name in queries.context or table is None:
                parts.append(self._asked(column, queries))
            else:
                parts.append((table.ids[:, number], table.values[:, number]))
        return _side_by_side(parts, len(queries))

    def none(self, count: int) -> StepFeatures:
        """Return the features of ``count`` sessions of which nothing is known."""
        return StepFeatures(
            np.full((count, self.width), -1, np.int32),
            np.zeros((count, self.width), np.float32),
        )

    def _users_asked(self, queries: Queries) -> StepFeatures | None:
        if not self.users or queries.user is None or self.user_ids is None:
            return None
        users = queries.user
        if queries.user_ids is not None and queries.user_ids != self.user_ids:
            users = queries.user_ids.codes_in(self.user_ids)[users]
        return StepFeatures(self._table.ids[users], self._table.values[users])

    @staticmethod
    def _asked(column: Column, queries: Queries) -> tuple[np.ndarray, np.ndarray]:
        if column.name not in queries.context:
            known = ", ".join(map(repr, queries.context)) or "none"
            raise InputError(
                f"the model was fitted with {column.name!r}, which the question lacks (it has "
                f"{known}); give it as context={{{column.name!r}: [one value a history]}}, or "
                "ask with queries made from a log that has it"
            )
        return column.encoded(queries.context[column.name], queries.context_ids.get(column.name))

    def codes_of(
        self, context: Any, count: int, on_unknown: str
    ) -> tuple[dict[str, np.ndarray], dict[str, IdMap]]:
        """Return the context of ``count`` questions, given as values, as ``Queries`` hold it.

        Parameters
        ----------
        context : mapping of str to sequence
            For each column, and user feature, one value a question.
        count : int
        on_unknown : {"error", "ignore"}
            What to do about a category that the model has not seen.
        """
        given = checks.mapping("context", context, "give {name: [one value a history]}")
        columns = {column.name: column for column in [*self.context, *self.users]}
        values, ids = {}, {}
        for name, column_values in given.items():
            if name not in columns:
                raise InputError(
                    f"the model was fitted without {name!r}; it takes "
                    f"{', '.join(map(repr, columns)) or 'no context'}"
                    f"{checks.did_you_mean(str(name), columns)}"
                )
            what = f"context {name!r}"
            listed = checks.listed(what, column_values, "one value a history")
            if len(listed) != count:
                raise InputError(
                    f"{what} must have one value for each of {count} histories, got {len(listed)}"
                )
            known = columns[name].ids
            if known is not None:
                values[name] = known.encode(listed, on_unknown, what)
                ids[name] = known
            else:
                values[name] = _asked_numbers(what, listed)
        return values, ids

    # Files

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what a file keeps as arrays."""
        arrays = {}
        for number, column in enumerate([*self.context, *self.users]):
            arrays[f"features.{number}.rows"] = column.rows
            if column.ids is not None:
                arrays |= column.ids.to_arrays(f"features.{number}.ids")
        if self.user_ids is not None:
            arrays |= self.user_ids.to_arrays("features.users")
            arrays["features.user_rows"], arrays["features.user_values"] = self._table
        return arrays

    def state(self) -> dict[str, Any]:
        """Return what a file keeps as JSON."""
        return {
            "columns": [
                [column.name, column.ids is not None, column.mean, column.deviation]
                for column in [*self.context, *self.users]
            ],
            "context": len(self.context),
            "has_users": self.user_ids is not None,
            "count": self.count,
        }

    @classmethod
    def restored(cls, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> FeatureRows:
        """Return what :meth:`arrays` and :meth:`state` have described."""
        columns = []
        for number, (name, has_ids, mean, deviation) in enumerate(state["columns"]):
            ids = IdMap.from_arrays(f"features.{number}.ids", arrays) if has_ids else None
            rows = arrays[f"features.{number}.rows"]
            columns.append(Column(name, ids, rows, mean, deviation))
        user_ids, table = None, _table([], 0)
        if state["has_users"]:
            user_ids = IdMap.from_arrays("features.users", arrays)
            table = StepFeatures(arrays["features.user_rows"], arrays["features.user_values"])
        split = state["context"]
        return cls(columns[:split], columns[split:], user_ids, table, state["count"])


def _table(parts: Sequence[tuple[np.ndarray, np.ndarray]], count: int) -> StepFeatures:
    """Return columns side by side, and below them a row of nothing."""
    ids = np.full((count + 1, len(parts)), -1, np.int32)
    values = np.zeros((count + 1, len(parts)), np.float32)
    for number, (rows, factors) in enumerate(parts):
        ids[:-1, number], values[:-1, number] = rows, factors
    return StepFeatures(ids, values)


def _side_by_side(parts: Sequence[tuple[np.ndarray, np.ndarray]], count: int) -> StepFeatures:
    """Return columns side by side, C-contiguous, of shape (count, columns)."""
    table = _table(parts, count)
    return StepFeatures(table.ids[:-1], table.values[:-1])


def _merged(old: FeatureRows, user_ids: IdMap, table: StepFeatures) -> tuple[IdMap, StepFeatures]:
    """Return all users of an old model and a new log; the log's features replace the old ones."""
    known = old.user_ids.extend(user_ids.ids) if old.user_ids is not None else user_ids
    codes = user_ids.codes_in(known)[:-1]
    columns = []
    for before, now in zip(old._table, table, strict=True):
        column = np.empty((len(known) + 1, now.shape[1]), now.dtype)
        column[: len(before) - 1] = before[:-1]
        column[codes] = now[:-1]
        column[-1] = now[-1]
        columns.append(column)
    return known, StepFeatures(*columns)


def _context_column(log: Interactions, name: str) -> tuple[np.ndarray, IdMap | None]:
    """Return a context column of a log and its categories, or say that there is none."""
    if name not in log.context:
        known = ", ".join(map(repr, log.context)) or "none"
        raise InputError(
            f"the log has no context column {name!r}, it has {known}"
            f"{checks.did_you_mean(name, log.context)}; name it when the log is read"
        )
    return log.context[name], log.context_ids.get(name)


def _user_column(log: Interactions, name: str) -> tuple[np.ndarray, IdMap | None]:
    """Return a user feature by user code and its categories, or say that there is none."""
    if log.users is None or log.user is None or name not in log.users:
        known = ", ".join(map(repr, log.users or {})) or "none"
        raise InputError(
            f"the log has no user feature {name!r}, it has {known}"
            f"{checks.did_you_mean(name, log.users or {})}; give them with "
            "log.with_users(table, id=column)"
        )
    values = log.users[name]
    if values.dtype == object:
        ids, codes = IdMap.from_ids(values, f"user feature {name!r}")
        return codes, ids
    if values.dtype.kind not in "iufb":
        raise InputError(
            f"user feature {name!r} holds {values.dtype}, which is neither a number nor a string; "
            "make it one"
        )
    return values, None
