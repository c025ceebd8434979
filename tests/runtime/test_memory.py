"""Freed memory goes back to the system."""

import re
from pathlib import Path

import pytest

from fastrec.runtime import memory

STATUS = Path("/proc/self/status")


def resident():
    return 1024 * int(re.search(r"VmRSS:\s+(\d+)", STATUS.read_text())[1])


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux says what a process uses")
@pytest.mark.skipif(memory._malloc_trim() is None, reason="only glibc keeps what was freed")
def test_pages_below_a_small_string_that_is_in_use_are_given_back():
    strings = [f"{number:01000d}" for number in range(60_000)]
    last = strings[-1]
    del strings
    before = resident()
    memory.give_back()
    assert resident() < before - 20 * 2**20
    assert last == f"{59_999:01000d}"


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(memory, "_malloc_trim", lambda: None)
    memory.give_back()
