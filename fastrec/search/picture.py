"""A picture of points with names: a scatter plot whose labels keep clear of each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrec.errors import InputError
from fastrec.runtime import checks
from fastrec.search.label_layout import place_labels
from fastrec.search.projection import Projection
from fastrec.storage import figures
from fastrec.storage.figures import Path

# Okabe and Ito's colours, which the colour-blind tell apart, without the yellow: it is too light.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#5B5B5B")
MARKERS = "os^Dv*PX"
INK = "#222222"
FAINT = "#B8B8B8"
LONGEST_LABEL = 40  # characters
MARKER_POINTS = 7.0
# Between a mark and its name, in points of 1/72 inch; a line leads to a far one.
DISTANCES = (2.0, 13.0)


def draw(
    projection: Projection,
    path: Path,
    *,
    title: str | None,
    labels: Sequence[Any],
    groups: Sequence[Any] | None,
) -> None:
    """Draw points with their names and write the picture as PNG; see ``Vectors.plot``.

    Parameters
    ----------
    projection : Projection
        n points.
    path : str or path-like
        Ends in ``.png``; replaced only when the picture is whole.
    title : str or None
        Above the picture.
    labels : sequence of n
        Beside the points; an empty one is left out.
    groups : sequence of n, or None
        Points of one group share a colour, which a legend names; None is grey.
    """
    figures.png_path(path)
    title = "" if title is None else checks.text("title", title)
    count = len(projection.points)
    if count == 0:
        raise InputError("there is nothing to draw; name at least one id")
    labels = _texts("labels", labels, count)
    groups = _texts("groups", [None] * count if groups is None else groups, count)
    names = list(dict.fromkeys(group for group in groups if group is not None))
    shown = [_shortened(text or "") for text in [*labels, *names]]
    texts, families = figures.drawable([*shown, title])
    figure = figures.new_figure(*((9.0, 7.0) if count <= 60 else (13.0, 10.0)))
    axes = figure.add_subplot()
    _scatter(axes, projection.points, groups, names)
    _decorate(axes, projection.variance)
    if texts[-1]:
        axes.set_title(
            texts[-1], loc="left", fontsize=14, color=INK, pad=12, family=families,
            parse_math=False,
        )  # fmt: skip
    if names:
        _add_legend(figure, axes, texts[count:-1], families)
    size = 10 if count <= 30 else 9 if count <= 80 else 7.5
    _add_labels(figure, axes, projection.points, texts[:count], families, size)
    figures.save_figure(figure, path)


def _texts(name: str, given: Sequence[Any], count: int) -> list[str | None]:
    """Return one text, or None, for each point."""
    what = f"a list of one for each of the {count} ids"
    if not hasattr(given, "__len__"):
        raise InputError(f"{name} must be {what}, got {given!r}")
    listed = checks.listed(name, given, what)
    if len(listed) != count:
        raise InputError(f"{name} must be {what}, got {len(listed)}")
    return [None if value is None else str(value) for value in listed]


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1] + "…"


def _scatter(
    axes: Any, points: np.ndarray, groups: Sequence[str | None], names: Sequence[str]
) -> None:
    """Draw the points, a call for each group, grey ones first."""
    number = {name: place for place, name in enumerate(names)}
    codes = np.array([-1 if group is None else number[group] for group in groups])
    only_one = not names
    for code in range(-1, len(names)):
        chosen = points[codes == code]
        if code < 0 and not len(chosen):
            continue
        place = max(code, 0)
        axes.scatter(
            chosen[:, 0],
            chosen[:, 1],
            s=MARKER_POINTS**2,
            color=COLOURS[place % len(COLOURS)] if code >= 0 or only_one else FAINT,
            marker=MARKERS[place // len(COLOURS) % len(MARKERS)],
            edgecolors="white",
            linewidths=0.8,
            zorder=3,
        )


def _decorate(axes: Any, variance: tuple[float, float]) -> None:
    """Name the axes; their numbers mean nothing, so that they have none."""
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.12)
    axes.set_xticks([])
    axes.set_yticks([])
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_color(FAINT)
    style = {"fontsize": 9, "color": "#6A6A6A", "family": [figures.FONT]}
    axes.set_xlabel(f"1st component, {100 * variance[0]:.0f} % of the variance", **style)
    axes.set_ylabel(f"2nd component, {100 * variance[1]:.0f} % of the variance", **style)


def _add_legend(figure: Any, axes: Any, names: Sequence[str], families: list[str]) -> None:
    handles = axes.collections[-len(names) :]
    # Placeholders first: matplotlib leaves out names that begin with an underscore.
    legend = figure.legend(
        handles,
        ["-"] * len(names),
        loc="outside lower center",
        ncols=min(len(names), 5),
        frameon=False,
        handletextpad=0.2,
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set(text=name, parse_math=False, color=INK, family=families, fontsize=10)


def _add_labels(
    figure: Any,
    axes: Any,
    points: np.ndarray,
    labels: Sequence[str],
    families: list[str],
    size: float,
) -> None:
    """Write the names that are not empty beside their points."""
    figure.draw_without_rendering()  # the layout is final from here on
    figure.set_layout_engine("none")
    owners = np.array([row for row, label in enumerate(labels) if label], dtype=np.int64)
    if len(owners) == 0:
        return
    texts = [
        axes.annotate(
            labels[row],
            points[row],
            xytext=(0, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=size,
            color=INK,
            family=families,
            parse_math=False,
            annotation_clip=False,
            zorder=4,
        )
        for row in owners
    ]
    pixels = figure.dpi / 72
    places = axes.transData.transform(points.astype(np.float64))
    renderer = figure.canvas.get_renderer()
    offsets, is_far = place_labels(
        places,
        owners,
        np.array([text.get_window_extent(renderer).size for text in texts]),
        axes.get_window_extent(renderer).get_points(),
        MARKER_POINTS / 2 * pixels,
        (DISTANCES[0] * pixels, DISTANCES[1] * pixels),
    )
    for text, offset in zip(texts, offsets, strict=True):
        text.set_position(tuple(offset / pixels))
    ends = axes.transData.inverted().transform(places[owners] + offsets)
    for row, end in zip(owners[is_far], ends[is_far], strict=True):
        axes.plot(*zip(points[row], end, strict=True), color=FAINT, linewidth=0.8, zorder=1)
