"""Logs for the tests of what is done with logs."""

import numpy as np
from hypothesis import strategies as st

from fastrec.data.interactions import Interactions

PLAIN = ("user", "session", "item", "time", "value")
ALL_COLUMNS = st.fixed_dictionaries(
    {"n": st.integers(1, 25), "seed": st.integers(0, 2**32 - 1)},
    optional={name: st.just(True) for name in ("user", "session", "time", "value", "context")},
).filter(lambda wanted: "user" in wanted or "session" in wanted)


def drawn_log(wanted):
    """Return a log of random rows with the columns wanted."""
    rng = np.random.default_rng(wanted["seed"])
    n = wanted["n"]
    columns = {"item": rng.choice(["a", "b", "ü", "", "e"], n).astype(object)}
    if "user" in wanted:
        columns["user"] = rng.integers(0, 4, n) * 3
    if "session" in wanted:
        columns["session"] = rng.choice(["s", "t", "u"], n)
    if "time" in wanted:
        columns |= {"time": rng.integers(-3, 9, n), "time_unit": "ms"}
    if "value" in wanted:
        columns["value"] = rng.integers(1, 4, n)
    if "context" in wanted:
        columns["context"] = {"x/y": rng.random(n), "kind": rng.choice(["p", "q"], n)}
    return Interactions.from_arrays(**columns)


def rows_of(log):
    """Return the rows as tuples of external ids and numbers, in the order of the log."""
    columns = []
    for name in PLAIN:
        column = getattr(log, name)
        ids = getattr(log, f"{name}_ids", None)
        if column is not None:
            columns.append((column if ids is None else ids.decode(column)).tolist())
    for name, column in log.context.items():
        ids = log.context_ids.get(name)
        columns.append((column if ids is None else ids.decode(column)).tolist())
    return list(zip(*columns, strict=True))


def histories_of(log):
    """Return the histories in external ids."""
    return [log.item_ids.decode(history).tolist() for history in log.sequences()]
