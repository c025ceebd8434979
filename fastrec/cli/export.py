"""``fastrec export``: the vectors of a model for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fastrec.cli.inputs import open_model, vectors_of
from fastrec.cli.options import AsJson, ModelFile, VectorKind
from fastrec.cli.output import print_json
from fastrec.errors import InputError

FORMATS = ("word2vec", "word2vec-binary", "npz", "parquet")
ENDINGS = {
    ".txt": "word2vec",
    ".vec": "word2vec",
    ".bin": "word2vec-binary",
    ".npz": "npz",
    ".parquet": "parquet",
}


def export(
    model: ModelFile,
    out: Annotated[Path, typer.Option(help="The file to write.")],
    format: Annotated[
        str | None,
        typer.Option(metavar="|".join(FORMATS), help="Default: by the ending of --out."),
    ] = None,
    vectors: VectorKind = None,
    as_json: AsJson = False,
) -> None:
    """Write a model's vectors in word2vec's text or binary format, as npz or as Parquet.

    For example: fastrec export m.fastrec --out vectors.txt
    """
    chosen = format or ENDINGS.get(out.suffix, "")
    if chosen not in FORMATS:
        asked = f"--format {format}" if format else f"the ending of --out {out}"
        raise InputError(f"{asked} is no known format; --format takes {', '.join(FORMATS)}")
    kind, found = vectors_of(open_model(model), vectors)
    _write(found, out, chosen)
    facts = {"out": out, "format": chosen, "kind": kind, "vectors": len(found), "dim": found.dim}
    if as_json:
        print_json(facts)
    else:
        typer.echo(f"{len(found):,} {kind} vectors of {found.dim} numbers -> {out} ({chosen})")


def _write(vectors: Any, out: Path, chosen: str) -> None:
    if chosen == "npz":
        vectors.save_npz(out)
    elif chosen == "parquet":
        vectors.to_parquet(out)
    else:
        vectors.save_word2vec(out, binary=chosen == "word2vec-binary")
