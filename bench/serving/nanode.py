"""This service on a local Nanode of its own: behind nginx, in a container of 1 GiB.

It is made by the commands of `make up`, with limits of nginx that one client cannot reach. Its
processes run where the others of the comparison do, and its database where theirs does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.serving import BenchError, usage
from bench.serving.load import answer
from bench.serving.processors import CLIENT, SERVING, move
from bench.serving.programs import START_SECONDS, Server
from controller.nanode.engine import find_engine
from controller.nanode.host import inspect_host
from controller.nanode.instance import recorded

# As docs/performance.md says.
SYSTEM = "debian12"
NAME = "bench"
DATABASES = ("secantusd-rs", "mongod")
# One client sends all requests: what it may send is not what is measured.
LIMITS = {
    "nginx_requests_per_second": 1_000_000,
    "nginx_request_burst": 100_000,
    "nginx_connections_per_client": 1000,
}
# Of control groups of version 2 and 1: the memory in use, and the part that can be dropped.
_MEMORY = (
    ("memory.current", "inactive_file"),
    ("memory.usage_in_bytes", "total_inactive_file"),
)
_HTTP = 80
_PROC = Path("/proc")
_GROUPS = Path("/sys/fs/cgroup")


@dataclass
class Nanode:
    """A local Nanode that answers.

    Attributes:
        server: it, for the load.
        database: leader of its database's processes.
        working_set: the largest memory of the container so far in MB, without the cache of files
            that the kernel can drop at once.
    """

    server: Server
    database: int
    working_set: float = field(default=0.0)

    def look(self) -> None:
        """Take the container's memory of now into account."""
        self.working_set = max(self.working_set, working_set(self.server.leader))


@contextmanager
def nanode(
    checkout: Path, state: Path, bundle: Path, probe: bytes, say: Callable[[str], None]
) -> Iterator[Nanode]:
    """Make it, deploy a bundle to it, and remove it afterwards.

    Args:
        checkout: this one.
        state: directory for its inventory.
        bundle: of the model.
        probe: a request that it answers.
        say: takes a line for each step.

    Raises:
        BenchError: a step fails.
    """
    inventory = state / "nanode/inventory"
    inventory.mkdir(parents=True, exist_ok=True)
    variables = inventory / "group_vars"
    if not variables.is_symlink():
        variables.symlink_to(checkout / "inventory/local/group_vars")
    place = ["--name", NAME, "--state", str(state / "nanode/state")]
    place += ["--inventory", str(inventory / "hosts.yml")]
    create = [sys.executable, "-m", "controller.nanode", "create", "--system", SYSTEM, *place]
    destroy = [sys.executable, "-m", "controller.nanode", "destroy", *place]
    programs = Path(sys.executable).parent
    playbook, fab = str(programs / "ansible-playbook"), str(programs / "fab")
    ship = ["--bundle", str(bundle)]
    steps = (
        create,
        [playbook, "playbooks/bootstrap.yml"],
        [playbook, "site.yml", "--extra-vars", json.dumps(LIMITS)],
        [fab, "restore-embeddings", *ship, "deploy-model", *ship],
    )
    environment = {**os.environ, "ANSIBLE_INVENTORY": str(inventory)}
    log = state / "log/nanode.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    _run(destroy, checkout, environment, log)
    try:
        for step in steps:
            say(f"a local Nanode: {Path(step[0]).name} {' '.join(step[1:3])}")
            _run(step, checkout, environment, log)
        yield _answering(state / "nanode/state", probe)
    finally:
        _run(destroy, checkout, environment, log)


def _answering(state: Path, probe: bytes) -> Nanode:
    engine = find_engine(inspect_host())
    container = recorded(state).container
    form = "{{.State.Pid}} {{.NetworkSettings.IPAddress}}"
    command = engine.command("inspect", "--format", form, container)
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (no shell)
    leader, _, address = done.stdout.strip().partition(" ")
    if done.returncode or not leader.isdigit():
        raise BenchError(f"{container} is not running: see {' '.join(command)}")
    begin = time.monotonic()
    while (body := answer(_HTTP, probe, address=address)) is None:
        if time.monotonic() > begin + START_SECONDS:
            raise BenchError(f"{container} does not answer at {address}")
        time.sleep(0.1)
    database = 0
    for process in usage.group(int(leader)):
        is_database = usage.name(process) in DATABASES
        move(process, CLIENT if is_database else SERVING)
        database = process if is_database else database
    ready = time.monotonic() - begin
    server = Server("nanode", _HTTP, int(leader), ready, json.loads(body), address, DATABASES)
    return Nanode(server, database)


def working_set(process: int, proc: Path = _PROC, groups: Path = _GROUPS) -> float:
    """Memory of a container in MB, without the cache of files that the kernel can drop at once.

    Args:
        process: the container's first one.
        proc, groups: where the kernel shows processes and control groups, version 1 or 2 (Linux).

    Raises:
        BenchError: its control group is not there.
    """
    for line in (proc / str(process) / "cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        # The container's group is above the one of its systemd.
        group = path.removesuffix("/init.scope").lstrip("/")
        directory = groups / controllers / group
        for name, statistic in _MEMORY:
            if (directory / name).exists():
                used = int((directory / name).read_text())
                return (used - _statistic(directory, statistic)) / 2**20
    raise BenchError("the memory control group of the container is not found")


def _statistic(directory: Path, name: str) -> int:
    for line in (directory / "memory.stat").read_text().splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    raise BenchError(f"{directory}/memory.stat has no {name}")


def _run(command: list[str], checkout: Path, environment: dict[str, str], log: Path) -> None:
    with log.open("ab") as output:
        done = subprocess.run(  # noqa: S603 (built here, no shell)
            command,
            cwd=checkout,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        words = " ".join([Path(command[0]).name, *command[1:3]])
        raise BenchError(f"the local Nanode cannot be measured: '{words}' failed, see {log}")
