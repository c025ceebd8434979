"""``fastrec analogy``: an answer to a question, or how many of a file of them are solved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fastrec.cli.inputs import open_vectors, parse_ids
from fastrec.cli.options import AsJson, Count, Threads, VectorKind, VectorsFile
from fastrec.cli.output import print_json, print_ranking, print_table
from fastrec.errors import InputError


def analogy(
    file: VectorsFile,
    positive: Annotated[
        str | None, typer.Option(metavar="IDS", help="What the answer is like: king,woman.")
    ] = None,
    negative: Annotated[
        str, typer.Option(metavar="IDS", help="What the answer is unlike: man.")
    ] = "",
    questions: Annotated[
        Path | None,
        typer.Option(
            help="Evaluate questions instead: a file such as questions-words.txt, or Parquet "
            "with the columns section, a, b, c, d."
        ),
    ] = None,
    count: Count = 10,
    method: Annotated[str, typer.Option(metavar="add|mul", help="3CosAdd or 3CosMul.")] = "add",
    restrict: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Only the first so many vectors may be answers; default: all of them, and "
            "30,000 for --questions.",
        ),
    ] = None,
    kind: VectorKind = None,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Answer an analogy, or evaluate many. IDS are separated by commas.

    For example: fastrec analogy m.fastrec --positive king,woman --negative man -k 5
    """
    if (positive is None) == (questions is None):
        raise InputError("give either --positive (and --negative) or --questions")
    if questions is not None:
        if negative:
            raise InputError("--negative belongs to --positive; leave it out with --questions")
        _evaluate(open_vectors(file, kind), questions, method, restrict, threads, as_json)
        return
    vectors = open_vectors(file, kind)
    above = parse_ids("--positive", positive or "", vectors.ids.kind)
    below = parse_ids("--negative", negative, vectors.ids.kind)
    found = vectors.analogy(
        above, below, count, method=method, restrict=restrict, threads=threads
    ).to_lists()[0]
    if as_json:
        items, scores = [item for item, _ in found], [score for _, score in found]
        print_json({"positive": above, "negative": below, "items": items, "scores": scores})
        return
    asked = " + ".join(map(str, above)) + "".join(f" - {id}" for id in below)
    print_ranking(asked, found)


def _evaluate(
    vectors: Any,
    questions: Path,
    method: str,
    restrict: int | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Print the accuracy of each section and of all questions."""
    from fastrec.evaluation import evaluate_analogies

    options: dict[str, Any] = {} if restrict is None else {"restrict_vocab": restrict}
    found = evaluate_analogies(vectors, questions, method=method, threads=threads, **options)
    if as_json:
        print_json({"method": method, **found.as_dict()})
        return
    rows = [
        [part.name, part.accuracy if part.asked else None, part.correct, part.asked, part.left_out]
        for part in (*found.sections, found.total)
    ]
    print_table(["section", "accuracy", "correct", "asked", "left out"], rows)
    typer.echo(f"{found.total.asked:,} questions in {found.seconds:.2f} s")
