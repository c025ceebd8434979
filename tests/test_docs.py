"""The Python examples of the README and the guides run as they stand."""

import re
from pathlib import Path

import pytest

from tests.example_files import write_apps, write_carts, write_plays

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
OUTPUT = re.compile(r"```text\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the files that the examples read."""
    write_plays(tmp_path)
    write_carts(tmp_path)
    write_apps(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(page):
    """Run the examples of a page one after the other, as a reader would."""
    names = {}
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        exec(compile(block, page.name, "exec"), names)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if BLOCK.search(page.read_text(encoding="utf-8"))],
    ids=lambda page: page.name,
)
def test_the_examples_of_a_page_run(page):
    run(page)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "dataset"), [("carts.md", "uci_online_retail"), ("apps.md", "frappe_apps")]
)
def test_the_real_data_give_what_a_page_shows(name, dataset, real_data, folder, capsys):
    for path in (real_data / dataset).glob("*.parquet"):
        (folder / path.name).unlink(missing_ok=True)
        (folder / path.name).symlink_to(path)
    page = ROOT / "docs" / name
    run(page)
    printed = set(capsys.readouterr().out.splitlines())
    shown = "".join(OUTPUT.findall(page.read_text(encoding="utf-8"))).splitlines()
    # Only the same instruction-set level gives the same bits, so neighbours may change places.
    assert sum(line in printed for line in shown) > len(shown) / 2


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_to_files(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
