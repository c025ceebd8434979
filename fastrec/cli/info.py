"""``fastrec info``: what a model file holds."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fastrec.cli.inputs import VECTOR_KINDS, open_model
from fastrec.cli.options import AsJson, ModelFile
from fastrec.cli.output import print_json, print_rows, print_table


def info(
    model: ModelFile,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read all of the file and compare its checksums.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a model's class, parameters, sizes and training history."""
    opened = open_model(model, verify)
    facts: dict[str, Any] = {
        "file": str(model),
        "bytes": model.stat().st_size,
        "verified": verify,
        "model": type(opened).__name__,
        **_sizes(opened),
        "parameters": opened.get_params(),
        "epochs": opened.history.to_rows(),
    }
    if as_json:
        print_json(facts)
        return
    parameters, epochs = facts.pop("parameters"), facts.pop("epochs")
    print_table(["fact", "value"], facts.items())
    if parameters:
        print_table(["parameter", "value"], parameters.items())
    if epochs:
        print_rows(epochs)


def _sizes(opened: Any) -> dict[str, Any]:
    """Return how many ids of each kind the model knows, and what they are."""
    from fastrec.models import Phrases

    if isinstance(opened, Phrases):
        return {"phrases": len(opened)}
    names = [f"{kind}_ids" for kind in VECTOR_KINDS if hasattr(opened, f"{kind}_ids")]
    maps = {name: getattr(opened, name) for name in names}
    first = next(ids for ids in maps.values() if ids is not None)
    return {
        **{f"{name[:-4]}s": None if ids is None else len(ids) for name, ids in maps.items()},
        "ids": "whole numbers" if first.kind == "int" else "strings",
    }
