"""Which build of the kernels is loaded, and what is said where none can be."""

import os
import subprocess
import sys

import pytest

from fastrec.errors import DeviceError
from fastrec.runtime import isa

AVAILABLE = isa.available_levels()
KERNELS = ("lookup", "product", "rnn", "sgns", "topk")


@pytest.fixture
def choice(monkeypatch):
    """Choose anew, within this test, on a CPU of given levels."""

    def choose(forced=None, supported=None):
        if supported is not None:
            monkeypatch.setattr(isa.cpu, "supported_levels", lambda: supported)
        if forced is None:
            monkeypatch.delenv("FASTREC_ISA", raising=False)
        else:
            monkeypatch.setenv("FASTREC_ISA", forced)
        isa.level.cache_clear()
        return isa.level()

    yield choose
    monkeypatch.undo()
    isa.level.cache_clear()


def in_a_process(forced):
    code = (
        "from fastrec.errors import DeviceError\n"
        "from fastrec.search import TopKIndex\n"
        "try:\n"
        "    print(TopKIndex([[1.0, 2.0]]).isa)\n"
        "except DeviceError as error:\n"
        "    print('DeviceError:', error)\n"
    )
    environment = {**os.environ, "FASTREC_ISA": forced}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_best_level_is_taken(choice):
    assert choice() == AVAILABLE[0]


def test_levels_are_in_the_order_of_preference():
    assert [level for level in isa.LEVELS if level in AVAILABLE] == AVAILABLE


def test_the_generic_level_is_always_there():
    assert AVAILABLE[-1] == "generic"


@pytest.mark.parametrize("level", AVAILABLE)
def test_every_level_can_be_forced(choice, level):
    assert choice(level) == level
    assert choice(f" {level.upper()} ") == level


@pytest.mark.parametrize("level", AVAILABLE)
def test_a_process_searches_at_the_level_that_is_forced(level):
    assert in_a_process(level) == level


def test_an_empty_choice_is_none(choice):
    assert choice("") == AVAILABLE[0]


@pytest.mark.parametrize("level", ["avx512", "avx2"])
def test_a_level_that_the_cpu_lacks_is_an_error_that_says_what_it_has(choice, level):
    with pytest.raises(DeviceError, match=rf"FASTREC_ISA={level} cannot run .* runs generic;"):
        choice(level, supported=["generic"])


def test_a_cpu_without_wide_registers_takes_the_generic_level(choice):
    assert choice(supported=["generic"]) == "generic"


def test_a_name_that_is_no_level_brings_the_names():
    said = in_a_process("sse9")
    assert said.startswith("DeviceError: FASTREC_ISA='sse9' is no instruction-set level")
    assert "avx512, avx2, generic" in said


def test_kernels_that_are_not_built_are_an_error_that_says_how_to(choice, monkeypatch):
    monkeypatch.setattr(isa.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DeviceError, match=r"kernels of fastrec are missing; .* pip install -e \."):
        choice()


@pytest.mark.parametrize("level", AVAILABLE)
@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_are_loaded_from_the_folder_of_their_level(kernel, level):
    module = isa.load(kernel, at=level)
    assert module.__name__ == f"fastrec.native.{level}.{kernel}"


@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_are_loaded_at_the_level_of_the_process(kernel):
    assert isa.load(kernel) is isa.load(kernel, at=isa.level())
