"""Scans of all processes for secrets while a command runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Canary, Server

SAMPLER = Path(__file__).with_name("sampler.py").read_text()
HANG_SECONDS = 600


@contextmanager
def watched_processes(server: Server, canary: Canary) -> Iterator[dict[str, str]]:
    """Scan all processes of the controller and the server for secrets while the block runs."""
    commands = {
        "controller": [sys.executable, "-c", SAMPLER],
        "server": server.engine.command("exec", "-i", server.container, "python3", "-c", SAMPLER),
    }
    running: dict[str, subprocess.Popen[str]] = {}
    found: dict[str, str] = {}
    try:
        for place, command in commands.items():
            running[place] = subprocess.Popen(  # noqa: S603 (built above)
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            running[place].stdin.write("\n".join(canary.needles()) + "\n\n")
            running[place].stdin.flush()
        yield found
    finally:
        # A sampler ends when its standard input is closed.
        for place, sampler in running.items():
            found[place] = sampler.communicate(timeout=HANG_SECONDS)[0]


def assert_no_secret_was_visible(found: dict[str, str]) -> None:
    assert set(found) == {"controller", "server"}
    for place, text in found.items():
        lines = text.splitlines()
        assert not [line for line in lines if line.startswith("LEAK")], place
        # Not a rate: on a machine that is slow, what is scanned takes longer as well.
        assert int(lines[-1].split()[1]) > 20, f"too few scans on the {place}: {lines}"
