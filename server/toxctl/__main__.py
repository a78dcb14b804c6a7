"""Runs toxctl: `python -m toxctl`, or `python -I -B DIRECTORY` of an installed version.

An installed version has this file twice: in the package and, for the second form, beside it.
"""

from __future__ import annotations

import os
import sys

# DIRECTORY may be the link `current`, which a new version moves: all modules come from one version.
sys.path[0] = os.path.realpath(sys.path[0])

from toxctl.cli import main  # noqa: E402 (the path comes first)

if __name__ == "__main__":
    sys.exit(main())
