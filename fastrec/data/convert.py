"""Whatever a model may be trained on, as one log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastrec.data.interactions import Interactions
from fastrec.errors import InputError

ROLES = ("user", "session", "item", "time", "value")


def as_interactions(data: Any) -> Interactions:
    """Return ``data`` as a log; a log is returned as it is.

    Parameters
    ----------
    data : Interactions, list of lists of ids, DataFrame, Arrow table, dict, or SciPy matrix
        Tables need columns named ``item`` and ``user`` or ``session``; ``time`` and
        ``value`` are taken where they are there. Matrices have users in rows.

    Raises
    ------
    InputError
        None of these, or a table without such columns.
    """
    if isinstance(data, Interactions):
        return data
    if hasattr(data, "tocsr"):
        return Interactions.from_csr(data)
    if isinstance(data, (str, bytes)) or hasattr(data, "__fspath__"):
        raise InputError(
            f"got the path {data!r}: read it with Interactions.from_parquet or from_csv first"
        )
    if isinstance(data, Mapping) or hasattr(data, "columns") or hasattr(data, "column_names"):
        return _of_table(data)
    if hasattr(data, "__arrow_c_stream__") and not hasattr(data, "__len__"):
        return _of_table(data)
    if hasattr(data, "__iter__"):
        return Interactions.from_sequences(data)
    raise InputError(
        "data must be Interactions, a list of lists of ids, a table with the columns user, item, "
        f"... or a SciPy matrix, got {type(data).__name__}"
    )


def _of_table(data: Any) -> Interactions:
    from fastrec.data.readers import table_of

    table = table_of(data)
    roles = {role: role for role in ROLES if role in table.names}
    if "item" not in roles or not ("user" in roles or "session" in roles):
        raise InputError(
            "a table must have the columns 'item' and 'user' or 'session', got "
            f"{', '.join(map(repr, table.names))}; name yours with Interactions.from_arrow(table, "
            "user=..., item=...)"
        )
    return Interactions.from_arrow(table, **roles)  # the opened table: a stream is read once
