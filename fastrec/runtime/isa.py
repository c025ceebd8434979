"""Which build of the compiled kernels to load: the CPU is asked before anything is loaded.

Every kernel is compiled per level (x86-64: generic, avx2, avx512; elsewhere
generic only). The best level that the CPU runs is taken; the environment
variable ``FASTREC_ISA`` forces one. The levels give the same scores up to
rounding.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from functools import cache
from types import ModuleType

import fastrec.native.cpu as cpu
from fastrec.errors import DeviceError

LEVELS = ("avx512", "avx2", "generic")


def available_levels() -> list[str]:
    """Return the levels that are compiled here and that this CPU runs, best first."""
    return [
        level
        for level in cpu.supported_levels()
        if importlib.util.find_spec(f"fastrec.native.{level}.topk") is not None
    ]


@cache
def level() -> str:
    """Return the level whose kernels this process uses.

    Raises
    ------
    DeviceError
        ``FASTREC_ISA`` names no level, or one that this machine cannot run.
    """
    available = available_levels()
    if not available:
        raise DeviceError(
            "the compiled kernels of fastrec are missing; reinstall the package "
            "(from a source folder: pip install -e .)"
        )
    forced = os.environ.get("FASTREC_ISA", "").strip().lower()
    if not forced:
        return available[0]
    if forced not in LEVELS:
        raise DeviceError(
            f"FASTREC_ISA={forced!r} is no instruction-set level; use one of {', '.join(LEVELS)}, "
            "or unset it to take the best one"
        )
    if forced not in available:
        raise DeviceError(
            f"FASTREC_ISA={forced} cannot run on this machine, which runs {', '.join(available)}; "
            "use one of these, or unset it to take the best one"
        )
    return forced


@cache
def load(name: str, at: str | None = None) -> ModuleType:
    """Return the compiled kernels ``name`` of level ``at`` (default: this process's level)."""
    return importlib.import_module(f"fastrec.native.{at or level()}.{name}")
