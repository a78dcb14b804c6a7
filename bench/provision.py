"""How long it takes to provision the local Nanode: this checkout beside an earlier one.

    python -m bench.provision [unchanged|first|up] [--before REVISION] [--rounds 3]

`unchanged`: a `site.yml` that has nothing to change. Both sides provision the same local Nanode
(`make up`), one after the other in each round, with the earlier one's inventory, whose variables
both know. A run that is not timed comes first on each side, because each has a toxctl and an app
of its own.

`first`: the first `site.yml` on a new server, after bootstrap.yml, which is not timed. Each run
has a container of its own.

`up`: `make up` in a new clone, without an environment, an image (podman gets a storage of its own)
and pip's cache. What is not committed is not in the clone.

Printed are the median and the spread of the seconds, the tasks of a run, and the ratios of both.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from controller.nanode.image import SUITES

PROJECT = Path(__file__).resolve().parents[1]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
RECAP = re.compile(r"^\S+ +: ok=(\d+) +changed=(\d+) .*skipped=(\d+) ", re.MULTILINE)
FIRST_PLAY = "PLAY ["
NAME = "bench-provision"
# Older revisions have another default.
SYSTEM = {"NANODE_SYSTEM": os.environ.get("NANODE_SYSTEM") or next(iter(SUITES))}
# An inventory of one's own names real servers, and an activated environment is this checkout's.
PRIVATE = ("ANSIBLE_", "VIRTUAL_ENV", "PYTHONPATH", "CORE")


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's variables without what would reach another checkout, and more of them."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(PRIVATE)}
    own = str(PROJECT / ".venv/bin")
    path = [place for place in kept.get("PATH", "").split(os.pathsep) if place != own]
    return {**kept, "PATH": os.pathsep.join(path), **(more or {})}


@dataclass
class Side:
    """One of the two checkouts and what was measured of it.

    Attributes:
        name: its name in the table.
        path: the checkout.
        inventory: what its playbooks are given.
        seconds: of each timed run.
        until_play: of each timed `make up`, until its first play.
        ran: tasks of a run.
        skipped: tasks of a run that were skipped.
    """

    name: str
    path: Path
    inventory: Path
    seconds: list[float] = field(default_factory=list)
    until_play: list[float] = field(default_factory=list)
    ran: int = 0
    skipped: int = 0

    def play(self, playbook: str) -> tuple[float, int]:
        """Run a playbook; return its seconds and how many tasks changed something."""
        begin = time.monotonic()
        done = subprocess.run(  # noqa: S603 (fixed words, no shell)
            [PLAYBOOK, playbook],
            cwd=self.path,
            env={
                **environment(),
                "ANSIBLE_INVENTORY": str(self.inventory),
                "ANSIBLE_NOCOLOR": "1",
                "PYTHONPATH": os.pathsep.join(
                    str(self.path / name) for name in ("", "app", "server")
                ),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - begin
        recap = RECAP.search(done.stdout)
        if done.returncode or not recap:
            sys.exit(f"{self.name}: {playbook} failed:\n{(done.stdout + done.stderr)[-2000:]}")
        self.ran, changed, self.skipped = (int(number) for number in recap.groups())
        return seconds, changed

    def measure_unchanged(self) -> None:
        """Time one run that has nothing to change."""
        self.play("site.yml")
        seconds, changed = self.play("site.yml")
        if changed:
            sys.exit(f"{self.name}: {changed} tasks changed something in a second run")
        self.seconds.append(seconds)

    def measure_first(self) -> None:
        """Time the first run on a new server."""
        place = ["--name", NAME, "--state", str(self.path / ".nanode" / NAME)]
        place += ["--inventory", str(self.inventory / "nanode.yml")]
        nanode = [sys.executable, "-m", "controller.nanode"]
        _run([*nanode, "create", *place], PROJECT, SYSTEM)
        try:
            self.play("playbooks/bootstrap.yml")
            seconds, _ = self.play("site.yml")
        finally:
            _run([*nanode, "destroy", *place], PROJECT)
        self.seconds.append(seconds)

    def measure_up(self) -> None:
        """Time `make up` from nothing, and how long its first play took to begin."""
        with empty_storage() as storage:
            try:
                seconds, waited = self._make_up(storage)
            finally:
                _run(["make", "down"], self.path, storage)
        self.seconds.append(seconds)
        self.until_play.append(waited)
        shutil.rmtree(self.path / ".venv")
        shutil.rmtree(self.path / "build", ignore_errors=True)

    def _make_up(self, storage: Mapping[str, str]) -> tuple[float, float]:
        """Run `make up`; return its seconds, and those until the first play."""
        begin = time.monotonic()
        lines: list[str] = []
        waited = None
        with subprocess.Popen(
            ["make", "up"],  # noqa: S607 (the user's make)
            cwd=self.path,
            env=environment({**SYSTEM, **storage}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            for line in process.stdout or ():
                lines.append(line)
                if waited is None and line.startswith(FIRST_PLAY):
                    waited = time.monotonic() - begin
        if process.returncode or waited is None:
            sys.exit(f"{self.name}: make up failed:\n{''.join(lines)[-2000:]}")
        return time.monotonic() - begin, waited


def _run(command: Sequence[str], cwd: Path, more: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(  # noqa: S603 (built here)
        command, cwd=cwd, env=environment(more), capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


@contextmanager
def empty_storage() -> Iterator[dict[str, str]]:
    """Variables with which podman has no image and pip no cache; what they make is removed."""
    if not shutil.which("podman"):
        sys.exit("provision: podman is missing: run 'make up' once, which installs it")
    driver = _run(["podman", "info", "--format", "{{.Store.GraphDriverName}}"], PROJECT).strip()
    with tempfile.TemporaryDirectory(prefix="bench-provision-") as directory:
        settings = Path(directory, "storage.conf")
        settings.write_text(
            f'[storage]\ndriver = "{driver}"\nrunroot = "{directory}/run"\n'
            f'graphroot = "{directory}/storage"\n'
        )
        own = {
            "CONTAINERS_STORAGE_CONF": str(settings),
            "NANODE_ENGINE": "podman",
            "PIP_CACHE_DIR": str(Path(directory, "pip")),
        }
        try:
            yield own
        finally:
            # Layers may be mounted.
            _run(["podman", "rmi", "--all", "--force"], PROJECT, own)


def clone(revision: str, out: Path) -> None:
    """A clone of this repository at a revision."""
    _run(["git", "clone", "--quiet", "--no-checkout", str(PROJECT), str(out)], PROJECT)
    _run(["git", "checkout", "--quiet", "--detach", revision], out)


def with_downloads(checkout: Path) -> None:
    """Let a checkout use this one's wheels: they are the same for both sides."""
    (PROJECT / "build/wheels").mkdir(parents=True, exist_ok=True)
    (checkout / "build").mkdir()
    (checkout / "build/wheels").symlink_to(PROJECT / "build/wheels")


