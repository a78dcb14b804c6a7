"""Runs other programs: as root, or a module of the app as the service's user."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from toxctl.config import Config
from toxctl.errors import ToxctlError

__all__ = ["as_service", "json_answer", "last_line", "module", "run", "service_environment"]

Done = subprocess.CompletedProcess[str]
PREFIX = "TOX_COM_DET_"


def run(
    command: Sequence[str], seconds: float = 120.0, env: Mapping[str, str] | None = None
) -> Done:
    """Run a program and keep its output.

    Raises:
        ToxctlError: the program is missing or takes longer than `seconds`.
    """
    try:
        return subprocess.run(  # noqa: S603 (fixed words and paths of server.json, no shell)
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            cwd="/",
            env=env,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise ToxctlError(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        words = " ".join(command)[:200]
        raise ToxctlError(f"{words} did not end within {seconds:g} s") from None


def last_line(done: Done) -> str:
    """Return the last line that a program printed, or its exit code if it printed none."""
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"


def json_answer(done: Done) -> dict[str, Any]:
    """Return the JSON object of the last line that is one; {} if there is none."""
    for line in reversed(done.stdout.strip().splitlines()):
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(line)
            if isinstance(value, dict):
                return value
    return {}


def as_service(config: Config) -> list[str]:
    """Return the words before a command that make it run as the service's user."""
    return ["runuser", "-u", config.user, "--"] if os.geteuid() == 0 else []


def service_environment(config: Config, app: str) -> dict[str, str]:
    """Return the environment of the service: its settings, and where its code is.

    The settings are taken to the letter, as systemd takes them; no shell reads them.
    """
    environment = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")}
    with open(config.env_file, encoding="utf-8") as file:
        for line in file:
            name, equals, value = line.strip().partition("=")
            if equals and name.startswith(PREFIX):
                environment[name] = value
    return {**environment, "PYTHONPATH": app, "PYTHONUNBUFFERED": "1"}


def module(config: Config, app: str, name: str, *arguments: str) -> list[str]:
    """Return the command that runs one of the app's modules as the service's user, niced.

    Args:
        app: directory of an installed app.
        name: `collections`, `restore` or `verify`.
    """
    python = os.path.join(app, "venv", "bin", "python")
    # Releases of version 0.1 keep these modules one level higher.
    is_in_store = os.path.exists(os.path.join(app, "tox_com_det", "store", f"{name}.py"))
    package = "tox_com_det.store" if is_in_store else "tox_com_det"
    words = [*as_service(config), python, "-m", f"{package}.{name}", *arguments]
    return ["nice", "-n", "10", *words]
