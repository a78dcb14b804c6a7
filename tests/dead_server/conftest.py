"""What the tests share: the commands of the laptop, and the server that lives.

`scripts/test-dead-server` prepares both; without it the tests stop with that command.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kept import kept
from machines import INVENTORY, WORK, Done, Machine

from controller.deploy.paths import ROOT

BIN = Path(sys.executable).parent
BALLAST = 80_000_000  # bytes


class Laptop:
    """The commands that a reader of docs/backup.md types."""

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command."""
        environment = {**os.environ, "ANSIBLE_INVENTORY": str(INVENTORY), "ANSIBLE_NOCOLOR": "1"}
        environment["ANSIBLE_VAULT_PASSWORD_FILE"] = str(WORK / "vault-password")
        return subprocess.Popen(  # noqa: S603 (words of the tests)
            [str(BIN / words[0]), *words[1:]],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str) -> Done:
        """Run a command."""
        process = self.start(*words)
        out, _ = process.communicate()
        return Done(words, process.returncode, out, "")

    def fab(self, *words: str) -> str:
        """Run a task that succeeds; return what it printed."""
        done = self.run("fab", *words)
        assert done.returncode == 0, done.stdout
        return str(done.stdout)

    def refusal(self, *words: str) -> str:
        """Run a task that fails; return the one line that says why."""
        done = self.run("fab", *words)
        assert done.returncode != 0, done.stdout
        (line,) = (one for one in done.stdout.splitlines() if one.startswith("error: "))
        return str(line)

    def site(self) -> None:
        """Write the settings of backups to the server."""
        done = self.run("ansible-playbook", "site.yml", "--tags", "backup")
        assert done.returncode == 0, done.stdout

    def refused_site(self) -> str:
        """The same with settings that are wrong; return the message of the task that says so."""
        done = self.run("ansible-playbook", "site.yml", "--tags", "backup")
        assert done.returncode != 0, done.stdout
        (line,) = (one for one in done.stdout.splitlines() if one.startswith("fatal: "))
        _, _, answer = line.partition(" => ")
        return str(json.loads(answer)["msg"])

    def backups(self) -> list[str]:
        """Return the identifiers of the complete backups, the newest first."""
        return re.findall(r"^ +([0-9a-f]{8}) +2", self.fab("backups"), re.MULTILINE)


@pytest.fixture(scope="session")
def laptop() -> Laptop:
    """Return the laptop."""
    if not (WORK / "before.json").is_file():
        pytest.exit("no server has died: run scripts/test-dead-server", returncode=2)
    return Laptop()


@pytest.fixture(scope="session")
def server(laptop: Laptop) -> Machine:
    """Return server B."""
    return Machine("b")


@pytest.fixture(scope="session")
def storage(laptop: Laptop) -> Machine:
    """Return the storage host."""
    return Machine("storage")


@pytest.fixture(scope="session")
def before(laptop: Laptop) -> dict[str, Any]:
    """Return what server A had."""
    return dict(json.loads((WORK / "before.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def secret(laptop: Laptop) -> dict[str, str]:
    """Return the values of the vault."""
    return dict(json.loads((WORK / "secrets.json").read_text(encoding="utf-8")))


@pytest.fixture
def unchanged(before: dict[str, Any]) -> Iterator[None]:
    """What fails leaves the service and its data as they were."""
    yield
    assert kept() == before


@pytest.fixture
def ballast(server: Machine) -> Iterator[None]:
    """Put data beside what is backed up, so that a backup has much to send."""
    path = "/var/lib/tox_com_det/ballast"
    server.run(f"head -c {BALLAST} /dev/urandom > {path}")
    yield
    server.run(f"rm {path}")
