"""``fastrec evaluate``: how often a model finds what was left out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fastrec.cli.inputs import open_recommender, read_queries
from fastrec.cli.options import AsJson, HistoryColumn, ModelFile, TargetColumn, Threads
from fastrec.cli.output import print_json, print_table


def evaluate(
    model: ModelFile,
    queries: Annotated[Path, typer.Option(help="Parquet file, one query a row.")],
    history: HistoryColumn = "history",
    target: TargetColumn = "target",
    metrics: Annotated[
        str, typer.Option(help="Separated by commas, each with its cut-off.")
    ] = "recall@20,ndcg@20,mrr@20",
    exclude_seen: Annotated[
        bool,
        typer.Option(
            "--exclude-seen/--allow-seen", help="Whether items of the history may be answers."
        ),
    ] = False,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Rank all items for every query and compare with its targets.

    For example: fastrec evaluate m.fastrec --queries test.parquet --history prefix
    --target target --metrics recall@20,mrr@20
    """
    from fastrec.evaluation import evaluate as evaluate_model

    names = tuple(name.strip() for name in metrics.split(",") if name.strip())
    asked = read_queries(queries, history, target, exclude_seen)
    opened = open_recommender(model)
    result = evaluate_model(opened, asked, metrics=names, threads=threads)
    if as_json:
        print_json({"model": type(opened).__name__, **result.as_dict()})
        return
    unknown = (None, None)  # coverage is a number of all queries and has no interval
    print_table(
        ["metric", "mean", "95 % from", "to"],
        [[name, mean, *result.interval.get(name, unknown)] for name, mean in result.items()],
    )
    typer.echo(f"{result.n_queries:,} queries in {result.seconds:.2f} s")
