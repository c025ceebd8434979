"""Queries: what evaluation asks, encoded; given these histories, which items come next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from fastrec.data.ids import IdMap
from fastrec.data.ragged import Ragged, span
from fastrec.data.record import Record
from fastrec.runtime import checks

if TYPE_CHECKING:
    from fastrec.data.interactions import Interactions

Path = str | PathLike[str]


@dataclass(frozen=True, eq=False, repr=False)
class Queries(Record):
    """Histories, and what came after them.

    Made by :meth:`from_columns` and its siblings. The plain constructor takes codes, and
    reads them once to check them.

    Attributes
    ----------
    item_ids : IdMap
        The items that the codes below mean.
    histories : Ragged of int32, n rows
        What is known, oldest first; may be empty.
    targets : Ragged of int32, n rows, or None
        The right answers, at least one a query; -1 is an item outside ``item_ids``, which
        counts as missed. None where only an answer is wanted.
    exclude_seen : bool
        Whether items of the history are no answers.
    user : ndarray of int32, shape (n,), or None
        The code of whoever asks, in ``user_ids``; -1 where unknown.
    history_time, history_value : ndarray beside ``histories.values``, or None
        int64 in ``time_unit``; float32.
    time : ndarray of int64, shape (n,), or None
        When it is asked: the time of the (first) target.
    context : dict of str to ndarray, shape (n,)
        What is known of that moment, as in :class:`Interactions`.

    Raises
    ------
    InputError
        Another dtype, lengths that differ, or codes outside their map.

    Examples
    --------
    >>> queries = Queries.from_columns([[3, 1], [4]], [1, 5])
    >>> queries
    Queries(2 queries, 3 history items, 2 targets of 4 items)
    >>> queries.item_ids.decode(queries.histories[0])
    array([3, 1])
    """

    item_ids: IdMap
    histories: Ragged
    targets: Ragged | None = None
    exclude_seen: bool = False
    user: np.ndarray | None = None
    user_ids: IdMap | None = None
    history_time: np.ndarray | None = None
    history_value: np.ndarray | None = None
    time: np.ndarray | None = None
    time_unit: str | None = None
    context: Mapping[str, np.ndarray] = field(default_factory=dict)
    context_ids: Mapping[str, IdMap] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from fastrec.data import validation

        validation.check_queries_structure(self)
        validation.check_queries_contents(self)

    @classmethod
    def every_prefix(
        cls, log: Interactions, *, max_history: int | None = None, exclude_seen: bool = False
    ) -> Queries:
        """Return one query an event, except the first of each history: what came before it.

        Memory grows with the sum of the prefix lengths, which is quadratic in the length of
        a history: ``max_history`` bounds it.

        Parameters
        ----------
        log : Interactions
            Any.
        max_history : int or None
            How many of the latest events are kept of a history; None keeps all.
        exclude_seen : bool
            See :class:`Queries`.

        Raises
        ------
        InputError
            No history has two events.
        """
        from fastrec.data import asking

        return asking.every_prefix(log, max_history, exclude_seen)

    @classmethod
    def last_item(
        cls, log: Interactions, *, max_history: int | None = None, exclude_seen: bool = False
    ) -> Queries:
        """Return one query a history of two events or more: what came before its last one.

        Parameters and errors are those of :meth:`every_prefix`.
        """
        from fastrec.data import asking

        return asking.last_item(log, max_history, exclude_seen)

    @classmethod
    def held_out(
        cls, train: Interactions, test: Interactions, *, exclude_seen: bool = True
    ) -> Queries:
        """Return one query a user of ``test``: ``train`` is the history, ``test`` the targets.

        Where the logs know no users, sessions take their place. The codes are those of
        ``train``. A target counts once, however often it occurs. With ``exclude_seen`` items
        of the history are no targets, and users left without any are not asked. Users who
        are not in ``train`` are asked with an empty history.

        Parameters
        ----------
        train, test : Interactions
            Two logs; from one split, or with the same sort of ids.
        exclude_seen : bool
            See :class:`Queries`.

        Raises
        ------
        InputError
            No item of ``test`` is known to ``train``, users and items look swapped, or there is
            nothing to ask.
        """
        from fastrec.data import asking

        return asking.held_out(train, test, exclude_seen)

    @classmethod
    def from_columns(
        cls,
        histories: Any,
        targets: Any | None = None,
        users: Any | None = None,
        *,
        item_ids: IdMap | None = None,
        user_ids: IdMap | None = None,
        exclude_seen: bool = False,
    ) -> Queries:
        """Return queries of external ids.

        Parameters
        ----------
        histories : list of lists of ids, Arrow list column, or matrix padded with -1
            Oldest first. Padding is left out.
        targets : list of ids, of lists of ids, Arrow column, or None
            One answer or several for each history.
        users : ids or None
            Who asks.
        item_ids, user_ids : IdMap or None
            The maps to encode with: unknown items leave the histories, and stay as -1 among
            the targets. None makes new maps of what occurs.
        exclude_seen : bool
            See :class:`Queries`.

        Raises
        ------
        InputError
            What is not of that form, lengths that differ, a query without a target, or
            targets but not one known item (are users and items swapped?).
        """
        from fastrec.data import asking

        return asking.from_columns(histories, targets, users, item_ids, user_ids, exclude_seen)

    @classmethod
    def from_parquet(
        cls,
        path: Path,
        *,
        history: str,
        target: str | None = None,
        user: str | None = None,
        item_ids: IdMap | None = None,
        user_ids: IdMap | None = None,
        exclude_seen: bool = False,
    ) -> Queries:
        """Return the queries of a Parquet file, one a row, read without making Python objects.

        Parameters
        ----------
        path : path
            A file, or a folder of ``*.parquet``.
        history : str
            A column of lists of ids.
        target, user : str or None
            Columns of ids; the target may hold lists.
        item_ids, user_ids, exclude_seen
            As in :meth:`from_columns`.

        Raises
        ------
        InputError
            pyarrow or a column is missing, or a column holds what it must not.
        """
        from fastrec.data import asking

        names = {"history": history, "target": target, "user": user}
        return asking.from_parquet(path, names, item_ids, user_ids, exclude_seen)

    def __len__(self) -> int:
        return len(self.histories)

    def translate(self, item_ids: IdMap, user_ids: IdMap | None = None) -> Queries:
        """Return the same queries in the codes of other maps.

        Items unknown there leave the histories, and become -1 among the targets; unknown
        users become -1. Nothing is copied where the maps are equal.

        Raises
        ------
        InputError
            There are targets but not one known item, ids of the other kind, or users and
            items look swapped.
        """
        from fastrec.data.translation import Translation

        return Translation(self, item_ids, user_ids).whole()

    def slice(self, start: int, stop: int) -> Queries:
        """Return the queries from ``start`` to ``stop``; histories and targets are views."""
        rows = span(start, stop, len(self))
        return self._changed(
            histories=self.histories.slice(rows.start, rows.stop),
            targets=None if self.targets is None else self.targets.slice(rows.start, rows.stop),
            user=None if self.user is None else self.user[rows],
            time=None if self.time is None else self.time[rows],
            context={name: column[rows] for name, column in self.context.items()},
        )

    def take(self, rows: Any) -> Queries:
        """Return some queries, by number or as a mask, in the given order, as a copy.

        Raises
        ------
        InputError
            Neither, or a query that is not there.
        """
        numbers = checks.row_numbers("rows", rows, len(self), "query")
        lengths = self.histories.lengths
        places = Ragged(np.arange(len(self.histories.values)), self.histories.offsets).take(numbers)
        return self._changed(
            histories=Ragged.from_lengths(self.histories.values[places.values], lengths[numbers]),
            targets=None if self.targets is None else self.targets.take(numbers),
            user=None if self.user is None else self.user[numbers],
            history_time=None if self.history_time is None else self.history_time[places.values],
            history_value=None if self.history_value is None else self.history_value[places.values],
            time=None if self.time is None else self.time[numbers],
            context={name: column[numbers] for name, column in self.context.items()},
        )

    def __repr__(self) -> str:
        asked = "no targets" if self.targets is None else f"{self.targets.total} targets"
        parts = f"{len(self)} queries, {self.histories.total} history items, {asked}"
        seen = ", seen items excluded" if self.exclude_seen else ""
        return f"Queries({parts} of {len(self.item_ids)} items{seen})"
