"""The rows of lookups can be made, and their peers do the same work."""

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks import lookup_bench
from fastrec.nn import BFloat16Rows, bag


@pytest.fixture(autouse=True)
def small(monkeypatch):
    sizes = {"ROWS": 500, "DIM": 16, "BAGS": 8, "LENGTH": 5, "STEPS": 3, "READ_ROWS": 2000}
    for name, value in sizes.items():
        monkeypatch.setattr(lookup_bench, name, value)


@pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")
@pytest.mark.parametrize("name", lookup_bench.NAMES)
def test_a_row_is_made_under_its_name(name):
    (row,) = lookup_bench.rows(name)
    assert row.name == name
    assert min(row.ours, row.peer) > 0


@pytest.mark.parametrize(("is_bf16", "tolerance"), [(False, 1e-5), (True, 0.05)])
def test_the_peer_sums_the_bags_that_we_sum(monkeypatch, is_bf16, tolerance):
    found = []
    monkeypatch.setattr(lookup_bench, "untold", lambda out: found.append(out.float().numpy()))
    matrix, ids, offsets = lookup_bench.draw()
    lookup_bench.peer_bag(matrix, ids, offsets, threads=1, is_bf16=is_bf16)()
    assert len(found) == lookup_bench.STEPS
    rows = BFloat16Rows(matrix) if is_bf16 else matrix
    for own, peers in zip(ids, found, strict=True):
        np.testing.assert_allclose(bag(rows, own, offsets), peers, atol=tolerance)
