"""The folder as a whole: what it hands on, and what it does not load."""

import subprocess
import sys

import pytest

import fastrec.data


def test_every_public_name_is_there():
    for name in fastrec.data.__all__:
        assert getattr(fastrec.data, name).__name__ == name
    assert set(dir(fastrec.data)) == set(fastrec.data.__all__)


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        fastrec.data.nothing  # noqa: B018


def test_nothing_heavy_is_loaded_until_it_is_needed():
    code = (
        "import sys; from fastrec.data import *; "
        "log = Interactions.from_sequences([['a', 'b'], ['c']]); Queries.last_item(log); "
        "print(sorted({'numba', 'scipy', 'pyarrow', 'pandas'} & set(sys.modules)))"
    )
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert loaded.strip() == "[]"
