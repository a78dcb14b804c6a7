"""A stand-in of HAProxy's runtime API: the commands that toxctl uses, answered as 2.6 does."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

# The columns of HAProxy 2.6 that toxctl reads, and some of the others, in HAProxy's order.
COLUMNS = (
    "pxname",
    "svname",
    "qcur",
    "scur",
    "slim",
    "status",
    "check_status",
    "check_code",
    "addr",
)


class FakeHaproxy:
    """App hosts with a status, running requests and a health check.

    Attributes:
        hosts: name -> [status, running requests, whether its health check passes].
        asked: every command, in order.
    """

    def __init__(self, path: Path, *names: str) -> None:
        self.path = path
        self.hosts: dict[str, list[object]] = {name: ["UP", 0, True] for name in names}
        self.asked: list[str] = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                command = connection.recv(1 << 12).decode().strip()
                self.asked.append(command)
                connection.sendall(self.answer(command).encode())

    def answer(self, command: str) -> str:
        if command == "show stat":
            return self.table()
        target, _, state = command.removeprefix("set server ").partition(" state ")
        host = self.hosts.get(target.removeprefix("app/"))
        if host is None:
            return "No such server.\n\n"
        up = "UP" if host[2] else "DOWN"
        host[0] = "DRAIN" if state == "drain" else up
        return "\n"

    def table(self) -> str:
        rows = [("public", "FRONTEND", "", "0", "9985", "OPEN", "", "", "")]
        for name, (status, running, passes) in self.hosts.items():
            check = ("L7OK", "200") if passes else ("L7STS", "503")
            rows.append(("app", name, "0", str(running), "", str(status), *check, "192.0.2.1:80"))
            self.hosts[name][1] = max(int(str(running)) - 1, 0)  # one ends at every look
        rows.append(("app", "BACKEND", "0", "0", "999", "UP", "", "", ""))
        lines = [",".join([*row, ""]) for row in [COLUMNS, *rows]]
        return "# " + "\n".join(lines) + "\n\n"

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)
