"""A server as the tasks see it: commands that run as root, and files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from controller.deploy.errors import DeployError
from controller.deploy.inventory import Host

__all__ = ["ConnectionLost", "Done", "Files", "Process", "Remote"]


class ConnectionLost(DeployError):
    """The connection was lost during a command; what runs on the server continues."""


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit code."""

    stdout: str
    stderr: str
    code: int


class Files(Protocol):
    """The part of SFTP an upload needs."""

    def open(self, filename: str, mode: str) -> Any: ...


class Process(Protocol):
    """A command that is running on a server: lines go in, lines come out while it runs.

    As a context manager it is let go of at the end: its input and output close, it is not killed.
    """

    def send(self, line: str) -> None:
        """Write a line to its standard input; ConnectionLost if the server is gone."""

    def close_input(self) -> None:
        """Close its standard input."""

    def __iter__(self) -> Iterator[str]:
        """Yield its lines of standard output until it ends."""

    def ended(self) -> bool:
        """Return whether it has ended, as far as the laptop has heard."""

    def wait(self) -> Done:
        """Read what is left of its output and return that with its exit code."""

    def close(self) -> None:
        """Let go of it."""

    def __enter__(self) -> Process: ...

    def __exit__(self, *_: object) -> None: ...


class Remote(Protocol):
    """A server with an open connection; the tests have one that is a local directory."""

    @property
    def host(self) -> Host:
        """How the connection was made."""

    def start(self, arguments: Sequence[str]) -> Process:
        """Start words as root and return at once."""

    def show(self, arguments: Sequence[str]) -> Done:
        """Run words as root and show their output while they run."""

    def ping(self) -> None:
        """Make one round trip to the server; ConnectionLost if there is no answer."""

    def files(self) -> Files:
        """Return the server's files, with the rights of the user who is logged in."""
