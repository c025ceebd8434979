"""``fastrec train``: a log goes in, a model file comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fastrec.cli.inputs import read_log, read_queries
from fastrec.cli.options import AsJson, HistoryColumn, TargetColumn
from fastrec.cli.output import print_json, print_rows
from fastrec.cli.settings import parse_settings
from fastrec.errors import InputError
from fastrec.models import MODEL_NAMES, model_class


def train(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help=f"One of {', '.join(MODEL_NAMES)}.")
    ],
    data: Annotated[Path, typer.Option(help="Parquet or CSV file, or a saved log's folder.")],
    out: Annotated[Path, typer.Option(help="The model file to write.")],
    item: Annotated[str | None, typer.Option(help="Column with the item ids.")] = None,
    user: Annotated[str | None, typer.Option(help="Column with the user or session ids.")] = None,
    session: Annotated[str | None, typer.Option(help="Column with sessions below users.")] = None,
    order: Annotated[str | None, typer.Option(help="Column that orders a history.")] = None,
    time: Annotated[str | None, typer.Option(help="Column with times; orders too.")] = None,
    time_unit: Annotated[str | None, typer.Option(metavar="s|ms|us|ns", help="Of --time.")] = None,
    value: Annotated[str | None, typer.Option(help="Column with weights.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A model parameter.")
    ] = None,
    validation: Annotated[
        Path | None, typer.Option(help="Parquet file of queries to evaluate after each epoch.")
    ] = None,
    history: HistoryColumn = "history",
    target: TargetColumn = "target",
    stop_on: Annotated[
        str | None, typer.Option(metavar="METRIC", help="Stop early, keep the best: recall@20.")
    ] = None,
    patience: Annotated[
        int, typer.Option(min=1, help="Epochs without a better value before stopping.")
    ] = 2,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a model on a log and save it.

    For example: fastrec train item2vec --data train.parquet --user session --item item
    --order position --set dim=128 --out m.fastrec
    """
    cls = model_class(model)
    fitted = cls(**parse_settings(cls, settings or []))
    if stop_on and validation is None:
        raise InputError("--stop-on needs queries to evaluate; name them with --validation")
    if not out.absolute().parent.is_dir():
        raise InputError(f"the folder of --out {out} does not exist; make it first")
    if out.is_dir():
        raise InputError(f"--out {out} is a folder; name a file in it")
    log = read_log(
        data,
        user=user,
        session=session,
        item=item,
        order=order,
        time=time,
        time_unit=time_unit,
        value=value,
    )
    queries = read_queries(validation, history, target) if validation else None
    interrupted = _fit(fitted, log, queries, _stopping(stop_on, patience), not quiet)
    fitted.save(out)
    _report(fitted, log, out, as_json)
    if interrupted:
        raise KeyboardInterrupt


def _stopping(metric: str | None, patience: int) -> list[Any]:
    """Return the callbacks that ``--stop-on`` asks for."""
    if metric is None:
        return []
    from fastrec.training import EarlyStopping

    return [EarlyStopping(metric, patience=patience)]


def _fit(model: Any, log: Any, queries: Any, callbacks: list[Any], progress: bool) -> bool:
    """Train; return whether Ctrl-C ended it with a model that can be used."""
    try:
        model.fit(log, validation=queries, callbacks=callbacks, progress=progress)
    except KeyboardInterrupt:
        if not getattr(model, "history", None):
            raise
        return True
    return False


def _report(model: Any, log: Any, out: Path, as_json: bool) -> None:
    """Print what was trained, epoch by epoch."""
    rows = model.history.to_rows()
    if as_json:
        print_json(
            {
                "model": type(model).__name__,
                "out": out,
                "events": len(log),
                "histories": log.n_histories,
                "items": log.n_items,
                "epochs": rows,
            }
        )
        return
    if rows:
        print_rows(rows)
    typer.echo(
        f"{type(model).__name__}: {len(log):,} events, {log.n_histories:,} histories, "
        f"{log.n_items:,} items -> {out}"
    )
