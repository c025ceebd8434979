"""What property tests that write files share."""

from contextlib import contextmanager

import pytest


@contextmanager
def unsynced():
    """Let nothing wait for the disk meanwhile; that files reach it is tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        yield patch
