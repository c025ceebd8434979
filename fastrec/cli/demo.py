"""``fastrec demo``: train, evaluate and recommend, on generated playlists or on real sessions."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from fastrec.cli.inputs import read_log, read_queries
from fastrec.cli.options import AsJson
from fastrec.cli.output import print_json, print_table

METRIC = "recall@20"
RECOMMENDED = 5
SHOWN_HISTORY = 4
SETTINGS: dict[str, Any] = {
    "dim": 64,
    "window": 4,
    "negatives": 10,
    "epochs": 20,
    "learning_rate": 0.05,
    "history_decay": 0.5,
}


@dataclass(frozen=True)
class Material:
    """What the demo runs on.

    Attributes
    ----------
    source : str
        What it is, for the first line.
    log : Interactions
    queries : Queries
        In the ids of ``log``.
    name_of : callable of an item id
        Returns something that a person can read.
    ceiling : float or None
        The best Recall@20 that any model could reach, where it is known.
    """

    source: str
    log: Any
    queries: Any
    name_of: Callable[[Any], str]
    ceiling: float | None


def demo(
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder with train.parquet (session, position, item) and test.parquet "
            "(session, prefix, target); default: playlists generated on the spot."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train Item2Vec, compare it with popularity and recommend."""
    from fastrec.models import Item2Vec, Popularity

    start = time.perf_counter()
    material = _generated() if data is None else _from_folder(data)
    log = material.log
    if not as_json:
        typer.echo(
            f"{material.source}: {len(log):,} plays, {log.n_histories:,} histories, "
            f"{log.n_items:,} items"
        )
    model = Item2Vec(**SETTINGS).fit(log, progress=not as_json)
    recalls = {
        "Popularity": _recall(Popularity().fit(log), material),
        "Item2Vec": _recall(model, material),
    }
    history, recommended = _example(model, material)
    trained = sum(row["seconds"] for row in model.history)
    facts = {
        "source": material.source,
        "metric": METRIC,
        "popularity": recalls["Popularity"],
        "item2vec": recalls["Item2Vec"],
        "ceiling": material.ceiling,
        "share_of_ceiling": material.ceiling and recalls["Item2Vec"] / material.ceiling,
        "history": history,
        "recommendations": recommended,
        "items_per_second": len(log) * len(model.history) / trained,
        "seconds": time.perf_counter() - start,
    }
    if as_json:
        print_json(facts)
    else:
        _print(facts)


def _generated() -> Material:
    """Generate playlists of known structure."""
    from fastrec.data.synthetic import synthetic_playlists

    playlists = synthetic_playlists()
    return Material(
        source="generated playlists",
        log=playlists.log,
        queries=playlists.queries,
        name_of=str,
        ceiling=playlists.best_recall(20),
    )


def _from_folder(folder: Path) -> Material:
    """Read real sessions and the questions about them."""
    log = read_log(folder / "train.parquet", user="session", item="item", order="position")
    return Material(
        source=str(folder),
        log=log,
        queries=read_queries(folder / "test.parquet", "prefix", "target"),
        name_of=lambda item: f"item {item}",
        ceiling=None,
    )


def _recall(model: Any, material: Material) -> float:
    from fastrec.evaluation import evaluate

    return float(evaluate(model, material.queries, metrics=(METRIC,))[METRIC])


def _example(model: Any, material: Material) -> tuple[list[str], list[str]]:
    """Return a history that is long enough to tell something, and what is recommended for it."""
    queries = material.queries
    lengths = queries.histories.lengths
    # The first of those that show enough; of a small folder, the longest.
    row = int(
        (lengths >= SHOWN_HISTORY).argmax() if lengths.max() >= SHOWN_HISTORY else lengths.argmax()
    )
    history = queries.item_ids.decode(queries.histories[row]).tolist()
    found = model.recommend([history], k=RECOMMENDED).to_lists()[0]
    names = [material.name_of(item) for item in history[-SHOWN_HISTORY:]]
    return names, [material.name_of(item) for item, _ in found]


def _print(facts: dict[str, Any]) -> None:
    """Print the comparison, the recommendations and the speed."""
    ceiling = facts["ceiling"]
    rows = [("Popularity", facts["popularity"]), ("Item2Vec", facts["item2vec"])]
    if ceiling is None:
        print_table(["model", "Recall@20"], [(name, _percent(value)) for name, value in rows])
    else:
        rows.append(("best possible", ceiling))
        print_table(
            ["model", "Recall@20", "of the best"],
            [(name, _percent(value), _percent(value / ceiling)) for name, value in rows],
        )
    typer.echo("Who has heard")
    for name in facts["history"]:
        typer.echo(f"    {name}")
    typer.echo("may like")
    for rank, name in enumerate(facts["recommendations"], start=1):
        typer.echo(f"  {rank}. {name}")
    typer.echo(
        f"\nTrained at {facts['items_per_second']:,.0f} items/s; "
        f"everything took {facts['seconds']:.1f} s."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
