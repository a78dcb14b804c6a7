"""Runs toxctl: `python -m toxctl`, or `python -I -B DIRECTORY` of an installed version.

An installed version has this file twice: in the package and, for the second form, beside it.
"""

from __future__ import annotations

import sys

from toxctl.cli import main

if __name__ == "__main__":
    sys.exit(main())
