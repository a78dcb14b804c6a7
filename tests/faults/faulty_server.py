"""The Nanode of the fault tests: observed and disturbed through its engine, not through sshd."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from controller.deploy import predict
from controller.deploy.commands import TOXCTL
from controller.deploy.paths import ROOT
from controller.nanode.engine import Engine, find_engine
from controller.nanode.host import inspect_host
from controller.nanode.instance import Instance, recorded
from tox_com_det.model.manifest import Manifest

INSIDE = Path(__file__).with_name("inside.py").read_text(encoding="utf-8")
STATE = ROOT / ".nanode" / "faults"
STEP_SECONDS = 0.05
# Ends a hang, is no promise: on a busy machine everything takes longer.
HANG_SECONDS = 600.0
# What may be missing of an upload that is cut: one write of SFTP, and protocol overhead.
ON_ITS_WAY = 512 << 10
SMALL_DISK = "/run/small-disk"


def promised(seconds: float) -> float:
    """How long a promise about an otherwise idle machine may take on this one, under its load."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def wait(reached: Callable[[], Any], what: str, seconds: float = HANG_SECONDS) -> Any:
    """Wait until `reached` returns something and return that; AssertionError after `seconds`."""
    end = time.monotonic() + seconds
    while not (found := reached()):
        assert time.monotonic() < end, f"{what}: not within {seconds:g} s"
        time.sleep(STEP_SECONDS)
    return found


@dataclass
class Strike:
    """An action that waits in the container for its moment."""

    process: subprocess.Popen[str]

    def struck(self, seconds: float = HANG_SECONDS) -> dict[str, Any]:
        """When it happened and what it did; AssertionError if it did not happen."""
        out, error = self.process.communicate(timeout=seconds)
        assert self.process.returncode == 0, error
        return json.loads(out)


