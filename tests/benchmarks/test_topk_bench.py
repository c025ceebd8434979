"""The top-k rows of the speed table can be made, and their peers do the same work."""

import numpy as np
import pytest

from benchmarks import topk_bench
from fastrec.search import TopKIndex


@pytest.fixture
def few_rows(monkeypatch):
    monkeypatch.setattr(topk_bench, "ROWS", 3000)
    monkeypatch.setattr(topk_bench, "EVALUATED", 500)


@pytest.mark.parametrize("name", ["topk-product", "topk-batch1", "topk-batch8", "topk-evaluate"])
def test_a_row_is_made_under_its_name(few_rows, name):
    (row,) = topk_bench.rows(name)
    assert row.name == name
    assert row.ours > 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("name", "module"), [("topk-implicit", "implicit"), ("topk-faiss", "faiss")]
)
def test_a_peer_finds_what_we_find(name, module):
    pytest.importorskip(module)
    items, queries = topk_bench.normal(2000), topk_bench.normal(7, seed=1)
    found = topk_bench.peer(name, items, queries, threads=1)()
    rows = next(part for part in found if np.issubdtype(part.dtype, np.integer))
    ours = TopKIndex(items).search(queries, topk_bench.K).items
    assert np.mean(np.sort(rows) == np.sort(ours)) > 0.99
