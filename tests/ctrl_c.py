"""Ctrl-C, as tests press it."""

import _thread
import gc
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

AGAIN = 2.0  # seconds until an impatient user presses it again


@contextmanager
def ctrl_c_after(seconds: float) -> Iterator[None]:
    """Interrupt the main thread ``seconds`` after the block has begun, and again until it is left.

    Python swallows an interrupt that comes while a callback of a weak reference runs. The
    collector, which runs those of other tests' objects, is therefore off in the block, and the
    interrupt is repeated, so that one that is lost does not turn seconds of work into hours. One
    that comes between the opening of a file and its ``with`` leaves it to its last reference, of
    which Python would warn.
    """
    left = threading.Event()

    def press() -> None:
        wait = seconds
        while not left.wait(wait):
            _thread.interrupt_main()
            wait = AGAIN

    gc.collect()
    gc.disable()
    presser = threading.Thread(target=press, daemon=True)
    presser.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            yield
    finally:
        left.set()
        gc.enable()
