"""The ways to make a log; a part of :class:`~fastrec.data.interactions.Interactions`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastrec.data.interactions import Interactions

Path = str | PathLike[str]
Ids = Any  # a list, array, Series or Arrow column of ids


class Constructors:
    """What :class:`Interactions` is made by; not meant to be used by itself."""

    @classmethod
    def from_arrays(
        cls,
        *,
        item: Ids,
        user: Ids | None = None,
        session: Ids | None = None,
        time: Any | None = None,
        order: Any | None = None,
        value: Any | None = None,
        context: Mapping[str, Any] | None = None,
        categories: Iterable[str] = (),
        time_unit: str | None = None,
    ) -> Interactions:
        """Return the log of columns, one value a row each.

        Cost: a hash look-up an id, and a sort where rows are not sorted already.

        Parameters
        ----------
        item, user, session : list, ndarray, Series or Arrow column, shape (n,)
            Ids: whole numbers from 0 on, or strings. User or session may be left out; where
            both are there, a history is one session of one user.
        time : like them, optional
            Whole numbers in ``time_unit``, or datetimes. Histories are sorted by it.
        order : like them, optional
            Numbers that order the rows of a history, after time. Without both, rows keep the
            order in which they come. It is not kept.
        value : like them, optional
            Finite numbers, kept as float32.
        context : dict of str to such columns, optional
            What else is known of a row: finite numbers, or strings, which are categories.
        categories : list of str
            The context columns that are categories although they hold whole numbers.
        time_unit : {"s", "ms", "us", "ns"} or None
            The unit of whole-numbered times (None: seconds). Datetimes know theirs.

        Raises
        ------
        InputError
            No rows, lengths that differ, or what each column must not hold: missing values,
            negative, float or boolean ids, values that are NaN or infinite.
        """
        from fastrec.data import build

        given = {
            "item": item,
            "user": user,
            "session": session,
            "time": time,
            "order": order,
            "value": value,
        }
        return build.from_arrays(given, context, categories, time_unit)

    @classmethod
    def from_parquet(
        cls,
        path: Path | Sequence[Path],
        *,
        item: str,
        user: str | None = None,
        session: str | None = None,
        time: str | None = None,
        order: str | None = None,
        value: str | None = None,
        context: Iterable[str] = (),
        categories: Iterable[str] = (),
        time_unit: str | None = None,
        into: Path | None = None,
    ) -> Interactions:
        """Return the log of a Parquet file, read in batches without making Python objects.

        Needs pyarrow: ``pip install "fastrec-engine[data]"``. Memory: the log, once more
        while it is sorted, and one batch.

        Parameters
        ----------
        path : path or list of paths
            A file, several, or a folder of ``*.parquet``.
        item, user, session, time, order, value, context, categories, time_unit
            The names of the columns; what they hold is as in :meth:`from_arrays`.
        into : path or None
            A folder to write the log to, in the format of :meth:`save`. The log then need
            not fit into memory, only its different ids: it streams, in memory that does not
            grow with the rows, and comes back memory-mapped. Takes disk space for the rows
            three times over while it runs.

        Raises
        ------
        InputError
            pyarrow or a column is missing, or a column holds what it must not.
        FormatError
            The file is no Parquet, or damaged.
        """
        from fastrec.data import build, readers
        from fastrec.data.rows import Roles

        roles = Roles.of(
            context,
            categories,
            item=item,
            user=user,
            session=session,
            time=time,
            order=order,
            value=value,
            time_unit=time_unit,
        )
        return build.from_table(readers.parquet_table(path), roles, into)

    @classmethod
    def from_csv(
        cls,
        path: Path | Sequence[Path],
        *,
        item: str,
        user: str | None = None,
        session: str | None = None,
        time: str | None = None,
        order: str | None = None,
        value: str | None = None,
        context: Iterable[str] = (),
        categories: Iterable[str] = (),
        time_unit: str | None = None,
        delimiter: str = ",",
        header: Sequence[str] | None = None,
        text: Iterable[str] = (),
        into: Path | None = None,
    ) -> Interactions:
        """Return the log of a CSV file in UTF-8, read by pyarrow where it is installed.

        Parameters
        ----------
        path, into
            As in :meth:`from_parquet`; a file that ends in ``.gz`` is unpacked.
        item, user, session, time, order, value, context, categories, time_unit
            The names of the columns; what they hold is as in :meth:`from_arrays`.
        delimiter : str
            The one character between two values.
        header : list of str or None
            The names of the columns, for files that do not begin with them.
        text : list of str
            Columns to keep as strings although they look like numbers ("007").

        Raises
        ------
        InputError
            A column is missing, or holds what it must not.
        FormatError
            The file cannot be read as a table.
        """
        from fastrec.data import build, csv_reader
        from fastrec.data.rows import Roles

        roles = Roles.of(
            context,
            categories,
            item=item,
            user=user,
            session=session,
            time=time,
            order=order,
            value=value,
            time_unit=time_unit,
        )
        table = csv_reader.csv_table(path, delimiter, header, text)
        return build.from_table(table, roles, into)

    @classmethod
    def from_arrow(
        cls,
        table: Any,
        *,
        item: str,
        user: str | None = None,
        session: str | None = None,
        time: str | None = None,
        order: str | None = None,
        value: str | None = None,
        context: Iterable[str] = (),
        categories: Iterable[str] = (),
        time_unit: str | None = None,
    ) -> Interactions:
        """Return the log of a table in memory: pandas, polars, DuckDB, pyarrow, a dict of columns.

        Parameters
        ----------
        table : object
            Anything with the Arrow C stream interface, a pandas DataFrame, or a dict.
        item, user, session, time, order, value, context, categories, time_unit
            The names of the columns; what they hold is as in :meth:`from_arrays`.

        Raises
        ------
        InputError
            No table, a column is missing, or holds what it must not.
        """
        from fastrec.data import build, readers
        from fastrec.data.rows import Roles

        roles = Roles.of(
            context,
            categories,
            item=item,
            user=user,
            session=session,
            time=time,
            order=order,
            value=value,
            time_unit=time_unit,
        )
        return build.from_table(readers.table_of(table), roles)

    @classmethod
    def from_sequences(cls, sequences: Iterable[Any], users: Ids | None = None) -> Interactions:
        """Return the log of histories, each a list of item ids in order.

        Parameters
        ----------
        sequences : iterable of lists of ids
            An empty one makes a user without rows.
        users : ids or None
            Whose histories these are; None numbers them from 0.

        Raises
        ------
        InputError
            No items at all, items that are no ids, or not one user a history.
        """
        from fastrec.data import build

        return build.from_sequences(sequences, users)

    @classmethod
    def from_csr(cls, matrix: Any) -> Interactions:
        """Return the log of a SciPy matrix, users in rows and items in columns, numbered from 0.

        Parameters
        ----------
        matrix : scipy sparse matrix or array, shape (users, items)
            A cell is a row of the log, its number the value (a matrix of ones has no values).
            Zeros that are stored are left out.

        Raises
        ------
        InputError
            Not a sparse matrix, no cells, or numbers that are not finite.
        """
        from fastrec.data import build

        return build.from_csr(matrix)
