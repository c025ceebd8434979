"""Pictures of vectors: what is drawn, labels of any script, and what cannot be drawn."""

import os
import subprocess
import sys

import numpy as np
import pytest

from fastrec.data import IdMap
from fastrec.errors import InputError
from fastrec.search import Vectors
from fastrec.search.label_layout import place_labels
from fastrec.storage import figures

pytest.importorskip("matplotlib")
IDS = [f"word{i}" for i in range(12)]


@pytest.fixture
def vectors():
    matrix = np.random.default_rng(3).standard_normal((12, 5)).astype(np.float32)
    return Vectors(IdMap.from_ids(IDS)[0], matrix)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "p.png"


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved."""
    kept = []
    save = figures.save_figure

    def keep(figure, path):
        kept.append(figure)
        save(figure, path)

    monkeypatch.setattr(figures, "save_figure", keep)
    return kept


def texts_of(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_a_picture_is_a_png_of_the_projection(vectors, path, drawn):
    projection = vectors.plot(IDS[:5], path, title="Words")
    assert path.read_bytes().startswith(b"\x89PNG")
    (axes,) = drawn[0].axes
    np.testing.assert_array_equal(projection.points, vectors.project(IDS[:5]).points)
    np.testing.assert_allclose(axes.collections[0].get_offsets(), projection.points, rtol=1e-6)
    assert texts_of(drawn[0]) == IDS[:5]
    assert axes.get_title(loc="left") == "Words"


def test_the_same_picture_is_drawn_again(vectors, tmp_path):
    for name in ("a.png", "b.png"):
        vectors.plot(None, tmp_path / name, groups=["x", "y", None] * 4)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_groups_have_colours_and_names(vectors, path, drawn):
    vectors.plot(IDS, path, groups=["_x", "y$", None] * 4)
    grey, first, second = drawn[0].axes[0].collections
    assert [len(part.get_offsets()) for part in (grey, first, second)] == [4, 4, 4]
    assert len({tuple(part.get_facecolor()[0]) for part in (grey, first, second)}) == 3
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == ["_x", "y$"]


def test_many_groups_differ_in_colour_or_mark(vectors, path, drawn):
    vectors.plot(IDS, path, groups=range(12))
    looks = {
        (tuple(part.get_facecolor()[0]), part.get_paths()[0].vertices.tobytes())
        for part in drawn[0].axes[0].collections
    }
    assert len(looks) == 12


def test_labels_stand_for_ids_and_empty_ones_are_left_out(vectors, path, drawn):
    vectors.plot(IDS[:3], path, labels=["one", "", "x" * 60])
    assert texts_of(drawn[0]) == ["one", "x" * 39 + "…"]


@pytest.mark.parametrize(
    "label",
    ["日本", "$x_1$", "$", "مرحبا", "😀", "a\nb\tc", "\ud800", "\x00", "क्षि", "_", "\\frac{"],
)
def test_labels_of_any_script_are_drawn(vectors, path, label):
    vectors.plot(IDS[:2], path, labels=[label, label], title=label, groups=[label, None])
    assert path.stat().st_size > 1000


def test_what_no_font_has_is_shown_as_such():
    (text,), families = figures.drawable(["a\ud800\n b"])
    assert text == "a\ufffd b"
    assert families == [figures.FONT]


@pytest.mark.parametrize("ids", ["word3", ["word3"], ["word3", "word3"]])
def test_one_point_is_drawn(vectors, path, ids):
    vectors.plot(ids, path)
    assert path.exists()


def run_python(*lines):
    """Run a program that has two vectors and a path, and return what it prints."""
    start = (
        "import sys, tempfile, numpy as np, fastrec as fr",
        "path = tempfile.mkdtemp() + '/p.png'",
        "vectors = fr.Vectors(fr.IdMap.from_ids([1, 2])[0], np.eye(2, dtype=np.float32))",
    )
    program = "\n".join([*start, *lines])
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout


def test_no_figure_is_left_to_pyplot():
    out = run_python("vectors.plot(None, path)", "print('matplotlib.pyplot' in sys.modules)")
    assert out == "False\n"


@pytest.mark.parametrize(
    ("ids", "name", "options", "message"),
    [
        ([], "p.png", {}, "nothing to draw"),
        (IDS, "p.svg", {}, r"PNG.*p\.svg"),
        (IDS, "no/p.png", {}, "no folder"),
        (IDS[:2], "p.png", {"labels": ["a"]}, "labels must be a list of one for each of the 2 ids"),
        (IDS[:2], "p.png", {"labels": "ab"}, "labels must be a list .* got 'ab'"),
        (IDS[:2], "p.png", {"groups": ["a"] * 3}, "groups must be a list .* got 3"),
        (IDS[:2], "p.png", {"groups": 7}, "groups must be a list .* got 7"),
    ],
)
def test_what_cannot_be_drawn_is_refused(vectors, tmp_path, ids, name, options, message):
    with pytest.raises(InputError, match=message):
        vectors.plot(ids, tmp_path / name, **options)
    assert os.listdir(tmp_path) == []


def test_without_matplotlib_it_says_how_to_install_it():
    out = run_python(
        "sys.modules['matplotlib'] = None",
        "try: vectors.plot(None, path)",
        "except fr.InputError as error: print(error)",
    )
    assert "pip install 'fastrec-engine[plot]'" in out


# Where names stand

BOUNDS = np.array([[0.0, 0.0], [1000.0, 800.0]])


def boxes_of(points, sizes, **options):
    offsets, _ = place_labels(
        points, np.arange(len(points)), sizes, BOUNDS, 5.0, (3.0, 20.0), **options
    )
    middles = points + offsets
    return middles - sizes / 2, middles + sizes / 2


def covered(lows, highs, low, high):
    return np.maximum(np.minimum(highs, high) - np.maximum(lows, low), 0).prod(axis=-1)


def test_a_name_that_has_room_stands_right_of_its_point():
    points, sizes = np.array([[500.0, 400.0]]), np.array([[60.0, 12.0]])
    offsets, is_far = place_labels(points, np.arange(1), sizes, BOUNDS, 5.0, (3.0, 20.0))
    np.testing.assert_allclose(offsets, [[30 + 5 + 3, 0]])
    assert not is_far.any()


def test_names_of_close_points_cover_neither_each_other_nor_the_points():
    points = np.array([[500.0, 400.0], [515.0, 402.0], [505.0, 415.0], [498.0, 385.0]])
    sizes = np.full((4, 2), [60.0, 12.0])
    lows, highs = boxes_of(points, sizes)
    for label in range(4):
        others = np.arange(4) != label
        assert covered(lows[label], highs[label], lows[others], highs[others]).sum() == 0
        # Less than a tenth of a pixel, for a longer way would look worse.
        assert covered(lows[label], highs[label], points - 5, points + 5).sum() < 0.1


def test_names_stay_within_the_picture():
    points = np.array([[995.0, 400.0], [500.0, 797.0], [3.0, 3.0]])
    sizes = np.full((3, 2), [60.0, 12.0])
    lows, highs = boxes_of(points, sizes)
    assert (lows >= BOUNDS[0]).all()
    assert (highs <= BOUNDS[1]).all()
