"""A small log of two groups of items, a model trained on it by the command, and a way to run it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fastrec.cli import main
from tests.cli.outcome import Outcome

GROUPS = ([1, 2, 3, 4, 5, 6], [11, 12, 13, 14, 15, 16])


@pytest.fixture
def fastrec(capsys):
    """Run ``fastrec ARGUMENTS`` in this process."""

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """A folder with train.parquet, test.parquet and train.csv."""
    folder = tmp_path_factory.mktemp("data")
    sessions, positions, items = [], [], []
    for session in range(200):
        group = GROUPS[session % 2]
        start = session % len(group)
        for position in range(4):
            sessions.append(session)
            positions.append(position)
            items.append(group[(start + position) % len(group)])
    # Stored backwards, so that only the order column brings the histories in order.
    columns = {"session": sessions[::-1], "position": positions[::-1], "item": items[::-1]}
    pq.write_table(pa.table(columns), folder / "train.parquet")
    rows = zip(*columns.values(), strict=True)
    lines = ["session,position,item", *(",".join(map(str, row)) for row in rows)]
    (folder / "train.csv").write_text("\n".join(lines) + "\n")
    questions = {
        "session": [0, 1, 2],
        "prefix": [[1, 2], [11, 12, 13], [5]],
        "target": [3, 14, 6],
    }
    pq.write_table(pa.table(questions), folder / "test.parquet")
    return folder


TRAIN = ("--user", "session", "--item", "item", "--order", "position", "--quiet")
SMALL = ("--set", "dim=8", "--set", "epochs=15", "--set", "threads=1", "--set", "window=3")


@pytest.fixture(scope="session")
def model_file(folder, tmp_path_factory) -> Path:
    """An Item2Vec that the command has trained."""
    out = tmp_path_factory.mktemp("model") / "m.fastrec"
    data = str(folder / "train.parquet")
    code = main(["train", "item2vec", "--data", data, "--out", str(out), *TRAIN, *SMALL])
    assert code == 0
    return out
