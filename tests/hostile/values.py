"""What people hand in by mistake, and how a call of the package must answer it.

Python's own errors (TypeError, IndexError, ...) and NumPy's tell users about the inside
of the package; an error of fastrec says what was got and what to give.
"""

import datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

import fastrec as fr

nan = float("nan")
LONE = "\ud800"  # half of a surrogate pair: no text, and not to be written as UTF-8


class Sized:
    """Says that it has two items, and has one."""

    def __len__(self):
        return 2

    def __getitem__(self, place):
        return [1][place]


class Backwards:
    """Says that it has -1 items."""

    def __len__(self):
        return -1


class Iterable:
    """Can be iterated over and nothing else."""

    def __iter__(self):
        return iter([[1], [2]])


class Broken:
    """An array that fails when it is asked for."""

    def __array__(self, *_, **__):
        raise ZeroDivisionError


def values(good):
    """Everything that people hand in by mistake, made anew."""
    yield from (None, True, 0, 3, -1, 1.5, nan, float("inf"), 10**30, -(2**70), 1j)
    yield from (Decimal("1.5"), Fraction(1, 3), datetime.date(2020, 1, 2), Path("no/such"))
    yield from (LONE, [LONE], [[LONE]], {LONE: [1]}, np.array([LONE]), np.str_("text"))
    yield from ("text", "", "a\0b", b"x", bytearray(b"ab"), memoryview(b"ab"))
    yield from ([], (), [[]], ((),), {}, {1, 2}, {"a": 1}, {"item": 3}, {3: [1]}, range(3))
    yield from ({"item": None, "user": None}, [1], [[1]], [[[1]]], ["a"], [["a"]], [None], [[None]])
    yield from ([nan], [[nan]], [1.5], [[1.5]], [10**30], [[10**30]], [1, "a"], [[1], "a"])
    yield from ([[1], 2], [[1, 2], [3]], iter([1]), object(), int, open, len, slice(1), ...)
    yield from (Exception("x"), Sized(), Backwards(), Iterable(), Broken())
    yield from (np.array(3), np.int64(3), np.float64(nan), np.datetime64("NaT"), np.ma.masked)
    yield from (np.zeros(shape) for shape in [0, (0, 3), (2, 0), (2, 2, 2)])
    yield from (np.array([1.5]), np.array([nan]), np.array([[nan]]), np.array([1j]), np.eye(3))
    yield from (np.array(["2020"], "M8[D]"), np.zeros(2, [("a", int)]), np.array([object()]))
    yield from (np.array([None]), np.array(["a"]), np.array([b"a"]), np.array([2**63], np.uint64))
    yield from (np.array([-5]), np.array([True]), np.array([7, 1]), np.array([1], ">i4"))
    yield from (np.array([[1, 2], [3, 4]]), np.zeros((2, 4), np.float32))
    yield from (np.ma.array([1, 2], mask=[0, 1]), np.ma.array([[1.0, 2]], mask=[[0, 1]]))
    yield from ([np.ma.masked], pd.Series([1.5, None]), pd.Series(["a", pd.NA]), pd.DataFrame())
    yield from (pa.array([1, None]), pa.array([[1], None]), pa.table({"item": [None]}))
    yield from (fr.Ragged.from_lists([[1], [2]]), fr.Ragged.from_lists([]))
    yield from (good.log, good.queries, good.ids, good.model, fr.Popularity(), type(good.model))
    yield from (good.corpus, good.vectors, good.texts)


def with_options(prefix, names, call):
    """One entry for each option of a call, which gets it as a keyword."""
    return {f"{prefix}({name}=)": lambda g, x, name=name: call(g, **{name: x}) for name in names}


def problems_of(call, good, leave_out=lambda _: False):
    """What is wrong with the answers of a call to every value: errors that are no sentences."""
    problems = []
    for value in values(good):
        if leave_out(value):
            continue
        shown = ascii(value)[:60]
        try:
            call(good, value)
        except fr.FastrecError as error:
            if len(str(error).split()) < 4:
                problems.append(f"{shown}: {error} is no sentence")
        except Exception as error:
            problems.append(f"{shown}: {type(error).__name__}: {error}")
    return problems
