"""The errors that fastrec raises for its users.

Each message says what was got, what was expected and how to fix it. This
module imports nothing of the package, so that every layer may raise them.
"""


class FastrecError(Exception):
    """Base of every error that fastrec raises on purpose."""


class InputError(FastrecError, ValueError):
    """An argument or a data set that cannot be used as it is."""


class UnknownIdError(FastrecError, KeyError):
    """An id that the model or the log has never seen."""

    def __str__(self) -> str:
        # KeyError shows the repr of its argument, which would quote the whole sentence.
        return str(self.args[0]) if self.args else ""


class NotFittedError(FastrecError):
    """A model was asked for results before ``fit``."""


class DivergedError(FastrecError):
    """Training produced a loss that is NaN or infinite."""


class DeviceError(FastrecError):
    """The CPU or GPU cannot run what was asked for."""


class FormatError(FastrecError):
    """A file that is damaged, of a newer version, or not ours."""
