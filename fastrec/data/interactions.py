"""Interactions: the immutable columnar log that every model trains on.

Rows are sorted by user, session, then time or given order, so that a history is
one stretch of rows. Its unit is the session where there is one, else the user.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from fastrec.data.constructors import Constructors
from fastrec.data.ids import IdMap
from fastrec.data.order import count_codes
from fastrec.data.ragged import Ragged
from fastrec.data.record import Record
from fastrec.errors import InputError
from fastrec.runtime import checks

if TYPE_CHECKING:
    from datetime import timedelta

    from scipy.sparse import csr_array

Path = str | PathLike[str]


@dataclass(frozen=True, eq=False, repr=False)
class Interactions(Record, Constructors):
    """An immutable log of who did what, and when.

    Made by one of the ``from_...`` constructors or by :func:`as_interactions`. The plain
    constructor takes encoded columns, sorted by user, session and time, and reads them once
    to check them.

    Attributes
    ----------
    item : ndarray of int32, shape (n,)
        The code of each row's item.
    item_ids : IdMap
        The items by code; shared by all logs split from one.
    history_offsets : ndarray of int64, shape (n_histories + 1,)
        Where each history begins; none is empty.
    user, session : ndarray of int32, shape (n,), or None
        Codes; at least one of the two is there.
    user_ids, session_ids : IdMap or None
        The ids behind these codes.
    time : ndarray of int64, shape (n,), or None
        In ``time_unit``, "s", "ms", "us" or "ns".
    value : ndarray of float32, shape (n,), or None
        A rating, a count, a weight.
    context : dict of str to ndarray, shape (n,)
        Numbers as float32; categories as int32 codes of ``context_ids[name]``.
    users, items : dict of str to ndarray, or None
        Side tables: one row an id, by code.

    Raises
    ------
    InputError
        Another dtype, lengths that differ, codes outside their map, rows that are not sorted,
        or offsets that are not where a history begins.

    Examples
    --------
    >>> log = Interactions.from_arrays(
    ...     user=["ann", "bob", "ann"], item=[7, 7, 5], time=[20, 10, 15]
    ... )
    >>> log
    Interactions(3 rows, 2 users, 2 items, time in s)
    >>> [log.item_ids.decode(history).tolist() for history in log.sequences()]
    [[5, 7], [7]]
    """

    item: np.ndarray
    item_ids: IdMap
    history_offsets: np.ndarray
    user: np.ndarray | None = None
    user_ids: IdMap | None = None
    session: np.ndarray | None = None
    session_ids: IdMap | None = None
    time: np.ndarray | None = None
    time_unit: str | None = None
    value: np.ndarray | None = None
    context: Mapping[str, np.ndarray] = field(default_factory=dict)
    context_ids: Mapping[str, IdMap] = field(default_factory=dict)
    users: Mapping[str, np.ndarray] | None = None
    items: Mapping[str, np.ndarray] | None = None

    def __post_init__(self) -> None:
        from fastrec.data import validation

        validation.check_log_structure(self)
        validation.check_log_contents(self)
        self._freeze()

    def _freeze(self) -> None:
        for array in self._arrays():
            array.flags.writeable = False

    def save(self, path: Path) -> None:
        """Write the log to the folder ``path``, replacing a log that is there already.

        The folder appears whole or not at all.

        Raises
        ------
        InputError
            There is something else at ``path``.
        FastrecError
            The system refused to write (full disk, access rights).
        """
        from fastrec.data import folder

        folder.save(self, path)

    @classmethod
    def open(cls, path: Path) -> Interactions:
        """Return the log in the folder ``path``, its columns mapped into memory: nothing is read.

        Raises
        ------
        FormatError
            The folder holds no log, a damaged one, or one of a newer version.
        """
        from fastrec.data import folder

        return folder.open(path)

    def __len__(self) -> int:
        return len(self.item)

    @property
    def n_users(self) -> int:
        """The number of user ids, rows or not; 0 where only sessions are known."""
        return len(self.user_ids) if self.user_ids is not None else 0

    @property
    def n_items(self) -> int:
        """The number of item ids, rows or not."""
        return len(self.item_ids)

    @property
    def n_histories(self) -> int:
        """The number of histories, none of which is empty."""
        return len(self.history_offsets) - 1

    @property
    def owner(self) -> np.ndarray:
        """Whose each row is: the user code where users are known, else the session code."""
        owner = self.session if self.user is None else self.user
        if owner is None:
            raise InputError("a log must know users or sessions")
        return owner

    @property
    def owner_ids(self) -> IdMap:
        """The ids behind :attr:`owner`."""
        ids = self.session_ids if self.user is None else self.user_ids
        if ids is None:
            raise InputError("a log must know users or sessions")
        return ids

    @property
    def history_users(self) -> np.ndarray | None:
        """The user code of each history, int32 of shape (n_histories,), or None."""
        return None if self.user is None else self.user[self.history_offsets[:-1]]

    @property
    def history_sessions(self) -> np.ndarray | None:
        """The session code of each history, int32 of shape (n_histories,), or None."""
        return None if self.session is None else self.session[self.history_offsets[:-1]]

    @property
    def nbytes(self) -> int:
        """The size of all columns, side tables and id maps in bytes."""
        maps = (self.item_ids, self.user_ids, self.session_ids, *self.context_ids.values())
        return sum(array.nbytes for array in self._arrays()) + sum(
            mapping.nbytes for mapping in maps if mapping is not None
        )

    def sequences(self) -> Ragged:
        """Return the item codes of each history; the values are the item column itself."""
        return Ragged(self.item, self.history_offsets)

    def item_counts(self) -> np.ndarray:
        """Return the number of rows of each item, int64 of shape (n_items,). Cost O(n)."""
        return count_codes(self.item, self.n_items)

    def to_csr(self) -> csr_array:
        """Return users x items (sessions x items without users) as float32; duplicates are summed.

        A cell is the sum of the values, or the number of rows where there are none.
        """
        from fastrec.data import selection

        return selection.to_csr(self)

    def filter(
        self, *, min_item_count: int = 1, min_user_count: int = 1, min_history_length: int = 1
    ) -> Interactions:
        """Return the log without rare items and short histories, until all the limits hold at once.

        Items, users and sessions that lose all their rows leave the id maps as well.

        Parameters
        ----------
        min_item_count : int
            Rows that an item must have.
        min_user_count : int
            Rows that a user must have.
        min_history_length : int
            Rows that a history must have.

        Raises
        ------
        InputError
            No row is left, or ``min_user_count`` on a log without users.
        """
        from fastrec.data import selection

        return selection.filter_rows(self, min_item_count, min_user_count, min_history_length)

    def sessionize(self, gap: float | timedelta = 1800) -> Interactions:
        """Return the log with each user's history cut into sessions where nothing happens for long.

        Parameters
        ----------
        gap : number of seconds, or timedelta
            A pause longer than this begins a new session; sessions are numbered from 0.

        Raises
        ------
        InputError
            The log has sessions already, no users or no time.
        """
        from fastrec.data import selection

        return selection.sessionize(self, gap)

    def take(self, histories: Any) -> Interactions:
        """Return the log of some histories, over the same id maps.

        Parameters
        ----------
        histories : ndarray of bool, shape (n_histories,), or of int
            Which ones, as a mask or by number; they stay in the order of the log.

        Raises
        ------
        InputError
            None, the same one twice, or one that is not there.
        """
        from fastrec.data import selection

        return selection.take_histories(self, histories)

    def with_users(self, table: Any, id: str, missing: str = "error") -> Interactions:
        """Return the log with the side table ``users``: one row a user id, by code.

        Parameters
        ----------
        table : DataFrame, Arrow table, dict of columns, or path of a Parquet or CSV file
            One row an id; ids that the log does not know are left out.
        id : str
            The column of the ids.
        missing : {"error", "fill"}
            What to do about ids of the log that the table lacks: NaN for numbers
            (whole ones become float), "" for strings.

        Raises
        ------
        InputError
            No id of the table is known here (are users and items swapped?), an id comes twice,
            or ids are missing.
        """
        from fastrec.data import side_tables

        return self._changed(users=side_tables.aligned(table, id, self.user_ids, "user", missing))

    def with_items(self, table: Any, id: str, missing: str = "error") -> Interactions:
        """Return the log with the side table ``items``; see :meth:`with_users`."""
        from fastrec.data import side_tables

        return self._changed(items=side_tables.aligned(table, id, self.item_ids, "item", missing))

    def _arrays(self) -> list[np.ndarray]:
        """Return every array of the log that is not in an id map."""
        single = [getattr(self, part.name) for part in fields(self)]
        tables = [self.context, self.users or {}, self.items or {}]
        return [array for array in single if isinstance(array, np.ndarray)] + [
            array for table in tables for array in table.values()
        ]

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._freeze()  # arrays come back from a pickle writeable

    def __repr__(self) -> str:
        parts = [f"{len(self)} rows"]
        for unit, ids in (("users", self.user_ids), ("sessions", self.session_ids)):
            parts += [f"{len(ids)} {unit}"] if ids is not None else []
        parts.append(f"{self.n_items} items")
        parts += [f"time in {self.time_unit}"] if self.time is not None else []
        parts += ["value"] if self.value is not None else []
        parts += [f"context {', '.join(self.context)}"] if self.context else []
        parts += [f"users({', '.join(self.users)})"] if self.users else []
        parts += [f"items({', '.join(self.items)})"] if self.items else []
        return f"Interactions({', '.join(parts)})"


def require_log(name: str, value: Any) -> Interactions:
    """Return ``value`` if it is a log.

    Raises
    ------
    InputError
        It is something else; the message says how a log is made of it.
    """
    advice = "make them with Interactions.from_sequences(lists), from_arrow(table, ...) or another"
    return checks.instance_of(
        name, value, Interactions, "Interactions", f"{advice} from_... constructor"
    )
