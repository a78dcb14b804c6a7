"""Runs other programs: as root, or a module of the app as the service's user."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

from toxctl import events, signals
from toxctl.config import Config
from toxctl.errors import ToxctlError

__all__ = [
    "as_service",
    "json_answer",
    "last_line",
    "module",
    "run",
    "service_environment",
    "stream",
]

Done = subprocess.CompletedProcess[str]
PREFIX = "TOX_COM_DET_"
PERSPECTIVE = "SLOT_PERSPECTIVE_"


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
        step = "run `ansible-playbook site.yml`"
        raise ToxctlError(f"{command[0]} is not installed: {step}") from None
    except subprocess.TimeoutExpired:
        words = " ".join(command)[:200]
        raise ToxctlError(f"{words} did not end within {seconds:g} s: see `fab doctor`") from None


def stream(
    command: Sequence[str],
    environment: Mapping[str, str],
    complaints: IO[str],
    pass_on: Callable[[str], None],
) -> int:
    """Run a program in a process group of its own and pass its lines on; return its exit code.

    It does not outlive this function, whatever ends it, and it ends early if nothing reads the
    lines any more.

    Args:
        command: the program and its arguments.
        environment: all of it.
        complaints: a file for its standard error; not a pipe, which nothing would empty.
        pass_on: is called with each line of its standard output.
    """
    with (
        signals.held() as release,
        subprocess.Popen(  # noqa: S603 (fixed words and paths of server.json, no shell)
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            errors="replace",
            cwd="/",
            env=environment,
            start_new_session=True,
        ) as process,
    ):
        try:
            release()
            for line in process.stdout or ():
                pass_on(line.rstrip())
                if events.listener_gone():
                    _end(process)
            return process.wait()
        except BaseException:
            _end(process)
            raise


def _end(process: subprocess.Popen[str]) -> None:
    """Ask a program and its children to end."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)


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


def service_environment(config: Config, app: str, *, perspective: bool = False) -> dict[str, str]:
    """Return the environment of the service: its settings, and where its code is.

    The settings are taken to the letter, as systemd takes them; no shell reads them.

    Args:
        config: the server's.
        app: directory of an installed app.
        perspective: with the settings of the Perspective API, which restores do not read.
    """
    prefixes = (PREFIX, PERSPECTIVE) if perspective else (PREFIX,)
    environment = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")}
    with open(config.env_file, encoding="utf-8") as file:
        for line in file:
            name, equals, value = line.strip().partition("=")
            if equals and name.startswith(prefixes):
                environment[name] = value
    return {**environment, "PYTHONPATH": app, "PYTHONUNBUFFERED": "1"}


def module(config: Config, app: str, name: str, *arguments: str) -> list[str]:
    """Return the command that runs one of the app's modules as the service's user, niced.

    Args:
        app: directory of an installed app.
        name: `backup`, `collections`, `restore`, `suggestions` or `verify`.
    """
    python = os.path.join(app, "venv", "bin", "python")
    # `suggestions` is one level higher, and so are all of them in releases of version 0.1.
    is_in_store = os.path.exists(os.path.join(app, "tox_com_det", "store", f"{name}.py"))
    package = "tox_com_det.store" if is_in_store else "tox_com_det"
    words = [*as_service(config), python, "-m", f"{package}.{name}", *arguments]
    return ["nice", "-n", "10", *words]
