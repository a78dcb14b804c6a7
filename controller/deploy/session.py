"""An attempt's session on the server: it holds the lock and writes the line of the audit.

`releasectl session` runs there as long as its standard input is open. Whatever becomes of this
laptop, the kernel gives the lock back, and the audit gets its end.
"""

from __future__ import annotations

import getpass
import json
import secrets
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from controller.deploy import commands
from controller.deploy.errors import DeployError
from controller.deploy.servers import Server
from controller.deploy.tools import parse_line

__all__ = ["SILENT_SECONDS", "Session", "holder_words", "locked", "who"]

BEAT_SECONDS = 5.0
SILENT_SECONDS = 30.0


def who() -> str:
    """Return user@laptop."""
    return f"{getpass.getuser()}@{socket.gethostname().split('.')[0]}"


def holder_words(holder: Mapping[str, Any]) -> str:
    """Return a holder of the lock in words: who, which task, since when, phase."""
    since = holder.get("since", "?")
    if isinstance(since, int | float):
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(since))
    since = str(since).replace("T", " ").replace("Z", " UTC")
    words = f"{holder.get('who', 'somebody')} with {holder.get('task', '?')} since {since}"
    return f"{words}, phase {holder['phase']}" if holder.get("phase") else words


def is_silent(holder: Mapping[str, Any]) -> bool:
    """Return whether the holder's laptop gives no sign of life any more."""
    silent = holder.get("silent")
    return isinstance(silent, int | float) and silent > SILENT_SECONDS


def locked(name: str, holder: Mapping[str, Any]) -> DeployError:
    """Return the line for a server that somebody else is deploying to."""
    if is_silent(holder):
        rest = (
            f"nothing was heard for {holder['silent']:.0f} s, its laptop is probably gone: "
            "`fab unlock`"
        )
    else:
        rest = "wait until that has ended, then type the same again (`fab status` shows it)"
    return DeployError(f"{name} is locked by {holder_words(holder)}; {rest}")


class Session:
    """The lock and the audit line of one attempt on one server."""

    def __init__(self, server: Server, task: str) -> None:
        self.server = server
        self.id = time.strftime("%Y%m%dT%H%M%S-", time.gmtime()) + secrets.token_hex(3)
        self.process = server.remote.start(commands.releasectl(server.config, "session"))
        self.writing = threading.Lock()
        self.over = threading.Event()
        self.beat = threading.Thread(target=self.live, name="session", daemon=True)
        self.send({"id": self.id, "task": task, "who": who()})

    def send(self, value: Mapping[str, Any]) -> None:
        """Write one line to the session."""
        with self.writing:
            self.process.send(json.dumps(value))

    def hear(self) -> dict[str, Any]:
        """Return the session's next answer, {} when it has ended instead."""
        return next((parse_line(line) for line in self.process), {})

    def open(self) -> None:
        """Wait until the lock is held; DeployError names who else has it."""
        answer = self.hear()
        if "result" not in answer:
            done = self.process.wait()
            if answer.get("kind") == "locked":
                raise locked(self.server.name, answer.get("holder") or {})
            words = (answer.get("error") or done.stderr.strip() or "it said nothing").splitlines()
            raise DeployError(
                f"{self.server.name} gives no lock for a deploy ({words[-1]}): bring it up to date "
                "with `ansible-playbook site.yml --tags flask_app`"
            )
        self.beat.start()

    def live(self) -> None:
        """Give a sign of life now and then, until the session is over."""
        while not self.over.wait(BEAT_SECONDS):
            try:
                self.send({})
            except DeployError:
                return  # whoever uses the connection next sees it too

    def check(self) -> None:
        """Raise DeployError when the lock is not ours any more; ConnectionLost without a server."""
        self.server.remote.ping()  # what the server sent before its answer to this is here then
        if self.process.ended():
            raise DeployError(
                f"the lock on {self.server.name} was taken away (`fab unlock`), so this stops "
                "here: see `fab status`, then type the same again"
            )

    def end(self, result: str, reason: str | None) -> bool:
        """Write the audit's end and give the lock back; return whether that arrived."""
        self.over.set()
        with suppress(DeployError):
            self.send({"end": {"result": result, "reason": reason}})
            return "result" in self.hear() and self.process.wait().code == 0
        return False

    def close(self) -> None:
        """Let go of the session; without `end` the server writes that it was interrupted."""
        self.over.set()
        self.process.close()
        if self.beat.is_alive():
            self.beat.join(1)
