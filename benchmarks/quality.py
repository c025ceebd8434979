"""The quality table: ``python -m benchmarks.quality [--only NAME] [--hold-out] [--json]``.

Each row trains by a kept recipe, ``benchmarks/recipes/<dataset>-<model>.toml``,
on the data set below ``FASTREC_DATA`` and evaluates on its test part. A recipe
says which hold-out of the training part chose its parameters; nothing is ever
chosen on the test part. ``--hold-out`` trains on the rest of the training part
and evaluates on that hold-out, which is how parameters are compared.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import MissingDataError
from benchmarks.protocols import PROTOCOLS

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Recipe:
    """How a model is trained on a data set.

    Attributes
    ----------
    name : str
        ``dataset/model``, as in the file's name.
    dataset, model : str
        A key of ``PROTOCOLS``; a model's name on the command line.
    params : dict
        The model's constructor arguments.
    bar : dict of str to float
        Metrics and what each has to reach.
    path : Path
        The file, whose comments say how the parameters were chosen.
    """

    name: str
    dataset: str
    model: str
    params: dict[str, Any]
    bar: dict[str, float]
    path: Path


def recipes() -> dict[str, Recipe]:
    """Return every kept recipe by its name."""
    found = {}
    for path in sorted(RECIPES.glob("*.toml")):
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        dataset, model = content["dataset"], content["model"]
        name = f"{dataset}/{model}"
        found[name] = Recipe(name, dataset, model, content["params"], content["bar"], path)
    return found


def measure(recipe: Recipe, hold_out: bool = False) -> dict[str, Any]:
    """Train by a recipe and return its row, on the test part or on the hold-out.

    ``seconds`` is the time of training alone, all epochs.
    """
    import fastrec as fr
    from fastrec.models import model_class

    protocol = PROTOCOLS[recipe.dataset]
    train, queries = protocol.load()
    if hold_out:
        train, queries = protocol.hold_out(train)
    model: Any = model_class(recipe.model)(**recipe.params)
    start = time.perf_counter()
    model.fit(train, progress=False)
    seconds = time.perf_counter() - start
    result = fr.evaluate(model, queries, protocol.metrics)
    return {
        "dataset": recipe.dataset,
        "model": recipe.model,
        "metrics": dict(result),
        "bar": {} if hold_out else recipe.bar,
        "seconds": seconds,
        "recipe": str(recipe.path.relative_to(RECIPES.parent.parent)),
    }


def main(arguments: list[str] | None = None) -> int:
    """Train, evaluate and print row by row; return 1 where a row that was asked for lacks data."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--only", metavar="DATASET/MODEL", help="make only this row")
    parser.add_argument(
        "--hold-out", action="store_true", help="evaluate on a part of the training data instead"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    known = recipes()
    if options.only and options.only not in known:
        parser.error(f"there is no recipe {options.only!r}, there are {', '.join(known)}")
    for name in [options.only] if options.only else known:
        try:
            row = measure(known[name], options.hold_out)
        except MissingDataError as error:
            print(f"{name}: {error}", file=sys.stderr)
            if options.only:
                return 1
            continue
        print(json.dumps(row) if options.json else describe(row), flush=True)
    return 0


def describe(row: dict[str, Any]) -> str:
    """Return a row of the printed table: each metric beside its bar."""
    metrics = "  ".join(
        f"{name} {value:.4f}" + (f" (bar {row['bar'][name]:.4f})" if name in row["bar"] else "")
        for name, value in row["metrics"].items()
    )
    name = f"{row['dataset']}/{row['model']}"
    return f"{name:<24}  {metrics}  {row['seconds']:.1f} s  {row['recipe']}"


if __name__ == "__main__":
    sys.exit(main())
