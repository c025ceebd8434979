"""What a service waits for: importing the package, opening a saved model.

``import-time`` is what an import adds to ``import numpy``, each in a fresh
process. ``open-mmap`` opens a model of a million items at dim 128 from a file
that the operating system has in memory.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Row, alternate, medians, seconds_of

NAMES = ("import-time", "open-mmap")
ITEMS = 1_000_000
DIM = 128
IMPORT = """
import time, numpy
start = time.perf_counter()
{statement}
print(1000 * (time.perf_counter() - start))
"""


def rows(only: str | None = None) -> Iterator[Row]:
    """Measure the rows of this module, or the one that is named."""
    if only in (None, "import-time"):
        yield import_time()
    if only in (None, "open-mmap"):
        yield open_mmap()


def import_milliseconds(statement: str) -> float:
    """Return what a statement costs in a fresh process that has NumPy already."""
    code = IMPORT.format(statement=statement)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout)


def import_time() -> Row:
    """Compare the imports; ``with_model`` also resolves the names that one needs to recommend."""
    measured = medians(
        {
            "ours": lambda: import_milliseconds("import fastrec"),
            "model": lambda: import_milliseconds("import fastrec; fastrec.Item2Vec; fastrec.load"),
            "peer": lambda: import_milliseconds("import gensim.models"),
        },
        repeats=7,
    )
    return Row(
        name="import-time",
        unit="ms",
        ours=measured["ours"],
        peer=measured["peer"],
        peer_name="gensim.models",
        threads=1,
        extra={"with_model": measured["model"]},
    )


def save_large_model(path: Path) -> None:
    """Save an Item2Vec of a million items that has seen each of them once."""
    import fastrec as fr

    sequences = np.arange(ITEMS).reshape(-1, 100).tolist()
    model = fr.Item2Vec(dim=DIM, window=1, negatives=1, epochs=1, seed=1)
    model.fit(sequences, progress=False).save(path)


def save_large_peer(path: Path) -> None:
    """Save gensim's vectors of the same size."""
    from gensim.models import KeyedVectors

    vectors = KeyedVectors(DIM, count=ITEMS)
    matrix = np.random.default_rng(1).standard_normal((ITEMS, DIM), dtype=np.float32)
    vectors.add_vectors([str(item) for item in range(ITEMS)], matrix)
    vectors.save(str(path))


def open_mmap() -> Row:
    """Compare opening; ``first_answer`` is the time until the first recommendation is there."""
    from gensim.models import KeyedVectors

    import fastrec as fr

    def first_answer(path: Path) -> Any:
        return fr.load(path, mmap=True).recommend([[1, 2, 3]], k=10)

    with tempfile.TemporaryDirectory() as folder:
        path, peer_path = Path(folder) / "model.fastrec", Path(folder) / "model.kv"
        save_large_model(path)
        save_large_peer(peer_path)
        measured = alternate(
            {
                "ours": lambda: 1000 * seconds_of(lambda: fr.load(path, mmap=True)),
                "answer": lambda: 1000 * seconds_of(lambda: first_answer(path)),
                "peer": lambda: (
                    1000 * seconds_of(lambda: KeyedVectors.load(str(peer_path), mmap="r"))
                ),
            },
            repeats=5,
        )
    middle = {side: statistics.median(values) for side, values in measured.items()}
    return Row(
        name="open-mmap",
        unit="ms",
        ours=middle["ours"],
        peer=middle["peer"],
        peer_name="gensim KeyedVectors",
        threads=1,
        extra={"first_answer": middle["answer"]},
    )
