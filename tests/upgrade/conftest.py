"""What the upgrade test shares: the server of an earlier version, the checkouts and the load.

`scripts/test-upgrade` prepares the server; without it the tests stop with that command.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.deploy.paths import BUILD, ROOT

sys.path.append(str(ROOT / "tests" / "faults"))

from under_load import UnderLoad

WORK = BUILD / "upgrade"
OLD = WORK / "old"
BIN = Path(sys.executable).parent
# Requests per second, half of nginx's limit: on a busy machine many arrive at once.
RATE = 25.0


@dataclass(frozen=True)
class Checkout:
    """A checkout of one version, from which its commands are run."""

    root: Path
    inventory: Path

    def run(self, *command: str) -> str:
        """Run a command that must succeed; return everything it printed."""
        environment = {**os.environ, "ANSIBLE_INVENTORY": str(self.inventory)}
        environment |= {"ANSIBLE_NOCOLOR": "1", "PYTHONUNBUFFERED": "1"}
        if self.root == OLD:
            environment["PYTHONPATH"] = f"{OLD}:{OLD / 'app'}"
        done = subprocess.run(  # noqa: S603 (commands of these tests)
            [str(BIN / command[0]), *command[1:]],
            cwd=self.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}"
        return done.stdout


def on_server(command: str) -> str:
    """Run a shell command on the server as root; return its standard output."""
    host = next(iter(hosts().values()))
    ssh = ["ssh", "-i", host["ansible_ssh_private_key_file"], "-p", str(host["ansible_port"])]
    ssh += host["ansible_ssh_common_args"].split()
    ssh += [f"deploy@{host['ansible_host']}", f"sudo sh -euc {shlex.quote(command)}"]
    done = subprocess.run(ssh, capture_output=True, text=True, check=False)  # noqa: S603 (commands of these tests)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def hosts() -> dict[str, dict[str, str]]:
    """Return the hosts of the inventory with their variables."""
    text = (WORK / "inventory" / "hosts.yml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    inventory: dict[str, dict[str, dict[str, dict[str, str]]]] = json.loads("\n".join(lines))
    return inventory["tox_com_det"]["hosts"]


@pytest.fixture(scope="session")
def new() -> Checkout:
    """Return this checkout."""
    if not OLD.is_dir():
        pytest.exit("there is no server to upgrade: run scripts/test-upgrade", returncode=2)
    return Checkout(ROOT, WORK / "inventory")


@pytest.fixture(scope="session")
def old() -> Checkout:
    """Return the checkout of the earlier version."""
    return Checkout(OLD, WORK / "inventory-old")


@pytest.fixture
def load() -> Iterator[UnderLoad]:
    """Run a load that checks every answer against the old bundle's golden outputs."""
    known = WORK / "manifests"
    known.mkdir(exist_ok=True)
    manifest = json.loads((OLD / "build/bundle/manifest.json").read_text(encoding="utf-8"))
    target = known / f"{manifest['model_version']}.json"
    shutil.copy(OLD / "build/bundle/manifest.json", target)
    running = UnderLoad(service_url(), known, WORK / "load.jsonl", RATE)
    running.start()
    try:
        yield running
    finally:
        running.kill()


def service_url() -> str:
    """Return where the service answers."""
    command = [sys.executable, "-m", "controller.nanode", "url", "--name", "upgrade"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 (fixed words)
    return done.stdout.strip()
