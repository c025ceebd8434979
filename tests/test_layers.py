"""Who imports whom: downward or beside, never upward.

Imports inside functions count, because they tie the folders together as well, and so
do those for annotations only: a lower folder that names a type of a higher one knows
about it. The root, ``fastrec/__init__.py``, hands on names of all and is used by none.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = (
    {"cli", "serving", "distributed"},
    {"models"},
    {"generation"},
    {"nn", "training", "search", "evaluation", "storage"},
    {"data"},
    {"runtime"},
    {"kernels", "cuda", "native"},
)
HEIGHT = {folder: -depth for depth, folders in enumerate(LAYERS) for folder in folders}
FILES = sorted((ROOT / "fastrec").rglob("*.py"))


def module_of(path):
    """Return the dotted name of a file below the root, for example ``fastrec.data.ids``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def package_of(path):
    """Return the dotted name that relative imports of a file start from."""
    return ".".join(path.relative_to(ROOT).parent.parts)


def imported_by(source, package):
    """Return (line, dotted name) of every module that a source imports, wherever it does."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")
                above = above[: len(above) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            found += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
    return found


def complaint(module, name):
    """Return why ``module`` must not import ``name``, or None where it may."""
    parts = name.split(".")
    own = module.split(".")[1:2]
    if parts[0] != "fastrec" or not own:  # another package, or the root itself
        return None
    if own == ["errors"]:
        return "errors imports nothing of the package"
    target = parts[1] if len(parts) > 1 else ""
    if target == "errors":
        return None
    if target not in HEIGHT:
        return "the root is used by nobody inside; import from the folder"
    if HEIGHT[target] > HEIGHT[own[0]]:
        return f"{own[0]} lies below {target}"
    return None


@pytest.mark.parametrize("path", FILES, ids=lambda path: module_of(path))
def test_imports_go_downward(path):
    problems = [
        f"line {line} imports {name}: {why}"
        for line, name in imported_by(path.read_text(encoding="utf-8"), package_of(path))
        if (why := complaint(module_of(path), name))
    ]
    assert problems == []


def test_every_folder_has_a_layer():
    folders = {path.relative_to(ROOT).parts[1] for path in FILES}
    assert {name for name in folders if not name.endswith(".py")} <= set(HEIGHT)


def test_files_beside_the_folders_are_the_root_and_the_errors():
    assert {path.name for path in (ROOT / "fastrec").glob("*.py")} == {"__init__.py", "errors.py"}


def test_compiled_sources_import_nothing_of_the_package():
    lines = [
        f"{path.name}: {line}"
        for path in sorted((ROOT / "src_cython").rglob("*.p[yx][xd]"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.match(r"\s*(from|import|cimport)\s+fastrec\b", line)
    ]
    assert lines == []


# The walk itself


def walked(source, package):
    return [name for _, name in imported_by(source, package)]


@pytest.mark.parametrize(
    ("source", "package", "names"),
    [
        ("import fastrec.data.ids as ids", "fastrec", ["fastrec.data.ids"]),
        ("from fastrec import data, Vectors", "fastrec", ["fastrec.data", "fastrec.Vectors"]),
        ("from fastrec.data import ids", "fastrec", ["fastrec.data.ids"]),
        ("from . import ids", "fastrec.data", ["fastrec.data.ids"]),
        ("from .ids import IdMap", "fastrec.data", ["fastrec.data.ids.IdMap"]),
        ("from ..models import base", "fastrec.data", ["fastrec.models.base"]),
        ("def f():\n    import fastrec.cli", "fastrec", ["fastrec.cli"]),
        ("if TYPE_CHECKING:\n    import fastrec.cli", "fastrec", ["fastrec.cli"]),
        ("text = 'import fastrec.cli'", "fastrec", []),
    ],
    ids=str,
)
def test_the_walk_finds_imports_of_every_form(source, package, names):
    assert walked(source, package) == names


@pytest.mark.parametrize(
    ("module", "name", "is_wrong"),
    [
        ("fastrec.data.ids", "fastrec.models.base", True),
        ("fastrec.runtime.isa", "fastrec.data", True),
        ("fastrec.native", "fastrec.runtime.isa", True),
        ("fastrec.data.ids", "fastrec.Item2Vec", True),
        ("fastrec.data.ids", "fastrec", True),
        ("fastrec.errors", "fastrec.runtime.checks", True),
        ("fastrec.models.base", "fastrec.data.ids", False),
        ("fastrec.training.loop", "fastrec.evaluation", False),
        ("fastrec.data.ids", "fastrec.data.ragged", False),
        ("fastrec.data.ids", "fastrec.native.ids", False),
        ("fastrec.native", "fastrec.errors.InputError", False),
        ("fastrec", "fastrec.models", False),
        ("fastrec.data.ids", "numpy", False),
    ],
)
def test_the_rule_tells_up_from_down(module, name, is_wrong):
    assert (complaint(module, name) is not None) == is_wrong
