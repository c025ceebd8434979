"""Options that several commands share, each described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A model file.")]
VectorsFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="A model file, or vectors: word2vec text or binary, npz, Parquet."
    ),
]
VectorKind = Annotated[
    str | None,
    typer.Option(
        "--vectors",
        metavar="item|document|word|user",
        help="Which vectors of a model; default: the first of these that it has.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]
Threads = Annotated[
    int | None, typer.Option(help="Threads to use; default: every CPU this process may use.")
]
Count = Annotated[int, typer.Option("-k", "--count", help="How many items to return.")]
HistoryColumn = Annotated[
    str, typer.Option("--history", help="Column with the list of items that went before.")
]
TargetColumn = Annotated[
    str, typer.Option("--target", help="Column with the item, or list of items, to be found.")
]
