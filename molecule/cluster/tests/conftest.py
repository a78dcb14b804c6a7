"""Fixtures: the hosts, fab, toxctl, and a load whose answers are checked."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import testinfra
import yaml

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
INVENTORY = SCENARIO / "inventory"
TEXT = "what a lovely day"
HANG_SECONDS = 300


@pytest.fixture(scope="session")
def addresses() -> dict[str, str]:
    """The containers' own addresses."""
    hosts = yaml.safe_load((INVENTORY / "nanode-addresses.yml").read_text())["all"]["hosts"]
    return {name: values["cluster_address"] for name, values in hosts.items()}


@pytest.fixture
def server() -> Callable[[str], Any]:
    """A host of the cluster, as testinfra sees it."""

    def get(name: str) -> Any:
        return testinfra.get_host(f"ansible://{name}?ansible_inventory={INVENTORY}", sudo=True)

    return get


@pytest.fixture
def balancer(server) -> Callable[[], dict[str, Any]]:
    """The app hosts as the balancer sees them, by name."""

    def status() -> dict[str, Any]:
        found = server("lb1").check_output("/usr/local/sbin/toxctl --json balancer status")
        hosts = json.loads(found.splitlines()[-1])["result"]["hosts"]
        return {one["name"]: one for one in hosts}

    return status


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the laptop's environment on the cluster."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "MOLECULE_"))}
    own = {"ANSIBLE_INVENTORY": str(INVENTORY), "NO_COLOR": "1"}
    return subprocess.run(  # noqa: S603 (fixed words, no shell)
        [str(Path(sys.executable).parent / program), *arguments],
        cwd=PROJECT,
        env={**inherited, **own},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def engine(command: str, name: str) -> None:
    """Let the container engine do something to a host's container."""
    instance = json.loads((PROJECT / f".nanode/{name}/instance.json").read_text())
    program = next(word for word in ("podman", "docker") if shutil.which(word))
    subprocess.run([program, command, instance["container"]], check=True)  # noqa: S603 (as above)


def ask(address: str, text: str = TEXT, trust: ssl.SSLContext | None = None) -> tuple[int, Any]:
    """Return status and JSON of a prediction, over HTTPS with the authorities to trust."""
    connection = http.client.HTTPConnection(address, timeout=HANG_SECONDS)
    if trust is not None:
        connection = http.client.HTTPSConnection(address, timeout=HANG_SECONDS, context=trust)
    try:
        body = json.dumps({"text": text})
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


class Load:
    """Requests one after the other from a few threads, at most COUNT in all.

    Attributes:
        statuses: how many answers had which status; `lost`: requests without an answer.
        wrong: answers with 200 and other scores than before.
    """

    COUNT = 60_000
    THREADS = 4
    PAUSE = 0.15  # below the limit of an address, 50 a second

    def __init__(self, address: str, trust: ssl.SSLContext | None) -> None:
        self.address, self.trust = address, trust
        self.expected = self.scores(ask(address, trust=trust)[1])
        self.statuses: Counter[int | str] = Counter()
        self.wrong: list[Any] = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.work) for _ in range(self.THREADS)]

    def scores(self, answer: Any) -> dict[str, float]:
        return {name: round(score, 5) for name, score in answer["scores"].items()}

    def work(self) -> None:
        for _ in range(self.COUNT // self.THREADS):
            if self.over.wait(self.PAUSE):
                return
            try:
                status, answer = ask(self.address, trust=self.trust)
            except (OSError, http.client.HTTPException, ValueError):
                self.statuses["lost"] += 1
                continue
            self.statuses[status] += 1
            if status == 200 and self.scores(answer) != self.expected:
                self.wrong.append(answer)

    @property
    def failed(self) -> int:
        return sum(count for status, count in self.statuses.items() if status != 200)


@pytest.fixture
def load(addresses) -> Callable[[], Any]:
    """Send requests to the balancer while the body runs."""

    @contextmanager
    def running(trust: ssl.SSLContext | None = None) -> Iterator[Load]:
        made = Load(addresses["lb1"], trust)
        for thread in made.threads:
            thread.start()
        try:
            yield made
        finally:
            made.over.set()
            for thread in made.threads:
                thread.join()

    return running


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait; only a hang ends it."""
    limit = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.5)
