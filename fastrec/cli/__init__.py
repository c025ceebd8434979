"""The ``fastrec`` command: train, evaluate, recommend, similar, analogy, plot and more.

One file a command; ``app`` names them, ``inputs`` reads what they are given,
``output`` prints, ``failures`` turns an error into one line. This file imports
neither typer nor rich, so that their absence gets a sentence and no traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

INSTALL = "pip install 'fastrec-engine[cli]'"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str or None
        What follows the program's name; None takes ``sys.argv[1:]``.

    Returns
    -------
    int
        0, or 2 after a human error (one line on stderr says which), 130 after
        Ctrl-C, 1 after a defect of fastrec itself.
    """
    try:
        import rich  # noqa: F401  the tables need it, and that should be said before the work

        from fastrec.cli.failures import run
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.stderr.write(f"fastrec: the command line needs {error.name}; install it: {INSTALL}\n")
        return 2
    return run(sys.argv[1:] if arguments is None else list(arguments))
