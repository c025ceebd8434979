"""What the checksums of model files cost: saving and loading a million items at dim 128.

``load-verify`` reads the file, which the operating system has in memory, with and
without comparing. ``save-model`` stands beside writing and flushing the same number of
bytes and nothing else.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import Row, medians, seconds_of
from benchmarks.startup_bench import save_large_model

NAMES = ("load-verify", "save-model")
PIECE = 1 << 20


def rows(only: str | None = None) -> Iterator[Row]:
    """Measure the rows of this module, or the one that is named."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.fastrec"
        save_large_model(path)
        if only in (None, "load-verify"):
            yield load_verify(path)
        if only in (None, "save-model"):
            yield save_model(path)


def load_verify(path: Path) -> Row:
    """Compare loading with the checksums and without."""
    import fastrec as fr

    measured = medians(
        {
            "ours": lambda: seconds_of(lambda: fr.load(path)),
            "peer": lambda: seconds_of(lambda: fr.load(path, verify=False)),
        },
        repeats=7,
    )
    return Row(
        name="load-verify",
        unit="s",
        ours=measured["ours"],
        peer=measured["peer"],
        peer_name="without comparing",
        threads=1,
    )


def save_model(path: Path) -> Row:
    """Compare saving with writing as many bytes."""
    import fastrec as fr

    model, content = fr.load(path), path.read_bytes()

    def write() -> None:
        with open(path, "wb") as file:
            for start in range(0, len(content), PIECE):
                file.write(content[start : start + PIECE])
            file.flush()
            os.fsync(file.fileno())

    measured = medians(
        {
            "ours": lambda: seconds_of(lambda: model.save(path)),
            "peer": lambda: seconds_of(write),
        },
        repeats=7,
    )
    return Row(
        name="save-model",
        unit="s",
        ours=measured["ours"],
        peer=measured["peer"],
        peer_name="write and flush",
        threads=1,
        extra={"bytes": len(content)},
    )
