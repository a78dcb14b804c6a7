"""The containers of scripts/test-dead-server, reached through their engine.

Usage: python tests/dead_server/machines.py kill NAME

NAME is `storage`, `a` or `b`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from controller.deploy.paths import BUILD, ROOT
from controller.nanode.engine import Engine, find_engine
from controller.nanode.host import inspect_host
from controller.nanode.instance import recorded

WORK = BUILD / "dead-server"
INVENTORY = WORK / "mine"
# Ends a hang, is no promise: on a busy machine everything takes longer.
HANG_SECONDS = 300.0
Done = subprocess.CompletedProcess[str]


def wait(reached: Callable[[], Any], what: str, pause: float = 0.1) -> Any:
    """Wait until `reached` returns something and return that; AssertionError if it never does."""
    end = time.monotonic() + HANG_SECONDS
    while not (found := reached()):
        assert time.monotonic() < end, f"{what}: not within {HANG_SECONDS:g} s"
        time.sleep(pause)
    return found


class Machine:
    """One container."""

    def __init__(self, name: str) -> None:
        """`name`: storage, a or b."""
        self.engine: Engine = find_engine(inspect_host(), os.environ.get("NANODE_ENGINE"))
        self.container = recorded(ROOT / ".nanode" / f"dead-{name}").container

    def ask(self, *words: str) -> Done:
        """Call the engine."""
        return subprocess.run(  # noqa: S603 (words of the tests)
            self.engine.command(*words), capture_output=True, text=True, check=False
        )

    def run(self, script: str, *arguments: str, check: bool = True) -> str:
        """Run a shell script as root and return what it printed."""
        done = self.ask("exec", self.container, "sh", "-euc", script, "sh", *arguments)
        assert not check or done.returncode == 0, f"{script}: {done.stderr}{done.stdout}"
        return done.stdout.strip()

    def start(self, script: str) -> subprocess.Popen[str]:
        """Start a shell script as root."""
        words = self.engine.command("exec", self.container, "sh", "-euc", script)
        return subprocess.Popen(words, text=True)  # noqa: S603 (words of the tests)

    def put(self, file: Path, path: str) -> None:
        """Copy a file into the container."""
        done = self.ask("cp", str(file), f"{self.container}:{path}")
        assert done.returncode == 0, done.stderr

    def toxctl(self, *arguments: str) -> dict[str, Any]:
        """Call toxctl as root; return the last line of its answer: `result`, or `error`."""
        words = ("exec", self.container, "/usr/local/sbin/toxctl", "--json", *arguments)
        answer: dict[str, Any] = json.loads(self.ask(*words).stdout.splitlines()[-1])
        return answer

    def kill(self) -> None:
        """Kill all of its processes at once; it stays dead."""
        done = self.ask("kill", "--signal=KILL", self.container)
        assert done.returncode == 0, done.stderr
        shown = ("container", "inspect", "--format={{.State.Running}}", self.container)
        wait(lambda: self.ask(*shown).stdout.strip() == "false", f"{self.container} is dead")

    def address(self) -> str:
        """Return its address in the network of the containers."""
        return self.run("hostname -I").split()[0]


if __name__ == "__main__":
    assert sys.argv[1] == "kill", __doc__
    Machine(sys.argv[2]).kill()
