"""The Python examples of the README and the guides run as they stand."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.fixture
def folder_with_plays(tmp_path, monkeypatch):
    """A working folder with the files that the examples read."""
    sessions, tracks = range(40), (3, 7, 12, 99, 5, 12)
    table = pa.table(
        {
            "session": [session for session in sessions for _ in tracks],
            "track": [track for _ in sessions for track in tracks],
            "ts": [
                1000 * session + second for session in sessions for second, _ in enumerate(tracks)
            ],
        }
    )
    pq.write_table(table, tmp_path / "plays.parquet")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folder_with_plays")
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if BLOCK.search(page.read_text(encoding="utf-8"))],
    ids=lambda page: page.name,
)
def test_the_examples_of_a_page_run(page):
    names = {}
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        exec(compile(block, page.name, "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_to_files(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
