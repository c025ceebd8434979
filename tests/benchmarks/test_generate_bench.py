"""The row of generated playlists can be made."""

from benchmarks import generate_bench


def test_the_row_is_made_under_its_name(monkeypatch):
    for name, value in (("PLAYLISTS", 5), ("LENGTH", 3), ("UNITS", 16), ("TRACKS", 960)):
        monkeypatch.setattr(generate_bench, name, value)
    (row,) = generate_bench.rows()
    assert row.name == "generate"
    assert row.ratio > 0
