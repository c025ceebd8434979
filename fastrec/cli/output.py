"""What the commands print: tables for people, one JSON object for programs."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object on one line; NaN becomes null, which JSON has."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False) + "\n")


def plain(value: Any) -> Any:
    """Return ``value`` in JSON's own types: NumPy numbers and arrays, paths and NaN translated."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None
) -> None:
    """Print rows under their column names; numbers stand to the right.

    A table that goes to a file or a pipe is not cut to any width.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 10_000
    cells = [[shown(value) for value in row] for row in rows]
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for place, name in enumerate(columns):
        numeric = all(_is_number(row[place]) for row in cells)
        table.add_column(name, justify="right" if cells and numeric else "left")
    for row in cells:
        # Text, because a title such as "[intro]" would be read as markup.
        table.add_row(*map(Text, row))
    console.print(table)


def print_rows(rows: Sequence[dict[str, Any]]) -> None:
    """Print dictionaries as a table of their keys, in order of first appearance."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    print_table(columns, [[row.get(key) for key in columns] for row in rows])


def print_ranking(title: str, found: Sequence[tuple[Any, float]]) -> None:
    """Print items and their scores, best first."""
    # Ids are names, not quantities: no thousands separators.
    rows = [[rank, str(item), score] for rank, (item, score) in enumerate(found, start=1)]
    print_table(["rank", "item", "score"], rows, title=title)


def shown(value: object) -> str:
    """Return a number with as many digits as one reads, anything else as it is."""
    if value is None:
        return "-"
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{int(value):,}"
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"
    return str(value)


def _is_number(cell: str) -> bool:
    return cell == "-" or cell.replace(",", "").lstrip("-").replace(".", "", 1).isdigit()
