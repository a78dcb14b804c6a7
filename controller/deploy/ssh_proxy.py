"""A connection through another program, as ssh makes it for ProxyJump and ProxyCommand."""

from __future__ import annotations

import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

__all__ = ["Proxy", "proxy"]

STOP_SECONDS = 5


class Proxy:
    """A running program, and the socket that is its input and output."""

    def __init__(self, sock: socket.socket, errors: IO[bytes]) -> None:
        self.sock = sock
        self.errors = errors

    def last_line(self) -> str:
        """Return the last line that it wrote to standard error, "" if none."""
        self.errors.seek(0)
        lines = self.errors.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""


@contextmanager
def proxy(command: str) -> Iterator[Proxy]:
    """Run the command while the connection is in use.

    Ctrl-C does not reach it: the task ends in order, over a connection that is still there.
    """
    own, other = socket.socketpair()
    with own, tempfile.TemporaryFile() as errors:
        with other:
            process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 (the user's own ssh configuration, as ssh runs it)
                ["/bin/sh", "-c", f"trap '' INT; exec {command}"],
                stdin=other.fileno(),
                stdout=other.fileno(),
                stderr=errors,
            )
        try:
            yield Proxy(own, errors)
        finally:
            own.close()
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
