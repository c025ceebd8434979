"""The profile of hypothesis governs every property test."""

import os
import re
from pathlib import Path

from hypothesis import settings

TESTS = Path(__file__).parent
EXAMPLES = {"quick": 60, "thorough": 10_000}


def test_the_profile_that_was_asked_for_is_loaded():
    name = os.environ.get("HYPOTHESIS_PROFILE", "quick")
    assert settings.default.max_examples == EXAMPLES[name]


def test_no_test_sets_its_own_number_of_examples():
    others = sorted(set(TESTS.rglob("*.py")) - {TESTS / "conftest.py", Path(__file__)})
    pattern = re.compile(r"^.*\b(?:max_examples|load_profile)\b.*", re.MULTILINE)
    found = {path.name: pattern.findall(path.read_text(encoding="utf-8")) for path in others}
    assert {name: lines for name, lines in found.items() if lines} == {}
