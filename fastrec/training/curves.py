"""A picture of a training run: the loss, and the metrics of the validation set, by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrec.errors import InputError
from fastrec.runtime import checks
from fastrec.storage import figures
from fastrec.storage.figures import Path

# Okabe and Ito's colours, which the colour-blind tell apart, without the yellow: it is too light.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#5B5B5B")
INK = "#222222"
FAINT = "#B8B8B8"
NO_CURVES = ("epoch", "seconds", "events_per_second", "partial", "skipped_sessions")
LARGEST = 1e300  # matplotlib adds margins to what it draws, which must not overflow
WIDTH, HEIGHT = 8.0, 3.2  # inches of one panel


def draw(rows: Sequence[dict[str, Any]], path: Path, title: str | None) -> list[str]:
    """Draw the loss above the metrics and write the picture as PNG; see :meth:`History.plot`."""
    figures.png_path(path)
    title = "" if title is None else checks.text("title", title)
    names = dict.fromkeys(key for row in rows for key in row)
    curves = {name: _points(rows, name) for name in names if _is_curve(name)}
    curves = {name: points for name, points in curves.items() if points}
    if not curves:
        raise InputError("the history has no epoch with a loss; there is nothing to draw")
    metrics = [name for name in curves if name != "loss"]
    panels = [panel for panel in (["loss"] if "loss" in curves else [], metrics) if panel]
    figure = figures.new_figure(WIDTH, HEIGHT * len(panels))
    all_axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, panel in zip(all_axes, panels, strict=True):
        for number, name in enumerate(panel):
            epochs, values = zip(*curves[name], strict=True)
            colour = COLOURS[number % len(COLOURS)]
            axes.plot(epochs, values, color=colour, marker="o", markersize=4, label=name)
        _decorate(axes, panel)
    all_axes[-1].set_xlabel("epoch", fontsize=10, color=INK, family=[figures.FONT])
    if title:
        (text,), families = figures.drawable([title])
        all_axes[0].set_title(
            text, loc="left", fontsize=13, color=INK, family=families, parse_math=False
        )
    figures.save_figure(figure, path)
    return list(curves)


def _is_curve(name: Any) -> bool:
    return isinstance(name, str) and name not in NO_CURVES


def _points(rows: Sequence[dict[str, Any]], name: str) -> list[tuple[int, float]]:
    """Return (epoch, value) of every epoch that has a finite value.

    Raises
    ------
    InputError
        A row that does not say of which epoch it is.
    """
    found = []
    for row in rows:
        value = row.get(name)
        if (
            isinstance(value, (int, float, np.integer, np.floating))
            and -LARGEST <= value <= LARGEST
        ):
            epoch = checks.whole_number('"epoch" of each row', row.get("epoch"), 0, 2**31 - 1)
            found.append((epoch, float(value)))
    return found


def _decorate(axes: Any, panel: Sequence[str]) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_color(FAINT)
    axes.grid(axis="y", color="#EEEEEE")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.tick_params(colors=INK, labelsize=9)
    label = panel[0] if len(panel) == 1 else "metrics"
    axes.set_ylabel(label, fontsize=10, color=INK, family=[figures.FONT], parse_math=False)
    if len(panel) > 1:
        for text in axes.legend(frameon=False, fontsize=9).get_texts():
            text.set_parse_math(False)
