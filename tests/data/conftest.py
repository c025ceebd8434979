"""What the tests of the data layer share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Machines that run tests are busy: how long an example takes says nothing. The rest is inherited.
settings.register_profile("without deadline", settings.default, deadline=None)
settings.load_profile("without deadline")


@pytest.fixture(scope="session")
def real_data():
    """The folder of the real data sets."""
    folder = os.environ.get("FASTREC_DATA")
    if not folder:
        pytest.skip("FASTREC_DATA does not name the folder of the real data sets")
    return Path(folder)
