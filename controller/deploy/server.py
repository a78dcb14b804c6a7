"""The servers of the inventory, each with an open connection and what toxctl reports about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from controller.deploy.balancer import Balancer
from controller.deploy.connection import connect
from controller.deploy.inventory import Host
from controller.deploy.remote import Remote
from controller.deploy.remote_toxctl import ToxctlCall, ToxctlError
from controller.deploy.server_settings import ServerSettings
from controller.deploy.typed import completed

if TYPE_CHECKING:
    from controller.deploy.session import Session

__all__ = ["Server", "opened"]


class Server:
    """One server with an open connection.

    Attributes:
        status: what `toxctl status --quick` reported when the connection was opened.
        settings: the server's settings, out of the status.
        balancers: those that send it requests; it is out of them while it switches.
        others: the other app hosts of its cluster, for a task that asks them (`Reach.others`).
        switched: whether the task has switched it, and it has not gone back since.
        reserved: the session of an attempt that begins later, which holds the deploy lock already.
    """

    balancers: Sequence[Balancer] = ()
    others: Sequence[Host] = ()
    switched: bool = False
    reserved: Session | None = None

    def __init__(self, remote: Remote) -> None:
        """Ask for the status; DeployError if the server has no toxctl, or an old one."""
        self.remote = remote
        self.name = remote.host.name
        try:
            self.status: dict[str, Any] = self.toxctl("status", "--quick").result()
        except ToxctlError as error:  # toxctl does not know the inventory's name of its server
            error.args = (f"{self.name}: {error}",)
            raise
        self.settings = ServerSettings.from_status(self.status, self.name)

    @property
    def url(self) -> str:
        """The service's public address."""
        return self.settings.url(self.remote.host.address)

    @property
    def pin(self) -> str | None:
        """SHA-256 of the certificate to accept where no public authority vouches for it.

        It came over SSH.
        """
        certificate = self.status.get("certificate")
        return certificate.get("pin") if certificate else None

    def toxctl(self, *arguments: str, stdin: Any = None) -> ToxctlCall:
        """Start a verb of toxctl; `stdin` is sent to it as one JSON value."""
        return ToxctlCall(self.remote, self.say, *arguments, stdin=stdin)

    def say(self, line: str) -> None:
        """Print a line with the server's name before it."""
        print(f"{self.name}: {completed(line)}", flush=True)


@contextmanager
def opened(host: Host) -> Iterator[Server]:
    """Open a connection to a server of the inventory, and close it again."""
    with connect(host) as remote:
        yield Server(remote)
