"""What must hold of the parts of a log, of queries and of a corpus: kernels trust their codes.

Checks of structure look at types, dtypes and lengths; checks of contents read
every column once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastrec.data.columns import TIME_UNITS, check_lengths, pick
from fastrec.data.ids import IdMap, require_map
from fastrec.data.order import count_codes, is_sorted, run_offsets
from fastrec.data.ragged import Ragged
from fastrec.errors import InputError
from fastrec.runtime import checks

if TYPE_CHECKING:
    from fastrec.data.corpus import Corpus
    from fastrec.data.interactions import Interactions
    from fastrec.data.queries import Queries

ADVICE = "the from_... constructors take ids and tables"


def check_log_structure(log: Interactions) -> None:
    """Raise where the parts of a log are not what they must be, or do not fit; reads no column."""
    require_map("item_ids", log.item_ids)
    _check_array("item", log.item, np.int32)
    n = len(log.item)
    if log.user is None and log.session is None:
        raise InputError(f"user or session must be given, whose history a row is; {ADVICE}")
    _check_pair("user", log.user, log.user_ids, n)
    _check_pair("session", log.session, log.session_ids, n)
    if (log.time is None) != (log.time_unit is None):
        raise InputError("time and time_unit must be given together, or neither")
    if log.time_unit is not None:
        checks.one_of("time_unit", log.time_unit, TIME_UNITS)
    _check_optional("time", log.time, np.int64, n)
    _check_optional("value", log.value, np.float32, n)
    _check_context_structure(log.context, log.context_ids, n)
    _check_array("history_offsets", log.history_offsets, np.int64)
    _check_table("users", log.users, log.user_ids)
    _check_table("items", log.items, log.item_ids)


def check_log_contents(log: Interactions) -> None:
    """Raise where the columns of a log hold what they must not. Cost O(n)."""
    check_codes("item", log.item, log.item_ids)
    if log.user is not None and log.user_ids is not None:
        check_codes("user", log.user, log.user_ids)
    if log.session is not None and log.session_ids is not None:
        check_codes("session", log.session, log.session_ids)
    for name, ids in log.context_ids.items():
        check_codes(f"context {name!r}", log.context[name], ids)
    if log.value is not None and not np.isfinite(log.value).all():
        raise InputError("value must be finite, got NaN or infinity; drop such rows")
    owners = [key for key in (log.user, log.session) if key is not None]
    if not is_sorted([*owners, *([] if log.time is None else [log.time])]):
        raise InputError(
            f"rows must be sorted by user, session and time; sort them, or let {ADVICE} and sort"
        )
    if not np.array_equal(log.history_offsets, run_offsets(owners)):
        raise InputError(
            "history_offsets must say where user or session changes, from 0 to the "
            f"{len(log.item)} rows; {ADVICE} and find them"
        )


def check_queries_structure(queries: Queries) -> None:
    """Raise where the parts of queries are not what they must be, or do not fit."""
    require_map("item_ids", queries.item_ids)
    checks.flag("exclude_seen", queries.exclude_seen)
    n = len(_ragged("histories", queries.histories))
    if queries.targets is not None and len(_ragged("targets", queries.targets)) != n:
        raise InputError(
            f"columns must have one value a row each, got histories: {n}, targets: "
            f"{len(queries.targets)}"
        )
    if queries.user_ids is not None:
        require_map("user_ids", queries.user_ids)
    if queries.user is not None and queries.user_ids is None:
        raise InputError("user_ids must be given with user, whose codes mean nothing without")
    _check_optional("user", queries.user, np.int32, n)
    _check_optional("time", queries.time, np.int64, n)
    total = len(queries.histories.values)
    _check_optional("history_time", queries.history_time, np.int64, total)
    _check_optional("history_value", queries.history_value, np.float32, total)
    if queries.time_unit is not None:
        checks.one_of("time_unit", queries.time_unit, TIME_UNITS)
    _check_context_structure(queries.context, queries.context_ids, n)


def check_queries_contents(queries: Queries) -> None:
    """Raise where queries hold codes that are not those of their ids. Cost O(history items)."""
    check_codes("histories", queries.histories.flat, queries.item_ids)
    if queries.targets is not None:
        check_codes("targets", queries.targets.flat, queries.item_ids, lowest=-1)
    if queries.user is not None and queries.user_ids is not None:
        check_codes("user", queries.user, queries.user_ids, lowest=-1)
    for name, ids in queries.context_ids.items():
        check_codes(f"context {name!r}", queries.context[name], ids, lowest=-1)


def check_corpus(corpus: Corpus) -> None:
    """Raise where the parts of a corpus do not fit. Cost O(tokens)."""
    advice = "the from_... constructors take texts"
    words = require_map("word_ids", corpus.word_ids)
    _check_array("tokens", corpus.tokens, np.int32, advice=advice)
    _check_array("offsets", corpus.offsets, np.int64, advice=advice)
    _check_array("counts", corpus.counts, np.int64, len(words), advice=advice)
    documents = Ragged(corpus.tokens, corpus.offsets)  # raises where offsets do not fit
    if corpus.offsets[0] != 0 or documents.total != len(corpus.tokens):
        raise InputError(
            f"offsets must go from 0 to the {len(corpus.tokens)} tokens, got "
            f"{corpus.offsets[0]} to {corpus.offsets[-1]}; {advice}"
        )
    if words.kind != "str" and len(words):
        raise InputError(f"word_ids must hold strings, got whole numbers; {advice}")
    if corpus.given_ids is not None:
        require_map("given_ids", corpus.given_ids)
        check_lengths({"documents": len(documents), "given_ids": len(corpus.given_ids)})
    check_codes("tokens", corpus.tokens, words)
    is_ordered = (corpus.counts[1:] <= corpus.counts[:-1]).all()
    if not is_ordered or not np.array_equal(corpus.counts, count_codes(corpus.tokens, len(words))):
        raise InputError(
            "counts must say how often each word occurs, and be in falling order; "
            f"{advice} and count the words"
        )


def check_codes(name: str, codes: np.ndarray, ids: IdMap, lowest: int = 0) -> None:
    """Raise where a code is outside ``lowest`` to ``len(ids) - 1``."""
    if len(codes) == 0:
        return
    low, high = int(codes.min()), int(codes.max())
    if low < lowest or high >= len(ids):
        raise InputError(
            f"{name} must hold codes from {lowest} to {len(ids) - 1}, got {low} to {high}; "
            "encode the ids with IdMap.encode"
        )


def _check_array(
    name: str, column: Any, dtype: Any, n: int | None = None, *, advice: str = ADVICE
) -> None:
    """Raise where this is no plain one-dimensional array of that dtype and length."""
    is_plain = isinstance(column, np.ndarray) and checks.masked_place(column) is None
    if not is_plain or column.ndim != 1 or column.dtype != dtype:
        masked = " with masked entries" if isinstance(column, np.ndarray) and not is_plain else ""
        raise InputError(
            f"{name} must be a one-dimensional {np.dtype(dtype)} array, got "
            f"{checks.described(column)}{masked}; {advice}"
        )
    if n is not None and len(column) != n:
        raise InputError(f"columns must have one value a row each, {n}, got {name}: {len(column)}")


def _check_optional(name: str, column: Any, dtype: Any, n: int) -> None:
    if column is not None:
        _check_array(name, column, dtype, n)


def _check_pair(name: str, codes: Any, ids: Any, n: int) -> None:
    """Raise where codes come without their ids, or ids without codes."""
    if (codes is None) != (ids is None):
        raise InputError(f"{name} and {name}_ids must be given together, or neither")
    if codes is not None:
        require_map(f"{name}_ids", ids)
        _check_array(name, codes, np.int32, n)


def _check_context_structure(context: Any, ids: Any, n: int) -> None:
    for name, columns in (("context", context), ("context_ids", ids)):
        if not isinstance(columns, Mapping) or not all(isinstance(key, str) for key in columns):
            raise InputError(
                f"{name} must be a dict by the names of columns, got {checks.described(columns)}"
            )
    for name in ids:
        pick(name, context, "context_ids", "context")
        require_map(f"context_ids[{name!r}]", ids[name])
    for name, column in context.items():
        _check_array(f"context {name!r}", column, np.int32 if name in ids else np.float32, n)


def _check_table(name: str, table: Any, ids: IdMap | None) -> None:
    """Raise where a side table is no dict of arrays with one row an id."""
    if table is None:
        return
    if not isinstance(table, Mapping) or ids is None:
        raise InputError(
            f"{name} must be a dict of columns beside ids, got {checks.described(table)}; "
            f"log.with_{name} makes it of a table"
        )
    for key, column in table.items():
        if not isinstance(column, np.ndarray) or column.shape != (len(ids),):
            raise InputError(
                f"the column {key!r} of {name} must be an array with one value for each of "
                f"{len(ids)} ids, got {checks.described(column)}"
            )


def _ragged(name: str, value: Any) -> Ragged:
    """Return ``value`` if it is a Ragged of codes."""
    advice = "Queries.from_columns takes lists of ids"
    ragged = checks.instance_of(name, value, Ragged, "a Ragged", advice)
    _check_array(name, ragged.values, np.int32)
    return ragged
