"""How long a run of site.yml takes that has nothing to change: this checkout beside an earlier one.

    python -m bench.provision [--before REVISION] [--rounds 3]

Both provision the same local Nanode (`make up`), one after the other in each round, with the
earlier one's inventory, whose variables both know. A run that is not timed comes first on each
side, because each has a toxctl and an app of its own. Printed are the median and the spread of the
seconds, the tasks of a run, and the ratios of both.
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
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
RECAP = re.compile(r"^\S+ +: ok=(\d+) +changed=(\d+) .*skipped=(\d+) ", re.MULTILINE)


@dataclass
class Side:
    """One of the two checkouts and what was measured of it."""

    name: str
    path: Path
    inventory: Path
    seconds: list[float] = field(default_factory=list)
    ran: int = 0
    skipped: int = 0

    def provision(self) -> tuple[float, int]:
        """Run site.yml; return its seconds and how many tasks changed something."""
        begin = time.monotonic()
        done = subprocess.run(  # noqa: S603 (fixed words, no shell)
            [PLAYBOOK, "site.yml"],
            cwd=self.path,
            env={
                **os.environ,
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
            sys.exit(f"{self.name}: site.yml failed:\n{(done.stdout + done.stderr)[-2000:]}")
        self.ran, changed, self.skipped = (int(number) for number in recap.groups())
        return seconds, changed


def measure(side: Side) -> None:
    """Time one run that has nothing to change."""
    side.provision()
    seconds, changed = side.provision()
    if changed:
        sys.exit(f"{side.name}: {changed} tasks changed something in a second run")
    side.seconds.append(seconds)
    print(f"  {side.name}: {seconds:.1f} s", flush=True)


def unpack(revision: str, out: Path) -> None:
    """Write the files of a revision to a directory, with this checkout's downloads."""
    archive = subprocess.run(  # noqa: S603 (words of this bench, no shell)
        ["git", "archive", revision],  # noqa: S607
        cwd=PROJECT,
        capture_output=True,
        check=True,
    ).stdout
    subprocess.run(["tar", "-x", "-C", str(out)], input=archive, check=True)  # noqa: S603, S607 (fixed words)
    (out / "build").mkdir()
    (out / "build/wheels").symlink_to(PROJECT / "build/wheels")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--before", default="HEAD~1", help="git revision (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    nanode = PROJECT / "inventory/local/nanode.yml"
    if not nanode.exists():
        sys.exit("provision: there is no local Nanode: run 'make up' first")
    with tempfile.TemporaryDirectory(prefix="bench-provision-") as directory:
        unpack(options.before, Path(directory))
        inventory = Path(directory, "inventory/local")
        shutil.copy(nanode, inventory)
        before = Side(options.before, Path(directory), inventory)
        now = Side("this checkout", PROJECT, inventory)
        for number in range(1, options.rounds + 1):
            print(f"round {number} of {options.rounds}", flush=True)
            for side in (before, now):
                measure(side)
    print(f"\n{'':24} {'median':>8} {'least':>8} {'most':>8} {'tasks run':>10} {'skipped':>8}")
    for side in (before, now):
        median = statistics.median(side.seconds)
        print(
            f"{side.name:24} {median:>7.1f}s {min(side.seconds):>7.1f}s {max(side.seconds):>7.1f}s "
            f"{side.ran:>10} {side.skipped:>8}"
        )
    ratios = [after / first for first, after in zip(before.seconds, now.seconds, strict=True)]
    print(
        f"ratio of the seconds: {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}); of the tasks run: {now.ran / before.ran:.2f}"
    )


if __name__ == "__main__":
    main()
