"""Run the application and give a human error one line on stderr and exit code 2.

Who wants the traceback says ``--debug``, anywhere on the line.
"""

from __future__ import annotations

import os
import sys

from fastrec.cli.app import command
from fastrec.errors import FastrecError

HUMAN_ERROR = 2
DEFECT = 1
INTERRUPTED = 130


def run(arguments: list[str]) -> int:
    """Run one command line and return the exit code that it deserves.

    Parameters
    ----------
    arguments : list of str
        What follows the program's name; an empty list asks for help.
    """
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        code = command().main(
            args=arguments or ["--help"], prog_name="fastrec", standalone_mode=False
        )
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _report("interrupted", INTERRUPTED)
    except Exception as error:
        if debug:
            raise
        return _report(*_explain(error))
    return code if isinstance(code, int) else 0


def _explain(error: Exception) -> tuple[str, int]:
    """Return the sentence for an error and its exit code."""
    if isinstance(error, FastrecError):
        return str(error), HUMAN_ERROR
    # Usage errors: their class moved from click into typer, so they are known by what they can do.
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "fastrec"
        return f"{error.format_message()} (see {path} --help)", HUMAN_ERROR
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror or error}{where}", HUMAN_ERROR
    if isinstance(error, MemoryError):
        return f"out of memory: {error}", HUMAN_ERROR
    return (
        f"a defect in fastrec: {type(error).__name__}: {error} (--debug shows the traceback)",
        DEFECT,
    )


def _report(sentence: str, code: int) -> int:
    sys.stderr.write(f"fastrec: {' '.join(sentence.split())}\n")
    return code
