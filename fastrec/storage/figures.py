"""Pictures: matplotlib figures that know no screen, written to PNG files.

Figures are drawn by Agg and never by pyplot, which keeps every figure in a list of
the process and may ask for a window. matplotlib is imported when it is first used.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache
from typing import Any

from fastrec.errors import InputError
from fastrec.runtime.checks import file_path
from fastrec.runtime.files import Path, replacing

INSTALL = "pip install 'fastrec-engine[plot]'"
DOTS_PER_INCH = 150
MARGIN = 0.12  # inches
FONT = "DejaVu Sans"  # comes with matplotlib
UNKNOWN_CHARACTER = "\N{REPLACEMENT CHARACTER}"


def require_matplotlib(module: str = "matplotlib") -> Any:
    """Return a module of matplotlib.

    Raises
    ------
    InputError
        It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InputError(f"drawing needs matplotlib, which is not installed: {INSTALL}") from None


def png_path(path: Path) -> str:
    """Return the path of a picture, or say that its ending is of another format."""
    name = file_path(path)
    if not name.lower().endswith(".png"):
        raise InputError(f"pictures are written as PNG, got the path {name!r}; let it end in .png")
    return name


def new_figure(width: float, height: float) -> Any:
    """Return an empty figure of so many inches, on a canvas of Agg."""
    figure = require_matplotlib("matplotlib.figure").Figure(
        figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained", facecolor="white"
    )
    figure.get_layout_engine().set(w_pad=MARGIN, h_pad=MARGIN)
    require_matplotlib("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure as PNG; the file replaces ``path`` only when it is whole.

    Raises
    ------
    InputError
        The path does not end in ``.png``, or cannot be written.
    FastrecError
        The system could not write it (full disk); the old file is unchanged.
    """
    with replacing(png_path(path)) as file:
        figure.savefig(file, format="png")


def drawable(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return texts that can be drawn, and the fonts to draw them with.

    Where the usual font lacks a character, an installed one that has it is added. What no
    font has is shown as U+FFFD, so that matplotlib has nothing to warn about. White space
    becomes blanks.

    Returns
    -------
    texts : list of str
    families : list of str
        For the argument ``fontfamily`` of matplotlib's texts.
    """
    plain = [" ".join(text.split()) for text in texts]
    characters = set(map(ord, "".join(plain)))
    files = _font_files()
    missing = characters - _characters_of(files[FONT])
    families = [FONT]
    for family, file in files.items():
        if not missing:
            break
        found = missing & _characters_of(file)
        if found:
            families.append(family)
            missing -= found
    absent = dict.fromkeys(missing, UNKNOWN_CHARACTER)
    return [text.translate(absent) for text in plain], families


@cache
def _font_files() -> dict[str, str]:
    """Return the file of each installed upright family; the usual one comes first."""
    manager = require_matplotlib("matplotlib.font_manager")
    files = {FONT: manager.findfont(FONT)}
    for entry in sorted(manager.fontManager.ttflist, key=lambda entry: (entry.name, entry.fname)):
        is_regular = entry.style == "normal" and entry.weight in (400, "normal", "regular")
        # The last resort has a box for everything; TeX's fonts have letters in odd places.
        if is_regular and not entry.name.startswith(("Last Resort", "STIX", "cm")):
            files.setdefault(entry.name, entry.fname)
    return files


@cache
def _characters_of(file: str) -> frozenset[int]:
    """Return the code points that a font has; none for one that cannot be read."""
    try:
        return frozenset(require_matplotlib("matplotlib.ft2font").FT2Font(file).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()
