"""Difficulties of a new server, each caused for real and taken away again after its test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from controller.nanode.engine import find_engine
from controller.nanode.host import inspect_host

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
HOLDER = "/usr/local/sbin/unattended-upgrade"
UNIT = "fresh-lock-holder"
READY = "/run/fresh-lock-held"
# Holds a record lock, as apt does, for as many seconds as its second argument says.
SCRIPT = f"""\
import fcntl, pathlib, sys, time
with open(sys.argv[1], "w") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    pathlib.Path("{READY}").touch()
    time.sleep(float(sys.argv[2]))
"""


class Root:
    """The server as root, through the container's engine: no test depends on what it spoils."""

    def __init__(self) -> None:
        record = json.loads((PROJECT / ".nanode/fresh/instance.json").read_text())
        self.container = record["container"]
        self.engine = find_engine(inspect_host(), os.environ.get("NANODE_ENGINE"))

    def command(self, script: str) -> list[str]:
        """The command that runs a shell script in the container."""
        return self.engine.command("exec", "-i", self.container, "sh", "-c", script)

    def run(self, script: str, given: str = "") -> str:
        """Run a shell script and return its output."""
        done = subprocess.run(  # noqa: S603 (built here)
            self.command(script), input=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def write(self, path: str, content: str, mode: str = "0644") -> None:
        """Write a file."""
        self.run(f"cat > {path} && chmod {mode} {path}", content)

    def hold(self, lock: str, seconds: int) -> str:
        """The script that starts the stand-in for unattended-upgrade, until it has the lock."""
        return (
            f"rm -f {READY}; systemd-run --quiet --collect --unit={UNIT} python3 {HOLDER} "
            f"{lock} {seconds} && until test -e {READY}; do sleep 0.2; done"
        )


@pytest.fixture(scope="session")
def root() -> Root:
    return Root()


@pytest.fixture
def held(root: Root) -> Iterator[Callable[[str], AbstractContextManager[None]]]:
    """Hold a lock of apt until the end of the context, at the latest until the end of the test."""
    release = f"systemctl stop {UNIT} 2>/dev/null; true"

    @contextmanager
    def holding(lock: str) -> Iterator[None]:
        root.run(release)
        try:
            root.run(root.hold(lock, 600))
            yield
        finally:
            root.run(release)

    try:
        root.write(HOLDER, SCRIPT, "0755")
        yield holding
    finally:
        root.run(f"{release}; rm -f {HOLDER}")


def environment(**more: str) -> dict[str, str]:
    """The environment of a command that somebody types in the checkout."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "MOLECULE_"))}
    own = {"ANSIBLE_INVENTORY": str(SCENARIO / "inventory"), "ANSIBLE_NOCOLOR": "1"}
    return {**inherited, **own, **more}


def start(program: str, *arguments: str, **more: str) -> subprocess.Popen[str]:
    """Start a program of the checkout's environment."""
    return subprocess.Popen(  # noqa: S603 (built here)
        [str(Path(sys.executable).with_name(program)), *arguments],
        cwd=PROJECT,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(program: str, *arguments: str, **more: str) -> tuple[int, str]:
    """Run a program of the checkout's environment; return its exit code and its output."""
    with start(program, *arguments, **more) as process:
        said, _ = process.communicate()
    return process.returncode, said


def refresh(**variables: Any) -> list[str]:
    """The arguments that run role package_lists alone."""
    return [str(SCENARIO / "package_lists.yml"), "--extra-vars", json.dumps(variables)]
