"""Print what pyproject.toml requires, one a line: ``requirements.py [build|core|EXTRA]...``.

The Makefile installs from this list, so that adding an extra to an environment
does not build the package again. ``build`` is the build system's own list,
``core`` the package's dependencies; an extra that names other extras of this
package is spelled out.
"""

import re
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def requirements(project: dict, group: str) -> list[str]:
    """Return the requirements of one group, with this package's own extras spelled out."""
    if group == "build":
        return project["build-system"]["requires"]
    metadata = project["project"]
    if group == "core":
        return metadata["dependencies"]
    own = re.compile(rf"{re.escape(metadata['name'])}\[([\w,-]+)\]$")
    found = []
    for requirement in metadata["optional-dependencies"][group]:
        if match := own.match(requirement):
            for extra in match[1].split(","):
                found += requirements(project, extra)
        else:
            found.append(requirement)
    return found


def main() -> None:
    """Print every requirement of the named groups once, in order."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))
    wanted = [line for group in sys.argv[1:] for line in requirements(project, group)]
    sys.stdout.write("\n".join(dict.fromkeys(wanted)) + "\n")


if __name__ == "__main__":
    main()
