"""``fastrec plot``: pictures of what a file holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from fastrec.cli.inputs import open_model, open_vectors, parse_ids
from fastrec.cli.options import AsJson, ModelFile, VectorKind, VectorsFile
from fastrec.cli.output import print_json
from fastrec.errors import InputError

app = typer.Typer(help="Draw pictures of models and vectors.", rich_markup_mode=None)


@app.callback()
def group() -> None:
    """Draw pictures of models and vectors."""


@app.command("vectors")
def plot_vectors(
    file: VectorsFile,
    out: Annotated[Path, typer.Option(help="The picture to write, ending in .png.")],
    ids: Annotated[str | None, typer.Option(metavar="IDS", help="Whose vectors.")] = None,
    groups: Annotated[
        list[str] | None,
        typer.Option(
            "--group", metavar="NAME=IDS", help="Whose vectors, in a colour; may be given again."
        ),
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="The first so many vectors: the most frequent ids.")
    ] = None,
    kind: VectorKind = None,
    title: Annotated[str | None, typer.Option(help="What stands above the picture.")] = None,
    as_json: AsJson = False,
) -> None:
    """Draw vectors as points with names, in the plane in which they differ most.

    For example: fastrec plot vectors m.fastrec --ids paris,rome,france,italy --out picture.png
    """
    vectors = open_vectors(file, kind)
    colour_of: dict[Any, str | None] = {}
    for name, text in [_named(group) for group in groups or []]:
        for id in parse_ids("--group", text, vectors.ids.kind):
            colour_of.setdefault(id, name)
    for id in parse_ids("--ids", ids, vectors.ids.kind) if ids is not None else []:
        colour_of.setdefault(id, None)
    first = np.arange(min(top or 0, len(vectors)), dtype=np.int32)
    for id in vectors.ids.decode(first).tolist():
        colour_of.setdefault(id, None)
    if not colour_of:
        raise InputError("name what to draw with --ids, --group or --top")
    drawn = vectors.plot(list(colour_of), out, title=title, groups=list(colour_of.values()))
    if as_json:
        points = [
            {"id": id, "x": x, "y": y, "group": group}
            for (id, group), (x, y) in zip(colour_of.items(), drawn.points.tolist(), strict=True)
        ]
        print_json({"out": out, "variance": drawn.variance, "points": points})
    else:
        share = 100 * sum(drawn.variance)
        typer.echo(f"{len(colour_of):,} vectors, {share:.0f} % of their variance -> {out}")


@app.command("history")
def plot_history(
    model: ModelFile,
    out: Annotated[Path, typer.Option(help="The picture to write, ending in .png.")],
    title: Annotated[str | None, typer.Option(help="What stands above the picture.")] = None,
    as_json: AsJson = False,
) -> None:
    """Draw the loss and the metrics of a model's training, by epoch.

    For example: fastrec plot history m.fastrec --out curves.png
    """
    opened = open_model(model)
    drawn = opened.history.plot(out, title=title)
    if as_json:
        print_json({"out": out, "curves": drawn, "epochs": len(opened.history)})
    else:
        typer.echo(f"{', '.join(drawn)} of {len(opened.history)} epochs -> {out}")


def _named(group: str) -> tuple[str, str]:
    name, equals, text = group.partition("=")
    if not equals or not name.strip():
        raise InputError(f"--group takes NAME=IDS, got {group!r}")
    return name.strip(), text
