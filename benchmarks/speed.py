"""The speed table: ``python -m benchmarks.speed [--only NAME] [--json]``.

One row a comparison, ours and the peer in alternation, medians; ratio above 1:
ours is faster. ``floor``, where a row has one, is what the machine allows at most, measured in
the same run. Rows that need real data want ``FASTREC_DATA``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from types import ModuleType

from benchmarks.harness import MissingDataError, Row
from fastrec.errors import DeviceError

MODULES = (
    *("word2vec_bench", "doc2vec_bench", "topk_bench", "evaluate_bench", "startup_bench"),
    *("files_bench", "memory_bench", "lookup_bench", "rnn_bench", "generate_bench"),
)
COLUMNS = ("name", "threads", "unit", "ours", "peer", "peer_name", "ratio", "floor")
WIDTHS = (21, 7, 10, 10, 10, 30, 6, 9)


def main(arguments: list[str] | None = None) -> int:
    """Measure and print row by row; return 1 where a row that was asked for cannot be made."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--only", metavar="NAME", help="make only the rows of this name")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    modules = [importlib.import_module(f"benchmarks.{name}") for name in MODULES]
    names = [name for module in modules for name in module.NAMES]
    if options.only and options.only not in names:
        parser.error(f"there is no row {options.only!r}, there are {', '.join(names)}")
    if not options.json:
        print(line(COLUMNS))
    outcomes = [
        print_rows(module, options.only, options.json)
        for module in modules
        if options.only is None or options.only in module.NAMES
    ]
    return int(options.only is not None and not all(outcomes))


def print_rows(module: ModuleType, only: str | None, as_json: bool) -> bool:
    """Print a module's rows as they come; return whether it could make them."""
    try:
        for row in module.rows(only):
            print(json.dumps(row.as_dict()) if as_json else describe(row), flush=True)
    except (MissingDataError, DeviceError) as error:
        print(f"{only or ', '.join(module.NAMES)}: {error}", file=sys.stderr)
        return False
    return True


def describe(row: Row) -> str:
    """Return a row of the printed table."""
    ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
    cells = (row.name, row.threads, row.unit, number(row.ours), number(row.peer), row.peer_name)
    extra = "  ".join(f"{key} {number(value)}" for key, value in row.extra.items())
    floor = "" if row.floor is None else number(row.floor)
    return f"{line((*cells, ratio, floor))}  {extra}".rstrip()


def number(value: object) -> str:
    """Return a figure with as many digits as one reads."""
    if not isinstance(value, (int, float)):
        return "-" if value is None else str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def line(cells: tuple[object, ...]) -> str:
    """Return cells in columns of fixed width, so that rows can be printed as they come."""
    return "  ".join(f"{cell!s:<{width}}" for cell, width in zip(cells, WIDTHS, strict=True))


if __name__ == "__main__":
    sys.exit(main())
