"""``fastrec generate``: playlists on the terminal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from fastrec.cli.about import Context, Users, about
from fastrec.cli.inputs import open_model, parse_id, parse_ids, read_groups
from fastrec.cli.options import AsJson, ModelFile, Threads
from fastrec.cli.output import print_json, print_table
from fastrec.errors import InputError


def generate(
    model: ModelFile,
    start: Annotated[
        list[str],
        typer.Option(metavar="IDS", help="What a playlist begins with; may be given again."),
    ],
    length: Annotated[int, typer.Option(help="Tracks that each playlist gets beyond its start.")],
    strategy: Annotated[
        str, typer.Option(metavar="greedy|sample|beam", help="How tracks are chosen.")
    ] = "greedy",
    temperature: Annotated[
        float | None, typer.Option(help="sample: scores are divided by it.")
    ] = None,
    top_k: Annotated[int | None, typer.Option(help="sample: from the best so many only.")] = None,
    top_p: Annotated[
        float | None,
        typer.Option(help="sample: from the fewest best whose probabilities add up to this."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="sample: what is drawn depends on it.")] = None,
    beam_width: Annotated[
        int | None, typer.Option(help="beam: beginnings that are kept of each playlist.")
    ] = None,
    length_normalization: Annotated[
        float | None,
        typer.Option(help="beam: dead ends compete by total / tracks ** this."),
    ] = None,
    exclude: Annotated[
        str | None, typer.Option(metavar="IDS", help="Tracks never to play.")
    ] = None,
    allow: Annotated[str | None, typer.Option(metavar="IDS", help="The only ones to play.")] = None,
    allow_repeats: Annotated[
        bool, typer.Option("--allow-repeats", help="Tracks may come again.")
    ] = False,
    groups: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Parquet or CSV with tracks and groups.")
    ] = None,
    group_columns: Annotated[
        str, typer.Option(metavar="ID,GROUP", help="The two columns of that file.")
    ] = "item,artist",
    max_in_row: Annotated[
        int | None, typer.Option(help="Tracks of one group that may follow one another.")
    ] = None,
    max_per_group: Annotated[
        int | None, typer.Option(help="Tracks of one group in a playlist in all.")
    ] = None,
    fixed: Annotated[
        list[str] | None,
        typer.Option(metavar="PLACE=ID", help="A track at a place, from 0; may be given again."),
    ] = None,
    end: Annotated[str | None, typer.Option(metavar="ID", help="The track to end on.")] = None,
    novelty: Annotated[
        float, typer.Option(help="Above 0 favours tracks that are rarely played.")
    ] = 0.0,
    on_unknown: Annotated[
        str, typer.Option(metavar="ignore|error", help="What to do with unknown starts.")
    ] = "error",
    user: Users = None,
    context: Context = None,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Continue playlists. IDS are separated by commas.

    For example: fastrec generate m.fastrec --start 12,7 --length 20 --strategy sample
    """
    opened = open_model(model)
    if not hasattr(opened, "generate"):
        raise InputError(
            f"{model} holds a {type(opened).__name__}, which makes no playlists; train one that "
            "does with fastrec train playlist-rnn"
        )
    kind = opened.item_ids.kind
    asked = [parse_ids("--start", text, kind) for text in start]
    found = opened.generate(
        asked,
        length,
        strategy=strategy,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        beam_width=beam_width,
        length_normalization=length_normalization,
        allow_repeats=allow_repeats,
        exclude=None if exclude is None else parse_ids("--exclude", exclude, kind),
        allow=None if allow is None else parse_ids("--allow", allow, kind),
        groups=None if groups is None else read_groups(groups, group_columns),
        max_in_row=max_in_row,
        max_per_group=max_per_group,
        fixed=_places(fixed, kind) if fixed else None,
        end=None if end is None else parse_id("--end", end, kind),
        novelty=novelty,
        on_unknown=on_unknown,
        threads=threads,
        **about(opened, len(asked), user, context),
    )
    results = [
        {
            "start": asked[row],
            "items": items,
            "log_probabilities": found.log_probabilities[row, : len(items)].tolist(),
            "total": float(found.totals[row]),
            "dead_end": found.dead_ends[row],
        }
        for row, items in enumerate(found)
    ]
    if as_json:
        print_json({"playlists": results})
        return
    for result in results:
        _print(result)


def _print(result: dict[str, Any]) -> None:
    """Print one playlist, and why it ends early if it does."""
    title = f"start {', '.join(map(str, result['start']))}; log-probability {result['total']:.4g}"
    rows = [
        [place, str(item), chance]
        for place, (item, chance) in enumerate(
            zip(result["items"], result["log_probabilities"], strict=True)
        )
    ]
    print_table(["place", "item", "log-probability"], rows, title=title)
    if result["dead_end"]:
        typer.echo(f"a dead end at {result['dead_end']}")


def _places(given: list[str], kind: str) -> dict[int, Any]:
    """Return the tracks of ``PLACE=ID`` by their place."""
    places: dict[int, Any] = {}
    for text in given:
        place, sign, track = text.partition("=")
        if not sign or re.fullmatch(r"[0-9]{1,9}", place.strip()) is None:
            raise InputError(f"--fixed takes PLACE=ID, such as 3=12, got {text[:60]}")
        if int(place) in places:
            raise InputError(f"--fixed names place {int(place)} twice; give one track for it")
        places[int(place)] = parse_id("--fixed", track, kind)
    return places
