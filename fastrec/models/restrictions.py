"""What may be an answer: the arguments of a ranking, checked and put together."""

from __future__ import annotations

import numpy as np

from fastrec.data import Queries, Ragged
from fastrec.errors import InputError
from fastrec.search.arguments import item_rows, without_long_list


def limits(
    queries: Queries,
    exclude: np.ndarray | Ragged | None,
    allow: np.ndarray | Ragged | None,
    n_items: int,
) -> tuple[np.ndarray | Ragged | None, np.ndarray | Ragged | None]:
    """Return what may not and what alone may be answers, as a search takes them.

    Parameters
    ----------
    queries : Queries
        In the model's codes; their histories are excluded where they say so.
    exclude, allow : int32 codes, or Ragged of one list per query, or None
        As :meth:`Recommender.rank` takes them.
    n_items : int
        Rows of the model.

    Raises
    ------
    InputError
        No queries, codes that are no rows of the model, or lists that are not one a query.
    """
    _check_codes(queries, n_items)
    exclude = _codes_of("exclude", exclude, queries, n_items)
    allow = _codes_of("allow", allow, queries, n_items)
    exclude, allow = without_long_list(exclude, allow, n_items)
    if queries.exclude_seen:
        exclude = _with_histories(queries.histories, exclude)
    return exclude, allow


def _check_codes(queries: Queries, n_items: int) -> None:
    """Raise where the queries are none, or hold codes that are no rows of the model."""
    if not isinstance(queries, Queries):
        raise InputError(
            f"rank takes Queries in the model's codes, got {type(queries).__name__}; "
            "recommend takes histories of ids"
        )
    codes = queries.histories.flat
    if len(codes) and (codes.min() < 0 or codes.max() >= n_items):
        raise InputError(
            f"histories hold codes from {codes.min()} to {codes.max()}, the model has items 0 to "
            f"{n_items - 1}; translate the queries with queries.translate(model.item_ids)"
        )


def _codes_of(
    name: str, given: np.ndarray | Ragged | None, queries: Queries, n_items: int
) -> np.ndarray | Ragged | None:
    """Return ``exclude`` or ``allow`` as codes of the model, without padding."""
    if given is None:
        return None
    if not isinstance(given, Ragged):
        codes = item_rows(name, given, n_items)
        return codes[codes >= 0]
    if len(given) != len(queries):
        raise InputError(
            f"{name} must have one list for each of the {len(queries)} queries, got {len(given)}; "
            "one list for all queries is given as a 1-D array"
        )
    is_code = item_rows(name, given.flat, n_items) >= 0
    return given if is_code.all() else given.where(is_code)


def _with_histories(histories: Ragged, exclude: np.ndarray | Ragged | None) -> Ragged:
    """Return one exclusion list per query: its history, and what else is excluded."""
    if exclude is None:
        return histories
    if not isinstance(exclude, Ragged):
        count = len(histories)
        shared = np.asarray(exclude, np.int32)
        exclude = Ragged.from_lengths(np.tile(shared, count), np.full(count, len(shared)))
    return histories.joined(exclude)


def part_of(codes: np.ndarray | Ragged | None, start: int, stop: int) -> np.ndarray | Ragged | None:
    """Return what may be an answer, or may not, of queries ``[start, stop)``."""
    return codes.slice(start, stop) if isinstance(codes, Ragged) else codes
