"""A server over SSH. Fabric opens the connection; each command gets a channel of its own."""

from __future__ import annotations

import io
import logging
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress

import paramiko
from fabric import Config, Connection
from fabric.runners import Remote as FabricRunner
from paramiko.ssh_exception import SSHException

from controller.deploy import commands
from controller.deploy.connection_errors import connection_error, connection_lost, sudo_error
from controller.deploy.errors import DeployError
from controller.deploy.host_keys import host_keys
from controller.deploy.inventory import Host
from controller.deploy.key_files import agent_of
from controller.deploy.remote import Done
from controller.deploy.ssh_keys import identity
from controller.deploy.ssh_proxy import Proxy, proxy

__all__ = ["SshProcess", "SshRemote", "connect"]

CONNECT_SECONDS = 15
KEEPALIVE_SECONDS = 20
SILENT_SECONDS = 30  # this long without an answer to what was sent: the connection is gone
LOST = (SSHException, OSError, EOFError)

# A lost connection is reported in the task's own line; paramiko would print another one.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class Runner(FabricRunner):  # type: ignore[misc]  # Fabric has no type information
    """Fabric's runner, which also tolerates a command that ends before it has read the password.

    Nothing reads it where sudo needs none (NOPASSWD, with ansible_become_password set).
    """

    def _write_proc_stdin(self, data: bytes) -> None:
        with suppress(OSError):
            super()._write_proc_stdin(data)

    def close_proc_stdin(self) -> None:
        with suppress(OSError):
            super().close_proc_stdin()


@contextmanager
def connect(host: Host) -> Iterator[SshRemote]:
    """Open a connection to the host and close it again; DeployError if it cannot be opened."""
    with proxy(host.proxy) if host.proxy else nullcontext() as through:
        connection = open_connection(host, through)
        try:
            connection.transport.set_keepalive(KEEPALIVE_SECONDS)
            end_silent_connection(connection.transport.sock)
            yield SshRemote(host, connection)
        finally:
            connection.close()


def open_connection(host: Host, through: Proxy | None) -> Connection:
    """Return an open connection; DeployError if it cannot be opened."""
    known = host_keys(host)
    with agent_of(host), identity(host) as arguments:
        if host.password:
            arguments["password"] = host.password
        if through:
            arguments["sock"] = through.sock
        connection = Connection(
            host.address,
            user=host.user,
            port=host.port,
            # Without ~/.ssh/config, which ssh has read already.
            config=Config(
                overrides={"runners": {"remote": Runner}}, ssh_config=paramiko.SSHConfig()
            ),
            connect_timeout=CONNECT_SECONDS,
            connect_kwargs={**arguments, "transport_factory": known.transport},
        )
        connection.client.set_missing_host_key_policy(known)
        try:
            connection.open()
        except (SSHException, OSError, ValueError, EOFError) as error:
            connection.client.close()  # Connection.close() does nothing for one that is not open
            words = through.last_line() if through else ""
            raise connection_error(host, error, words, known.accepted) from None
    return connection


def end_silent_connection(sock: socket.socket) -> None:
    """Make the kernel end a connection whose peer does not answer any more (Linux)."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None and sock.family != socket.AF_UNIX:  # through another program
        sock.setsockopt(socket.IPPROTO_TCP, option, SILENT_SECONDS * 1000)


class SshProcess:
    """A command on a channel of its own."""

    def __init__(self, host: Host, channel: paramiko.Channel) -> None:
        self.host = host
        self.channel = channel
        self.stdout = channel.makefile("rb")

    def send(self, line: str) -> None:
        try:
            self.channel.sendall(line.encode() + b"\n")
        except LOST:
            raise connection_lost(self.host) from None

    def close_input(self) -> None:
        with suppress(*LOST):
            self.channel.shutdown_write()

    def __iter__(self) -> Iterator[str]:
        try:
            while line := self.stdout.readline():
                yield line.decode("utf-8", "replace").rstrip("\n")
        except LOST:
            raise connection_lost(self.host) from None

    def ended(self) -> bool:
        return bool(self.channel.exit_status_ready())

    def wait(self) -> Done:
        stdout = "".join(f"{line}\n" for line in self)
        try:
            stderr = self.channel.makefile_stderr("rb").read().decode("utf-8", "replace")
        except LOST:
            raise connection_lost(self.host) from None
        done = Done(stdout, stderr, self.code())
        if error := sudo_error(self.host, done):
            raise error
        return done

    def code(self) -> int:
        """Wait for its end and return its exit code."""
        code = int(self.channel.recv_exit_status())
        if code < 0:  # paramiko's value for "no exit code was received"
            raise connection_lost(self.host)
        return code

    def close(self) -> None:
        with suppress(*LOST):
            self.channel.close()

    def __enter__(self) -> SshProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SshRemote:
    """A server behind an open Fabric connection."""

    def __init__(self, host: Host, connection: Connection) -> None:
        self.host = host
        self.connection = connection
        self.needs_password: bool | None = None

    def sudo_asks(self) -> bool:
        """Return whether sudo needs the password: without a prompt it would be read as input.

        Asked of the server once, and only where the inventory has a password.
        """
        if not self.host.become_password or self.host.user == "root":
            return False
        if self.needs_password is None:
            with self.process(commands.sudo_is_free()) as process:
                self.needs_password = process.code() != 0
            if self.needs_password:
                self.try_password()
        return self.needs_password

    def try_password(self) -> None:
        """Raise DeployError if sudo does not accept the password.

        It would ask again and take a command's own input for an answer.
        """
        with self.process(commands.as_root(["true"], self.host.user, ask=True)) as process:
            process.send(str(self.host.become_password))
            process.close_input()
            process.wait()

    def start(self, arguments: Sequence[str]) -> SshProcess:
        ask = self.sudo_asks()
        process = self.process(commands.as_root(arguments, self.host.user, ask))
        if ask:
            process.send(str(self.host.become_password))
        return process

    def process(self, command: str) -> SshProcess:
        """Start a command line as the user who is logged in."""
        try:
            channel = self.connection.transport.open_session(timeout=CONNECT_SECONDS)
            channel.exec_command(command)
        except LOST:
            raise connection_lost(self.host) from None
        return SshProcess(self.host, channel)

    def ping(self) -> None:
        transport = self.connection.transport
        try:
            transport.global_request("keepalive@tox-com-det", wait=True)
        except LOST:
            raise connection_lost(self.host) from None
        if not transport.is_active():
            raise connection_lost(self.host)

    def show(self, arguments: Sequence[str]) -> Done:
        ask = self.sudo_asks()
        password = io.StringIO(f"{self.host.become_password}\n") if ask else False
        command = commands.as_root(arguments, self.host.user, ask)
        try:
            result = self.connection.run(command, warn=True, hide=False, in_stream=password)
        except LOST:
            raise connection_lost(self.host) from None
        if result.exited < 0:  # paramiko's value for "no exit code was received"
            raise connection_lost(self.host)
        done = Done(result.stdout, result.stderr, result.exited)
        if error := sudo_error(self.host, done):
            raise error
        return done

    def files(self) -> paramiko.SFTPClient:
        try:
            return self.connection.sftp()
        except LOST as error:
            raise connection_error(self.host, error) from None
        except paramiko.SFTPError as error:
            raise DeployError(
                f"{self.host.name} does not transfer files ({error}): if the shell of "
                f"{self.host.user} prints anything there at login (~/.bashrc), make it print in "
                "interactive sessions alone, then rerun the command"
            ) from None
