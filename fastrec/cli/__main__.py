"""``python -m fastrec.cli``: the same as the ``fastrec`` command."""

import sys

from fastrec.cli import main

if __name__ == "__main__":
    sys.exit(main())
