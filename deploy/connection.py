"""One server over SSH: commands, commands as another user, files. Fabric does the talking."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import invoke
import paramiko
from fabric import Connection
from paramiko.ssh_exception import (
    AuthenticationException,
    BadHostKeyException,
    NoValidConnectionsError,
    SSHException,
)

from deploy import commands
from deploy.errors import DeployError
from deploy.inventory import Host

__all__ = ["Done", "Remote", "SshRemote", "connect"]

CONNECT_SECONDS = 15
KEEPALIVE_SECONDS = 20


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit code."""

    stdout: str
    stderr: str
    code: int


class Files(Protocol):
    """The part of SFTP an upload needs."""

    def open(self, filename: str, mode: str) -> Any: ...


class Remote(Protocol):
    """A server as the tasks see it; the tests have one that is a local directory."""

    host: Host

    def run(self, command: str) -> Done:
        """Run a command line as the user who is logged in."""

    def run_as(self, arguments: Sequence[str], user: str = "root", stream: bool = False) -> Done:
        """Run words as another user; `stream` shows their output while they run."""

    def files(self) -> Files:
        """Return the files of the server, as the user who is logged in."""


class UnknownHost(SSHException):
    """The server's key is in no known_hosts file."""


class Reject(paramiko.MissingHostKeyPolicy):
    """Never talk to a server whose key nobody has vouched for."""

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        raise UnknownHost(f"{key.get_name()} {key.fingerprint}")


def load_known_hosts(client: paramiko.SSHClient, host: Host) -> None:
    """Make the client know the keys of the inventory's file, or the user's and the system's."""
    client.set_missing_host_key_policy(Reject())
    own = (Path("~/.ssh/known_hosts").expanduser(), Path("/etc/ssh/ssh_known_hosts"))
    for path in host.known_hosts or own:
        if path.is_file():
            client.load_system_host_keys(str(path))


def connection_error(host: Host, error: BaseException) -> DeployError:
    """Return an SSH failure as one line with the next command."""
    where = f"{host.name} ({host.user}@{host.address}:{host.port})"
    port = f" -p {host.port}" if host.port != 22 else ""
    target = f"[{host.address}]:{host.port}" if host.port != 22 else host.address
    if isinstance(error, UnknownHost):
        keyscan = f"ssh{port} {host.user}@{host.address}"
        return DeployError(
            f"the key of {where} is not known ({error}): compare it with the server's own, then "
            f"take it in with `{keyscan}`"
        )
    if isinstance(error, BadHostKeyException):
        return DeployError(
            f"the key of {where} has changed: if the server was rebuilt, type `ssh-keygen -R "
            f"'{target}'` and take in the new one with `ssh{port} {host.user}@{host.address}`; "
            "otherwise somebody sits in between"
        )
    if isinstance(error, AuthenticationException):
        key = f"the key {host.key_file}" if host.key_file else "your keys"
        return DeployError(
            f"{where} does not accept {key}: look at ansible_user and "
            "ansible_ssh_private_key_file of the inventory"
        )
    if isinstance(error, socket.gaierror):
        return DeployError(f"{where}: this name has no address: set ansible_host in the inventory")
    if isinstance(error, FileNotFoundError):
        return DeployError(
            f"the key file {error.filename} of {where} is not there: look at "
            "ansible_ssh_private_key_file of the inventory"
        )
    if isinstance(error, NoValidConnectionsError | OSError):
        return DeployError(
            f"{where} cannot be reached ({error}): is it running? "
            "For the local server type `make up`"
        )
    return DeployError(f"the connection to {where} failed: {error or type(error).__name__}")


@contextmanager
def connect(host: Host) -> Iterator[SshRemote]:
    """Open a connection to the host and close it again; DeployError when that cannot be."""
    known: dict[str, Any] = {}
    if host.key_file:
        known = {"key_filename": str(host.key_file), "look_for_keys": False, "allow_agent": False}
    if host.password:
        known["password"] = host.password
    connection = Connection(
        host.address,
        user=host.user,
        port=host.port,
        connect_timeout=CONNECT_SECONDS,
        connect_kwargs=known,
    )
    load_known_hosts(connection.client, host)
    try:
        connection.open()
    except (SSHException, OSError, ValueError) as error:
        raise connection_error(host, error) from None
    try:
        connection.transport.set_keepalive(KEEPALIVE_SECONDS)
        yield SshRemote(host, connection)
    finally:
        connection.close()


class SshRemote:
    """A server behind an open Fabric connection."""

    def __init__(self, host: Host, connection: Connection) -> None:
        self.host = host
        self.connection = connection

    def run(self, command: str) -> Done:
        return self.call(command)

    def run_as(self, arguments: Sequence[str], user: str = "root", stream: bool = False) -> Done:
        ask = bool(self.host.become_password) and self.host.user != "root"
        command = commands.as_user(arguments, self.host.user, user, ask)
        done = self.call(command, f"{self.host.become_password}\n" if ask else None, stream)
        sudo = [line for line in done.stderr.splitlines() if line.startswith("sudo:")]
        if done.code and sudo:
            raise DeployError(
                f"sudo on {self.host.name} refuses {self.host.user} ({sudo[-1]}): set "
                "ansible_become_password in the inventory (with ansible-vault), "
                "or allow NOPASSWD in role sudo_user"
            )
        return done

    def call(self, command: str, send: str | None = None, stream: bool = False) -> Done:
        try:
            result = self.connection.run(
                command,
                warn=True,
                hide=not stream,
                in_stream=io.StringIO(send) if send is not None else False,
            )
        except invoke.exceptions.UnexpectedExit as error:
            return Done(error.result.stdout, error.result.stderr, error.result.exited)
        except (SSHException, OSError, EOFError) as error:
            raise connection_error(self.host, error) from None
        return Done(result.stdout, result.stderr, result.exited)

    def files(self) -> paramiko.SFTPClient:
        try:
            return self.connection.sftp()
        except (SSHException, OSError, EOFError) as error:
            raise connection_error(self.host, error) from None
