"""What importing and serving load: nothing that is heavy, nothing that is optional."""

import subprocess
import sys

import pytest

import fastrec as fr

HEAVY = ("numba", "scipy", "pyarrow", "pandas", "tqdm", "typer")


def loaded_by(code, *arguments):
    """Return the top-level names that a fresh interpreter has loaded after running ``code``."""
    report = "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code + report, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.fixture(
    scope="module",
    params=[
        fr.Item2Vec(dim=8, epochs=1, threads=1),
        fr.Popularity(),
        fr.ItemKNN(),
        fr.PlaylistRNN(units=8, epochs=1, negatives=2, threads=1),
    ],
    ids=lambda model: type(model).__name__,
)
def saved(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "m.fastrec"
    request.param.fit([["a", "b", "c"], ["b", "c", "d"]]).save(path)
    return path


def test_importing_the_package_loads_nothing_heavy():
    assert not loaded_by("import fastrec") & {*HEAVY, "numpy"}


def test_using_every_public_name_loads_nothing_heavy():
    assert not loaded_by("import fastrec\nfor n in fastrec.__all__: getattr(fastrec, n)") & {*HEAVY}


@pytest.mark.parametrize("mmap", [False, True])
def test_recommending_from_a_saved_model_needs_neither_numba_nor_pyarrow(saved, mmap):
    code = (
        "import sys, fastrec as fr\n"
        f"model = fr.load(sys.argv[1], mmap={mmap})\n"
        "assert model.recommend([['a', 'b'], []], k=2, exclude=['c']).items.shape == (2, 2)"
    )
    loaded = loaded_by(code, saved)
    assert "fastrec" in loaded
    assert not loaded & {"numba", "llvmlite", "pyarrow", "pandas", "tqdm"}


def test_evaluating_a_saved_model_needs_neither_numba_nor_pyarrow(saved):
    code = (
        "import sys, fastrec as fr\n"
        "queries = fr.Queries.from_columns([['a'], ['b', 'c']], ['b', 'd'])\n"
        "assert 'recall@2' in fr.evaluate(fr.load(sys.argv[1]), queries, ['recall@2'])"
    )
    assert not loaded_by(code, saved) & {"numba", "llvmlite", "pyarrow", "pandas", "tqdm"}


def test_every_public_name_is_there_and_listed():
    assert set(fr.__all__) <= set(dir(fr))
    assert all(hasattr(fr, name) for name in fr.__all__)


def test_a_name_that_is_not_there_is_named():
    with pytest.raises(AttributeError, match="module 'fastrec' has no attribute 'Item3Vec'"):
        _ = fr.Item3Vec


def test_a_model_is_loaded_without_the_others(tmp_path):
    fr.Popularity().fit([["a", "b"], ["b"]]).save(tmp_path / "m.fastrec")
    code = (
        "import sys, fastrec as fr\n"
        "fr.load(sys.argv[1]).recommend([['a']], 1)\n"
        "others = ('doc2vec', 'item2vec', 'playlist_rnn', 'session_knn', 'word2vec')\n"
        "assert not {f'fastrec.models.{name}' for name in others} & {*sys.modules}"
    )
    assert "fastrec" in loaded_by(code, tmp_path / "m.fastrec")
