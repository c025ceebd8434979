"""What the tests of the data layer share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data():
    """The folder of the real data sets."""
    folder = os.environ.get("FASTREC_DATA")
    if not folder:
        pytest.skip("FASTREC_DATA does not name the folder of the real data sets")
    return Path(folder)
