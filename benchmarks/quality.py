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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.harness import MissingDataError
from benchmarks.protocols import PROTOCOLS, Begun, Newest, Outcome
from fastrec.errors import DeviceError

RECIPES = Path(__file__).parent / "recipes"
SEEDS_APART = 100  # from a row's seed to the next one's, for what each trains first


@dataclass(frozen=True)
class Recipe:
    """How a model is trained on a data set.

    Attributes
    ----------
    name : str
        ``dataset/model`` or ``dataset/model-variant``, as in the file's name.
    dataset, model : str
        A key of ``PROTOCOLS``; a model's name on the command line.
    path : Path
        The file, whose comments say how the parameters were chosen.
    evenly_weighted : bool
        Whether the training log is weighted by :func:`benchmarks.asked.evenly_weighted`.
    newest : dict
        ``seconds`` and ``half_life`` of :func:`benchmarks.asked.newest`, which makes what the model
        trains on; empty where it trains on all.
    params : dict
        The model's constructor arguments; ``"none"`` in the file is None.
    item_vectors : dict
        ``model`` and ``params`` of what is trained first, whose item vectors the model begins with;
        empty where it begins at random. With ``members`` so many of the model's members begin
        with one each, of seeds of their own, and the others at random.
    seeds : tuple of int
        A row is the mean over a model of each; empty where ``params`` says it all.
    parts : tuple of str
        Names of other recipes whose models are trained and judged side by side instead.
    bar : dict of str to float
        Metrics and what each has to reach; empty where nothing is set.
    bar_beside : dict of str to dict
        By peer of the data set, metrics and what each has to reach from the peer's figure of the
        same run: ``{"times": 8}`` or ``{"plus": -0.01}``.
    """

    name: str
    dataset: str
    model: str
    path: Path
    evenly_weighted: bool = False
    newest: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    item_vectors: dict[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = ()
    parts: tuple[str, ...] = ()
    bar: dict[str, float] = field(default_factory=dict)
    bar_beside: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)


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
            path=path,
            evenly_weighted=content.get("evenly_weighted", False),
            newest=content.get("newest", {}),
            params=_params(content),
            item_vectors=content.get("item_vectors", {}),
            seeds=tuple(content.get("seeds", ())),
            parts=tuple(content.get("parts", ())),
            bar=content.get("bar", {}),
            bar_beside=content.get("bar_beside", {}),
        )
    return found


def _params(content: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters in a table; TOML has no word for nothing."""
    params = content.get("params", {})
    return {key: None if value == "none" else value for key, value in params.items()}


def new_model(recipe: Recipe, seed: int | None = None) -> Any:
    """Return the unfitted model of a recipe, or a list of the models of its parts."""
    from fastrec.models import model_class

    if recipe.parts:
        known = recipes()
        return [new_model(known[name], seed) for name in recipe.parts]
    seeded = {} if seed is None else {"seed": seed}
    model = model_class(recipe.model)(**(recipe.params | seeded))
    if recipe.item_vectors:
        model = Begun(model, _firsts(recipe.item_vectors, model, seed))
    return Newest(model, **recipe.newest) if recipe.newest else model


def _firsts(item_vectors: dict[str, Any], model: Any, seed: int | None) -> tuple[Any, ...]:
    """Return the unfitted models whose item vectors the members of ``model`` begin with."""
    from fastrec.models import model_class

    first = model_class(item_vectors["model"])
    params = _params(item_vectors)
    members = item_vectors.get("members")
    if members is None:
        return (first(**(params | ({} if seed is None else {"seed": seed}))),)
    seeds = [SEEDS_APART * (seed or 0) + member for member in range(members)]
    random = [None] * (model.members - members)
    return (*(first(**(params | {"seed": own})) for own in seeds), *random)


def measure(recipe: Recipe, hold_out: bool = False) -> dict[str, Any]:
    """Train by a recipe and return its row, on the test part or on the hold-out.

    ``metrics`` and ``seconds``, the time of training alone, are means over the recipe's seeds,
    ``deviation`` the standard deviations of the metrics over them; ``baselines`` are the metrics of
    each baseline and each peer of the data set, peers in turns with ours.
    """
    protocol = PROTOCOLS[recipe.dataset]
    data = protocol.load()
    if hold_out:
        data = protocol.hold_out(data)
    asked = data.evenly_weighted() if recipe.evenly_weighted else data
    outcomes, beside = [], {name: [] for name in protocol.peers}
    for seed in recipe.seeds or (None,):
        outcomes.append(protocol.measure(new_model(recipe, seed), asked))
        for name, new_peer in protocol.peers.items():
            peer = new_peer(new_model(recipe, seed))
            beside[name].append(protocol.measure(peer, asked))
    peers = {name: _summary(found)["metrics"] for name, found in beside.items()}
    baselines = {
        name: protocol.measure(new_baseline(), data).metrics
        for name, new_baseline in protocol.baselines.items()
    }
    return {
        "name": recipe.name,
        "dataset": recipe.dataset,
        "model": recipe.model,
        **_summary(outcomes),
        "seeds": list(recipe.seeds),
        "bar": {} if hold_out else recipe.bar | _bar_beside(recipe, peers),
        "baselines": peers | baselines,
        "recipe": str(recipe.path.relative_to(RECIPES.parent.parent)),
    }


def _bar_beside(recipe: Recipe, peers: dict[str, dict[str, float]]) -> dict[str, float]:
    return {
        metric: peers[peer][metric] * step.get("times", 1) + step.get("plus", 0)
        for peer, steps in recipe.bar_beside.items()
        for metric, step in steps.items()
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
    """Train, judge and print row by row; return 1 where one asked for cannot be made."""
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
        except (MissingDataError, DeviceError) as error:
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
        part = f"{name} {_number(value)}"
        part += f" +- {_number(deviation[name])}" if deviation else ""
        part += f" (bar {_number(bar[name])})" if bar and name in bar else ""
        parts.append(part)
    return "  ".join(parts)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4f}"


if __name__ == "__main__":
    sys.exit(main())
