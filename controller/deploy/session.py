"""An attempt's session on the server: it holds the deploy lock and writes the audit log.

`toxctl session` runs there as long as its standard input is open. Whatever happens to this laptop,
the kernel releases the lock, and the audit log gets the attempt's end.
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
from controller.deploy.remote_toxctl import parse_line
from controller.deploy.server import Server
from controller.deploy.server_settings import PLAYBOOK

__all__ = ["SILENT_SECONDS", "Session", "describe_holder", "is_silent", "locked", "who"]

HEARTBEAT_SECONDS = 5.0
SILENT_SECONDS = 30.0


def who() -> str:
    """Return user@laptop."""
    return f"{getpass.getuser()}@{socket.gethostname().split('.')[0]}"


def describe_holder(holder: Mapping[str, Any]) -> str:
    """Return who holds the deploy lock, with which task, since when and in which phase."""
    since = holder.get("since", "?")
    if isinstance(since, int | float):
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(since))
    since = str(since).replace("T", " ").replace("Z", " UTC")
    words = f"{holder.get('who', 'unknown')} with {holder.get('task', '?')} since {since}"
    return f"{words}, phase {holder['phase']}" if holder.get("phase") else words


def is_silent(holder: Mapping[str, Any]) -> bool:
    """Return whether the holder's laptop has stopped sending heartbeats."""
    silent = holder.get("silent")
    return isinstance(silent, int | float) and silent > SILENT_SECONDS


def locked(name: str, holder: Mapping[str, Any]) -> DeployError:
    """Return the line for a server whose deploy lock somebody else holds."""
    if is_silent(holder):
        hint = (
            f"no heartbeat for {holder['silent']:.0f} s, its laptop is probably gone: run "
            "`fab unlock`"
        )
    else:
        hint = "wait until it has ended (see `fab status`), then rerun the command"
    return DeployError(f"{name} is locked by {describe_holder(holder)}; {hint}")


class Session:
    """The deploy lock and the audit log entry of one attempt on one server."""

    def __init__(self, server: Server, task: str) -> None:
        self.server = server
        self.id = time.strftime("%Y%m%dT%H%M%S-", time.gmtime()) + secrets.token_hex(3)
        self.process = server.remote.start(commands.toxctl("session"))
        self.writing = threading.Lock()
        self.over = threading.Event()
        self.held = False
        self.heartbeat = threading.Thread(target=self.beat, name="session", daemon=True)
        self.send({"id": self.id, "task": task, "who": who()})

    def send(self, value: Mapping[str, Any]) -> None:
        """Write one line to the session."""
        with self.writing:
            self.process.send(json.dumps(value))

    def receive(self) -> dict[str, Any]:
        """Return the session's next answer, {} if it has ended instead."""
        answers = (parse_line(line) for line in self.process)
        # Other lines are of the login shell (`~/.bashrc`).
        return next((one for one in answers if "result" in one or "error" in one), {})

    def open(self) -> None:
        """Wait until the lock is held; DeployError names its holder if it is somebody else.

        Nothing to do for a session that was opened before its attempt began.
        """
        if self.held:
            return
        answer = self.receive()
        if "result" not in answer:
            done = self.process.wait()
            if answer.get("kind") == "locked":
                raise locked(self.server.name, answer.get("holder") or {})
            words = (answer.get("error") or done.stderr.strip() or "no output").splitlines()
            raise DeployError(
                f"no deploy lock could be taken on {self.server.name} ({words[-1]}): {PLAYBOOK} "
                "to upgrade it"
            )
        self.held = True
        self.heartbeat.start()

    def beat(self) -> None:
        """Send a heartbeat now and then until the session is over."""
        while not self.over.wait(HEARTBEAT_SECONDS):
            try:
                with self.writing:
                    if self.over.is_set():
                        return  # nothing follows the end
                    self.process.send("{}")
            except DeployError:
                return  # the next user of the connection notices it too

    def check(self) -> None:
        """Raise DeployError if the lock was taken away, ConnectionLost if the server is gone."""
        self.server.remote.ping()  # whatever the server sent before its answer has arrived by then
        if self.process.ended():
            raise DeployError(
                f"the deploy lock on {self.server.name} was released by `fab unlock`, so this "
                "attempt stops: see `fab status`, then rerun the command"
            )

    def end(self, result: str, reason: str | None) -> bool:
        """Write the audit log's end and release the lock; return whether that arrived."""
        self.over.set()
        with suppress(DeployError):
            self.send({"end": {"result": result, "reason": reason}})
            return "result" in self.receive() and self.process.wait().code == 0
        return False

    def close(self) -> None:
        """Let go of the session; without `end` the server records it as interrupted."""
        self.over.set()
        self.process.close()
        if self.heartbeat.is_alive():
            self.heartbeat.join(1)
