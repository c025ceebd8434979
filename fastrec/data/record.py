"""Frozen dataclasses whose constructor checks what it is given, and the way around the checks.

Whoever calls the constructor gets its parts checked, which reads every column.
Inside the package most instances are made of parts of another one; for these,
and for columns mapped from a file that should not be read, there is a way
without checks.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, ClassVar, Self


class Record:
    """What a log, queries and a corpus have in common; not meant to be used by itself."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @classmethod
    def _trusted(cls, **parts: Any) -> Self:
        """Return an instance of parts that are known to fit, unchecked.

        Raises
        ------
        TypeError
            A part is missing, or there is no such part.
        """
        state = {}
        for part in fields(cls):
            if part.name in parts:
                state[part.name] = parts.pop(part.name)
            elif part.default_factory is not MISSING:
                state[part.name] = part.default_factory()
            elif part.default is not MISSING:
                state[part.name] = part.default
            else:
                raise TypeError(f"the part {part.name!r} is missing")
        if parts:
            raise TypeError(f"there is no part {min(parts)!r}")
        made = object.__new__(cls)
        made.__setstate__(state)
        return made

    def _changed(self, **parts: Any) -> Self:
        """Return this instance with other parts, which are known to fit, unchecked."""
        mine = {part.name: getattr(self, part.name) for part in fields(self)}
        return self._trusted(**mine | parts)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
