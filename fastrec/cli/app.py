"""The list of commands, one file each."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fastrec.cli import analogy, demo, evaluate, export, generate, info, plot, recommend, train

app = typer.Typer(
    name="fastrec",
    help="Train, evaluate and use embedding and sequence recommenders.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("recommend")(recommend.recommend)
app.command("similar")(recommend.similar)
app.command("generate")(generate.generate)
app.command("analogy")(analogy.analogy)
app.command("info")(info.info)
app.command("export")(export.export)
app.add_typer(plot.app, name="plot")
app.command("demo")(demo.demo)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"fastrec {version('fastrec-engine')}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere.")
    ] = False,
) -> None:
    """Train, evaluate and use embedding and sequence recommenders."""


def command() -> Any:
    """Return the application as the command object that typer runs."""
    return typer.main.get_command(app)
