"""``fastrec train``: a log or texts go in, a model file comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fastrec.cli.inputs import open_any, read_log, read_queries, read_texts, vectors_of
from fastrec.cli.options import AsJson, HistoryColumn, TargetColumn
from fastrec.cli.output import print_json, print_rows
from fastrec.cli.settings import parse_settings
from fastrec.errors import InputError
from fastrec.models import MODEL_NAMES, Doc2Vec, Embedder, SentenceVectors, model_class


def train(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help=f"One of {', '.join(MODEL_NAMES)}.")
    ],
    out: Annotated[Path, typer.Option(help="The model file to write.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Parquet or CSV file, or a saved log's folder; for texts Parquet."),
    ] = None,
    item: Annotated[str | None, typer.Option(help="Column with the item ids.")] = None,
    user: Annotated[str | None, typer.Option(help="Column with the user or session ids.")] = None,
    session: Annotated[str | None, typer.Option(help="Column with sessions below users.")] = None,
    order: Annotated[str | None, typer.Option(help="Column that orders a history.")] = None,
    time: Annotated[str | None, typer.Option(help="Column with times; orders too.")] = None,
    time_unit: Annotated[str | None, typer.Option(metavar="s|ms|us|ns", help="Of --time.")] = None,
    value: Annotated[str | None, typer.Option(help="Column with weights.")] = None,
    context: Annotated[
        list[str] | None,
        typer.Option(help="Column with context of each event; may be given again."),
    ] = None,
    text: Annotated[
        Path | None, typer.Option(help="Text file in UTF-8, one document a line; .gz too.")
    ] = None,
    column: Annotated[
        str | None, typer.Option(help="Column with the texts of --data; default: text.")
    ] = None,
    id: Annotated[
        str | None, typer.Option(help="Column with the documents' ids; default: their numbers.")
    ] = None,
    vectors: Annotated[
        Path | None, typer.Option(help="Word vectors that sentencevectors is made of.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A model parameter.")
    ] = None,
    validation: Annotated[
        Path | None, typer.Option(help="Parquet file of queries to evaluate after each epoch.")
    ] = None,
    history: HistoryColumn = "history",
    target: TargetColumn = "target",
    stop_on: Annotated[
        str | None,
        typer.Option(metavar="METRIC", help="Stop early, keep the best: recall@20, or loss."),
    ] = None,
    patience: Annotated[
        int, typer.Option(min=1, help="Epochs without a better value before stopping.")
    ] = 2,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a model on a log or on texts, and save it.

    For example: fastrec train item2vec --data train.parquet --user session --item item
    --order position --set dim=128 --out m.fastrec

    Or: fastrec train word2vec --text corpus.txt --set dim=100 --out m.fastrec
    """
    cls = model_class(model)
    fitted = cls(**parse_settings(cls, settings or []))
    of_logs: dict[str, Any] = {
        "item": item,
        "user": user,
        "session": session,
        "order": order,
        "time": time,
    }
    of_logs |= {"time_unit": time_unit, "value": value, "context": context}
    options: dict[str, Any] = {"callbacks": _stopping(stop_on, patience)}
    if isinstance(fitted, Embedder):
        _refuse(f"{cls.__name__} is trained on texts", **of_logs, validation=validation)
        _refuse_metrics(stop_on)
        _check_out(out)
        if isinstance(fitted, SentenceVectors):
            options["vectors"] = _given_vectors(vectors)
        else:
            _refuse(f"{cls.__name__} learns vectors of its own", vectors=vectors)
        if not isinstance(fitted, Doc2Vec):
            _refuse(f"{cls.__name__} keeps no documents", id=id)
        given: Any = read_texts(text, data, column, id)
    else:
        of_texts = {"text": text, "column": column, "id": id, "vectors": vectors}
        _refuse(f"{cls.__name__} is trained on a log", **of_texts)
        if stop_on not in (None, "loss") and validation is None:
            raise InputError("--stop-on needs queries to evaluate; name them with --validation")
        if data is None:
            raise InputError("--data must name the log to train on")
        _check_out(out)
        given = read_log(data, **of_logs)
        options["validation"] = read_queries(validation, history, target) if validation else None
    interrupted = _fit(fitted, given, options, not quiet)
    fitted.save(out)
    _report(fitted, given, out, as_json)
    if interrupted:
        raise KeyboardInterrupt


def _refuse(why: str, **options: Any) -> None:
    """Raise where one of the options was given."""
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if given:
        raise InputError(f"{why}; leave out {', '.join(given)}")


def _refuse_metrics(stop_on: str | None) -> None:
    if stop_on not in (None, "loss"):
        raise InputError(f"--stop-on takes loss for a model of texts, got {stop_on!r}")


def _check_out(out: Path) -> None:
    """Raise where the model could not be saved, before it is trained."""
    if not out.absolute().parent.is_dir():
        raise InputError(f"the folder of --out {out} does not exist; make it first")
    if out.is_dir():
        raise InputError(f"--out {out} is a folder; name a file in it")


def _given_vectors(path: Path | None) -> Any:
    """Return the word vectors that ``--vectors`` names."""
    if path is None:
        raise InputError(
            "sentencevectors is made of word vectors; name a file of them, or of a model that "
            "has some, with --vectors"
        )
    opened = open_any(path)
    return vectors_of(opened, "word" if isinstance(opened, Embedder) else None)[1]


def _stopping(metric: str | None, patience: int) -> list[Any]:
    """Return the callbacks that ``--stop-on`` asks for."""
    if metric is None:
        return []
    from fastrec.training import EarlyStopping

    return [EarlyStopping(metric, patience=patience)]


def _fit(model: Any, data: Any, options: dict[str, Any], progress: bool) -> bool:
    """Train; return whether Ctrl-C ended it with a model that can be used."""
    try:
        model.fit(data, progress=progress, **options)
    except KeyboardInterrupt:
        if not getattr(model, "history", None):
            raise
        return True
    return False


def _report(model: Any, data: Any, out: Path, as_json: bool) -> None:
    """Print what was trained, epoch by epoch."""
    rows = model.history.to_rows()
    if isinstance(model, Embedder):
        sizes = {"documents": len(data), "tokens": data.n_tokens, "words": len(model.word_ids)}
    else:
        sizes = {"events": len(data), "histories": data.n_histories, "items": data.n_items}
    if as_json:
        print_json({"model": type(model).__name__, "out": out, **sizes, "epochs": rows})
        return
    if rows:
        print_rows(rows)
    counted = ", ".join(f"{size:,} {name}" for name, size in sizes.items())
    typer.echo(f"{type(model).__name__}: {counted} -> {out}")
