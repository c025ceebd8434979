"""The quality table: ``python -m benchmarks.quality [--only NAME] [--hold-out] [--json]``.

Each row trains by a kept recipe, ``benchmarks/recipes/<dataset>-<model>[-<variant>].toml``,
on the data set below ``FASTREC_DATA`` and is judged on its test part, in the way of
its data set (:mod:`benchmarks.protocols`). A recipe says which hold-out of the
training part chose its parameters; nothing is ever chosen on the test part.
``--hold-out`` trains on the rest of the training part and is judged on that
hold-out, which is how parameters are compared. Below a row stand the baselines of
its data set, on the same questions.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import MissingDataError
from benchmarks.protocols import PROTOCOLS, Outcome

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Recipe:
    """How a model is trained on a data set.

    Attributes
    ----------
    name : str
        ``dataset/model`` or ``dataset/model-variant``, as in the file's name.
    dataset, model : str
        A key of ``PROTOCOLS``; a model's name on the command line.
    evenly_weighted : bool
        Whether the training log is weighted by :func:`benchmarks.asked.evenly_weighted`.
    params : dict
        The model's constructor arguments; ``"none"`` in the file is None.
    seeds : tuple of int
        A row is the mean over a model of each; empty where ``params`` says it all.
    bar : dict of str to float
        Metrics and what each has to reach; empty where nothing is set.
    path : Path
        The file, whose comments say how the parameters were chosen.
    """

    name: str
    dataset: str
    model: str
    evenly_weighted: bool
    params: dict[str, Any]
    seeds: tuple[int, ...]
    bar: dict[str, float]
    path: Path


def recipes() -> dict[str, Recipe]:
    """Return every kept recipe by its name."""
    found = {}
    for path in sorted(RECIPES.glob("*.toml")):
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        dataset, model = content["dataset"], content["model"]
        variant = f"-{content['variant']}" if "variant" in content else ""
        name = f"{dataset}/{model}{variant}"
        found[name] = Recipe(
            name=name,
            dataset=dataset,
            model=model,
            evenly_weighted=content.get("evenly_weighted", False),
            # TOML has no word for nothing.
            params={
                key: None if value == "none" else value for key, value in content["params"].items()
            },
            seeds=tuple(content.get("seeds", ())),
            bar=content.get("bar", {}),
            path=path,
        )
    return found


def measure(recipe: Recipe, hold_out: bool = False) -> dict[str, Any]:
    """Train by a recipe and return its row, on the test part or on the hold-out.

    ``metrics`` and ``seconds``, the time of training alone, are means over the recipe's seeds,
    ``deviation`` the standard deviations of the metrics over them; ``baselines`` are the metrics of
    each baseline of the data set.
    """
    from fastrec.models import model_class

    protocol = PROTOCOLS[recipe.dataset]
    data = protocol.load()
    if hold_out:
        data = protocol.hold_out(data)
    new_model = model_class(recipe.model)
    asked = data.evenly_weighted() if recipe.evenly_weighted else data
    settings = [recipe.params | {"seed": seed} for seed in recipe.seeds] or [recipe.params]
    outcomes = [protocol.measure(new_model(**params), asked) for params in settings]
    return {
        "name": recipe.name,
        "dataset": recipe.dataset,
        "model": recipe.model,
        **_summary(outcomes),
        "seeds": list(recipe.seeds),
        "bar": {} if hold_out else recipe.bar,
        "baselines": {
            name: protocol.measure(new_baseline(), data).metrics
            for name, new_baseline in protocol.baselines.items()
        },
        "recipe": str(recipe.path.relative_to(RECIPES.parent.parent)),
    }


def _summary(outcomes: list[Outcome]) -> dict[str, Any]:
    """Return the means of the outcomes, and the deviations where there are several."""
    columns = {name: [each.metrics[name] for each in outcomes] for name in outcomes[0].metrics}
    several = columns if len(outcomes) > 1 else {}
    return {
        "metrics": {name: statistics.fmean(values) for name, values in columns.items()},
        "deviation": {name: statistics.stdev(values) for name, values in several.items()},
        "seconds": statistics.fmean(each.seconds for each in outcomes),
    }


def main(arguments: list[str] | None = None) -> int:
    """Train, judge and print row by row; return 1 where a row that was asked for lacks data."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--only", metavar="DATASET/MODEL[-VARIANT]", help="make only this row")
    parser.add_argument(
        "--hold-out", action="store_true", help="judge on a part of the training data instead"
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
    """Return a row of the printed table: each metric beside its bar, and the baselines below."""
    seeds = f"  mean of {len(row['seeds'])} seeds" if len(row["seeds"]) > 1 else ""
    metrics = _described(row["metrics"], row["deviation"], row["bar"])
    lines = [f"{row['name']:<28}  {metrics}  {row['seconds']:.1f} s{seeds}  {row['recipe']}"]
    lines += [
        f"  {baseline:<26}  {_described(metrics)}" for baseline, metrics in row["baselines"].items()
    ]
    return "\n".join(lines)


def _described(
    metrics: dict[str, float],
    deviation: dict[str, float] | None = None,
    bar: dict[str, float] | None = None,
) -> str:
    parts = []
    for name, value in metrics.items():
        part = f"{name} {value:.4f}"
        part += f" +- {deviation[name]:.4f}" if deviation else ""
        part += f" (bar {bar[name]:.4f})" if bar and name in bar else ""
        parts.append(part)
    return "  ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
