"""The rows of lookups can be made, and their peers do the same work."""

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks import lookup_bench
from fastrec.nn import bag


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


def test_the_peer_sums_the_bags_that_we_sum(monkeypatch):
    found = []
    monkeypatch.setattr(lookup_bench, "untold", lambda out: found.append(out.numpy()))
    matrix, ids, offsets = lookup_bench.draw()
    lookup_bench.peer_bag(matrix, ids, offsets, threads=1)()
    assert len(found) == lookup_bench.STEPS
    for own, peers in zip(ids, found, strict=True):
        np.testing.assert_allclose(bag(matrix, own, offsets), peers, atol=1e-5)