class FaultyServer:
    """The container, its service and its inventory."""

    def __init__(self, engine: Engine, instance: Instance) -> None:
        self.engine, self.instance = engine, instance
        self.config: dict[str, Any] = json.loads(self.inside("cat /etc/tox_com_det/server.json"))
        self.python: str = self.config["python"]
        self.url = f"http://127.0.0.1:{instance.http_port}"
        # Debian's local Nanode has the stand-in for MongoDB, with a unit of its own.
        self.database, self.storage = "secantusdb", "/var/lib/secantusdb"
        if self.run("systemctl", "cat", "mongod.service").returncode == 0:
            (directory,) = re.findall(r"(?m)^ +dbPath: (\S+)$", self.inside("cat /etc/mongod.conf"))
            self.database, self.storage = "mongod", directory

    @classmethod
    def find(cls) -> FaultyServer:
        """The one that scripts/test-faults created."""
        instance = recorded(STATE)
        engine = find_engine(inspect_host(), os.environ.get("NANODE_ENGINE"))
        return cls(engine, instance)

    # ------------------------------------------------------------ inside

    def command(self, *words: str) -> list[str]:
        """The engine's command that runs words in the container."""
        return self.engine.command("exec", "--interactive", self.instance.container, *words)

    def inside(self, script: str, *arguments: str, check: bool = True) -> str:
        """Run a shell script as root and return what it printed."""
        done = self.run("sh", "-euc", script, "sh", *arguments)
        assert not check or done.returncode == 0, f"{script}: {done.stderr}{done.stdout}"
        return done.stdout

    def put(self, file: Path, path: str) -> None:
        """Copy a file into the container."""
        self._engine("cp", str(file), f"{self.instance.container}:{path}")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a program as root."""
        return subprocess.run(  # noqa: S603 (words of the tests)
            self.command(*words),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=HANG_SECONDS,
        )

    def toxctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Call toxctl as an administrator does on the server."""
        return self.run(TOXCTL, *arguments)

    def attempts(self) -> list[dict[str, Any]]:
        """The last entries of the audit log, the newest first."""
        done = self.toxctl("--json", "history", "-n", "5")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])["result"]["attempts"]

    def state(self) -> dict[str, Any]:
        """See inside.py."""
        done = self.run(self.python, "-c", INSIDE, "state")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def when(
        self,
        condition: str,
        value: str = "",
        action: str = "nothing",
        what: str = "",
        seconds: float = HANG_SECONDS,
    ) -> Strike:
        """Start an action that waits in the container for its moment."""
        words = ("when", condition, value, action, what, str(seconds))
        process = subprocess.Popen(  # noqa: S603 (words of the tests)
            self.command(self.python, "-c", INSIDE, *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return Strike(process)

    def receives(self, sent: int) -> None:
        """Wait until what was sent of an upload has been written, however slow sshd is."""
        self.when("uploaded", str(sent - ON_ITS_WAY + 1)).struck()

    # ------------------------------------------------------------ the container

    def kill(self) -> float:
        """Kill every process of the container at once; returns when."""
        at = time.time()
        self._engine("kill", "--signal", "KILL", self.instance.container)
        return at

    def start(self) -> None:
        """Start it again, if its engine has not done so by itself.

        What holds a container's ports for podman (conmon) ends a moment after the container.
        """
        wait(self._started, "the ports of the killed container")

    def _started(self) -> bool:
        done = self._told("start", self.instance.container)
        assert done.returncode == 0 or "address already in use" in done.stderr, done.stderr
        return done.returncode == 0

    def _engine(self, *words: str) -> None:
        done = self._told(*words)
        assert done.returncode == 0, done.stderr

    def _told(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 (words of the tests)
            self.engine.command(*words), capture_output=True, text=True, check=False
        )

    @contextmanager
    def small_disk(self, path: str, spare: int, service: str | None = None) -> Iterator[None]:
        """Mount a small disk over `path`, with the same content and `spare` bytes free.

        It is in memory and goes away with what was written to it: the host's disk is not filled.
        """
        hidden = SMALL_DISK
        stop, begin = (f"systemctl stop {service}", f"systemctl start {service}") if service else (
            "true", "true",
        )  # fmt: skip
        try:
            self.inside(
                f'{stop}; mkdir -p {hidden}; used=$(du -sk "$1" | cut -f1); '
                f"mount -t tmpfs -o size=$((used + $2 / 1024))k,mode=0711 tmpfs {hidden}; "
                f'cp -a "$1/." {hidden}/; chown --reference="$1" {hidden}; '
                f'chmod --reference="$1" {hidden}; mount --bind {hidden} "$1"; {begin}',
                path,
                str(spare),
            )
            yield
        finally:
            # Also what a setup that failed has mounted.
            self.inside(
                f'{stop}; for one in "$1" {hidden}; do '
                'if mountpoint -q "$one"; then umount -l "$one"; fi; done; '
                f"rm -df {hidden}; {begin}",
                path,
            )

    def fill_small_disk(self, left: int) -> None:
        """Shrink the small disk until `left` bytes are free.

        Repeated if it is written to meanwhile: a disk cannot become smaller than its content.
        """
        self.inside(
            'for _ in $(seq 100); do used=$(df -Pk "$1" | awk "NR == 2 {print \\$3}"); '
            'if mount -o remount,size=$((used + $2 / 1024))k "$1" 2>/dev/null; then exit 0; fi; '
            "done; echo 'the disk is written to faster than it can be measured'; exit 1",
            SMALL_DISK,
            str(left),
        )

    # ------------------------------------------------------------ the service

    def live_model(self) -> str:
        """The version of the model that is confirmed."""
        return Path(self.state()["confirmed"]["model"]).name.split("-")[0]

    def app(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a module of the app, with the service's settings."""
        script = (
            'cd /; set -a; . "$1"; PYTHONPATH=$2; set +a; shift 2; '
            'exec "$PYTHONPATH/venv/bin/python" -m "$@"'
        )
        where = self.config["env_file"], self.config["app_link"]
        return self.run("sh", "-euc", script, "sh", *where, module, *arguments)

    def drop_words(self, prefix: str) -> None:
        """Drop the collections whose names begin with `prefix`."""
        done = self.app("tox_com_det.store.collections")
        assert done.returncode == 0, done.stdout + done.stderr
        names = [one["name"] for one in json.loads(done.stdout)["collections"]]
        only = [f"--only={name}" for name in names if name.startswith(prefix)]
        if only:
            done = self.app("tox_com_det.store.collections", *only, "--drop")
            assert done.returncode == 0, done.stdout + done.stderr

    def is_ready(self) -> bool:
        """Whether the service reports ready through nginx."""
        # The answer waits behind those of the load; nginx itself ends what hangs, after 30 s.
        done = self.run("curl", "--silent", "--fail", "--max-time", "60", "http://127.0.0.1/readyz")
        return done.returncode == 0

    def settle(self) -> None:
        """Wait until no activation runs, nor one that was asked for and has not taken its lock."""

        def settled() -> bool:
            asked = self.run("pgrep", "--full", "toxctl.* activate( |$)").returncode == 0
            return not asked and not self.state()["activation"]

        wait(settled, "the end of the activation")

    def serves(self, bundle: Path) -> None:
        """AssertionError unless this model is live and confirmed, and nothing is left over."""
        manifest = Manifest.load(bundle / "manifest.json")
        version = manifest.model_version
        # The slot that was stopped is inactive a moment before the activation has ended.
        self.settle()
        state = self.state()
        confirmed = state["confirmed"]
        model = Path(confirmed["model"])
        assert model.name.split("-")[0] == version, f"{version} is not confirmed: {state}"
        assert confirmed["slot"] == state["live"], (
            f"the live link is not the confirmed slot: {state}"
        )
        pinned = {name: confirmed[name] for name in ("app", "model")}
        assert state["slots"][state["live"]]["pinned"] == pinned, (
            f"the slot is set to another release: {state}"
        )
        for slot, seen in state["slots"].items():
            wanted = "active" if slot == state["live"] else "inactive"
            assert seen["active"] == wanted, f"slot {slot} is {seen['active']}: {state}"
            enabled = slot == state["live"]
            assert seen["enabled"] == enabled, f"slot {slot}, enabled: {seen['enabled']}: {state}"
        assert not state["lock"], f"the deploy lock is held: {state}"
        assert not state["activation"], f"an activation is running: {state}"
        assert self.is_ready(), "it is not ready"
        wait(self.has_route, "this host's route to the container")
        predict.compare_golden(self.url, manifest.golden_outputs, manifest.labels, version)

    def has_route(self) -> bool:
        """Whether many connections in a row reach the container.

        After a restart it has another address, and for a moment this host forwards a few old source
        ports to the previous one ("No route to host"): a fault of the engine, not of the server.
        """
        address = urlsplit(self.url)
        try:
            for _ in range(50):
                socket.create_connection((address.hostname, address.port), 5).close()
        except OSError as error:
            if error.errno == errno.EHOSTUNREACH:
                return False
            raise
        return True
