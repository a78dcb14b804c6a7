"""Environments of what is compared, each made once from a locked list with hashes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.serving import BenchError


def python_of(name: str, lock: Path, state: Path) -> Path:
    """The interpreter of an environment with the packages of a lock, which is made if need be.

    Raises:
        BenchError: the packages cannot be installed.
    """
    directory = state / f"venv-{name}"
    python = directory / "bin/python"
    stamp = directory / ".locked"
    current = hashlib.sha256(lock.read_bytes()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text() == current:
        return python
    print(f"Creating the environment of {name} in {directory} (once) ...", flush=True)
    _run(name, [sys.executable, "-m", "venv", "--clear", str(directory)])
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    _run(name, [*pip, "--require-hashes", "--requirement", str(lock)])
    stamp.write_text(current)
    return python


def version_of(python: Path, package: str) -> str:
    """The version of a package in an environment."""
    program = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run(  # noqa: S603 (built here, no shell)
        [str(python), "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def _run(name: str, command: Sequence[str]) -> None:
    done = subprocess.run(command, check=False)  # noqa: S603 (built here, no shell)
    if done.returncode:
        raise BenchError(f"the environment of {name} cannot be made: see above")
