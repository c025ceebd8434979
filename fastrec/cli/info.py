"""``fastrec info``: what a model file holds."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fastrec.cli.inputs import open_model
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
        "items": len(opened.item_ids),
        "users": None if opened.user_ids is None else len(opened.user_ids),
        "ids": "whole numbers" if opened.item_ids.kind == "int" else "strings",
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
