"""Run programs of this host without a shell, and quote what they say in errors."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping, Sequence

from controller.nanode import NanodeError

Done = subprocess.CompletedProcess[str]


def run(
    command: Sequence[str],
    stdin: str = "",
    timeout: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> Done:
    """Run a command and capture its output.

    Args:
        stdin: text for its standard input.
        timeout: seconds after which it is killed.
        environment: its environment, this process's by default.

    Raises:
        subprocess.TimeoutExpired: it took longer than `timeout`.
        OSError: the program cannot be started.
    """
    return subprocess.run(  # noqa: S603 (argument lists are built in this package)
        list(command),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        env=environment,
    )


def last_line(done: Done, default: str = "no reason given") -> str:
    """The last line of standard error, which usually states the reason of a failure."""
    return (done.stderr.strip().splitlines() or [default])[-1]


def must(command: Sequence[str], failure: str, stdin: str = "") -> str:
    """Run a command that has to succeed, and return its standard output.

    Args:
        failure: what did not work if it fails, for the error.

    Raises:
        NanodeError: it failed; names reason and command.
    """
    done = run(command, stdin)
    if done.returncode:
        raise NanodeError(f"{failure}: {last_line(done)}: try `{shlex.join(command)}`")
    return done.stdout
