"""The folder of real data, how much hypothesis tries, and Ctrl-C.

60 examples, or 10,000 with HYPOTHESIS_PROFILE=thorough. The profile alone says so: no
test sets its own number (``test_profile.py``).
"""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("tests.cli.outcome")  # a helper that asserts, and is no test

settings.register_profile(
    "quick",
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "thorough",
    max_examples=10_000,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_is_heard():
    """A shell's background jobs ignore Ctrl-C, and then no test of it could end."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """One folder for all examples of a property: numbered ones take longer the more there are."""
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(scope="session")
def real_data():
    """The folder of the real data sets."""
    folder = os.environ.get("FASTREC_DATA")
    if not folder:
        pytest.skip("FASTREC_DATA does not name the folder of the real data sets")
    return Path(folder)