def sides(what: str, revision: str, directory: Path) -> tuple[Side, Side]:
    """The earlier checkout and this one."""
    clone(revision, directory / "before")
    before = Side(revision, directory / "before", directory / "before/inventory/local")
    if what == "up":
        head = _run(["git", "rev-parse", "HEAD"], PROJECT).strip()
        clone(head, directory / "now")
        return before, Side("this commit", directory / "now", directory / "now/inventory/local")
    with_downloads(before.path)
    if what == "unchanged":
        nanode = PROJECT / "inventory/local/nanode.yml"
        if not nanode.exists():
            sys.exit("provision: there is no local Nanode: run 'make up' first")
        shutil.copy(nanode, before.inventory)
    return before, Side("this checkout", PROJECT, before.inventory)


def row(name: str, seconds: Sequence[float], more: str = "") -> str:
    """A line of the table."""
    return (
        f"{name:32} {statistics.median(seconds):>7.1f}s {min(seconds):>7.1f}s "
        f"{max(seconds):>7.1f}s{more}"
    )


def ratio(before: Sequence[float], after: Sequence[float]) -> str:
    """The median and the spread of the rounds' ratios."""
    ratios = [second / first for first, second in zip(before, after, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def report(before: Side, now: Side) -> str:
    """The table and the ratios."""
    lines = [f"\n{'':32} {'median':>8} {'least':>8} {'most':>8} {'tasks run':>10} {'skipped':>8}"]
    for side in (before, now):
        tasks = f" {side.ran:>10} {side.skipped:>8}" if side.ran else ""
        lines.append(row(side.name, side.seconds, tasks))
        if side.until_play:
            lines.append(row("  until the first play", side.until_play))
    lines.append(f"ratio of the seconds: {ratio(before.seconds, now.seconds)}")
    if before.until_play:
        lines.append(f"until the first play: {ratio(before.until_play, now.until_play)}")
    if before.ran:
        lines.append(f"ratio of the tasks run: {now.ran / before.ran:.2f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "what", nargs="?", choices=("unchanged", "first", "up"), default="unchanged"
    )
    parser.add_argument("--before", default="HEAD~1", help="git revision (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-provision-") as directory:
        before, now = sides(options.what, options.before, Path(directory))
        for number in range(1, options.rounds + 1):
            print(f"round {number} of {options.rounds}", flush=True)
            for side in (before, now):
                getattr(side, f"measure_{options.what}")()
                print(f"  {side.name}: {side.seconds[-1]:.1f} s", flush=True)
    print(report(before, now))


if __name__ == "__main__":
    main()
