"""A laptop's session with toxctl, and what others see of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fake_server import FakeServer

__all__ = ["Session", "history", "holder", "session", "wait_for_phase"]

HANG_SECONDS = 300


class Session:
    """A session: lines in, lines out."""

    def __init__(self, server: FakeServer, identity: str, who: str) -> None:
        self.process = server.start("--json", "session", talks=True)
        self.send({"id": identity, "task": "deploy-model", "who": who})
        self.first = self.read()

    def send(self, message: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def hang_up(self) -> None:
        """Close the connection without a word."""
        assert self.process.stdin is not None
        self.process.stdin.close()


@contextmanager
def session(
    server: FakeServer, identity: str = "a1", who: str = "anna@laptop"
) -> Iterator[Session]:
    """Open a session; it is killed at the end."""
    one = Session(server, identity, who)
    try:
        yield one
    finally:
        one.process.kill()
        for pipe in (one.process.stdin, one.process.stdout, one.process.stderr):
            assert pipe is not None
            pipe.close()
        one.process.wait()


def history(server: FakeServer) -> list[dict[str, Any]]:
    """The audit log, the newest first."""
    return server.json("history").result["attempts"]


def holder(server: FakeServer) -> dict[str, Any] | None:
    """Who holds the deploy lock."""
    return server.json("lock").result["holder"]


def wait_for_phase(server: FakeServer, phase: str) -> None:
    """Wait until the session has taken a phase."""
    limit = time.monotonic() + HANG_SECONDS
    while (holder(server) or {}).get("phase") != phase:
        assert time.monotonic() < limit, f"no phase {phase}"
        time.sleep(0.02)
