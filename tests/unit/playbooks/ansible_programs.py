"""Run a program of Ansible as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def run(program: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program that stands beside Python, in the project's directory."""
    return subprocess.run(  # noqa: S603 (words of the tests)
        [Path(sys.executable).with_name(program), *options],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
