"""What one run of the command left behind, and what it must be after a human error."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass
class Outcome:
    """What one run of the command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object that was printed."""
        (line,) = self.out.splitlines()
        return json.loads(line)


def check_human_error(done, *words):
    """Assert exit code 2, nothing on stdout and one line on stderr that says ``words``."""
    assert done.code == 2
    assert done.out == ""
    (line,) = done.err.splitlines()
    assert line.startswith("fastrec: ")
    for word in words:
        assert word in line
