"""``fastrec recommend`` and ``fastrec similar``: ranked items on the terminal."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fastrec.cli.about import Context, Users, about
from fastrec.cli.inputs import open_any, open_recommender, parse_ids, vectors_of
from fastrec.cli.options import AsJson, Count, ModelFile, Threads, VectorKind, VectorsFile
from fastrec.cli.output import print_json, print_ranking


def recommend(
    model: ModelFile,
    history: Annotated[
        list[str], typer.Option(metavar="IDS", help="Items, oldest first; may be given again.")
    ],
    count: Count = 10,
    exclude: Annotated[
        str | None, typer.Option(metavar="IDS", help="Items never to return.")
    ] = None,
    allow: Annotated[
        str | None, typer.Option(metavar="IDS", help="The only items to return.")
    ] = None,
    exclude_seen: Annotated[
        bool,
        typer.Option(
            "--exclude-seen/--allow-seen", help="Whether items of the history may come back."
        ),
    ] = True,
    on_unknown: Annotated[
        str, typer.Option(metavar="ignore|error", help="What to do with ids never trained on.")
    ] = "ignore",
    user: Users = None,
    context: Context = None,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Recommend items that continue a history. IDS are separated by commas.

    For example: fastrec recommend m.fastrec --history 12,7,99 -k 10
    """
    opened = open_recommender(model)
    kind = opened.item_ids.kind
    asked = [parse_ids("--history", text, kind) for text in history]
    found = opened.recommend(
        asked,
        count,
        exclude_seen=exclude_seen,
        exclude=None if exclude is None else parse_ids("--exclude", exclude, kind),
        allow=None if allow is None else parse_ids("--allow", allow, kind),
        on_unknown=on_unknown,
        threads=threads,
        **about(opened, len(asked), user, context),
    )
    _print("history", asked, found.to_lists(), as_json)


def similar(
    file: VectorsFile,
    items: Annotated[
        str,
        typer.Argument(metavar="IDS", help="Items, documents or words, separated by commas."),
    ],
    count: Count = 10,
    vectors: VectorKind = None,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Find the items, documents or words that are most like others.

    For example: fastrec similar m.fastrec 12,7 -k 5
    """
    opened = open_any(file)
    if vectors is None and hasattr(opened, "similar_items"):
        asked = parse_ids("IDS", items, opened.item_ids.kind)
        found = opened.similar_items(asked, count, threads=threads)
    else:
        _, searched = vectors_of(opened, vectors)
        asked = parse_ids("IDS", items, searched.ids.kind)
        found = searched.similar(asked, count, threads=threads)
    _print("item", asked, found.to_lists(), as_json)


def _print(
    label: str, asked: list[Any], answers: list[list[tuple[Any, float]]], as_json: bool
) -> None:
    """Print one ranking for each of ``asked``."""
    if as_json:
        results = [
            {
                label: question,
                "items": [item for item, _ in answer],
                "scores": [score for _, score in answer],
            }
            for question, answer in zip(asked, answers, strict=True)
        ]
        print_json({"results": results})
        return
    for question, answer in zip(asked, answers, strict=True):
        text = ", ".join(map(str, question)) if isinstance(question, list) else question
        print_ranking(f"{label} {text}", answer)
