"""The examples in docstrings run as they stand."""

import doctest
import importlib
import pkgutil

import pytest

import fastrec

MODULES = [
    module.name
    for module in pkgutil.walk_packages(fastrec.__path__, "fastrec.")
    if not module.name.startswith("fastrec.native.") and not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name):
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.failed == 0
