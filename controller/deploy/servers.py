"""The servers of the inventory, each with an open connection and its own settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.deploy import commands
from controller.deploy.connection import Remote, connect
from controller.deploy.errors import DeployError
from controller.deploy.inventory import Host, read_hosts
from controller.deploy.server import SERVER_JSON, ServerConfig

__all__ = ["Server", "bundle_path", "open_server", "servers"]


class Server:
    """One server of the inventory with an open connection and its own settings."""

    def __init__(self, remote: Remote) -> None:
        done = remote.run(commands.read_file())
        if done.code:
            raise DeployError(
                f"{remote.host.name} has no {SERVER_JSON}, so it is not set up yet: "
                "type `ansible-playbook site.yml`"
            )
        self.remote = remote
        self.name = remote.host.name
        self.config = ServerConfig.parse(done.stdout, remote.host.name)

    @property
    def url(self) -> str:
        """Where people reach the service."""
        return self.config.url(self.remote.host.address)

    def say(self, line: str) -> None:
        """Print what is going on, with the server's name."""
        print(f"{self.name}: {line}", flush=True)


@contextmanager
def open_server(host: Host) -> Iterator[Server]:
    """Connect to a host and read what it says about itself."""
    with connect(host) as remote:
        yield Server(remote)


def servers(inventory: str | None, limit: str | None) -> Iterator[Server]:
    """Yield the inventory's servers one after the other, each connected while it is in use."""
    for host in read_hosts(inventory, limit):
        with open_server(host) as server:
            yield server


def bundle_path(given: str | None, default: Path) -> Path:
    """Return where the bundle is: as given from the user's directory, or the default."""
    return Path(given).expanduser().absolute() if given else default
