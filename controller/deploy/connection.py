"""One server over SSH: commands, commands as another user, files. Fabric does the talking."""

from __future__ import annotations

import io
import logging
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import paramiko
from fabric import Config, Connection
from fabric.runners import Remote as FabricRunner
from paramiko.ssh_exception import (
    AuthenticationException,
    BadHostKeyException,
    NoValidConnectionsError,
    SSHException,
)

from controller.deploy import commands
from controller.deploy.errors import DeployError
from controller.deploy.inventory import Host

__all__ = ["ConnectionLost", "Done", "Process", "Remote", "SshRemote", "connect"]

CONNECT_SECONDS = 15
KEEPALIVE_SECONDS = 20
SILENT_SECONDS = 30  # this long without an answer to what was sent: the connection is gone

# What becomes of a connection is told in the tasks' own line; paramiko would print one of its own.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class ConnectionLost(DeployError):
    """The connection went away under a command; what runs on the server goes on."""


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
        """Write a line to its standard input; ConnectionLost when nobody is there."""

    def close_input(self) -> None:
        """Tell it that no more lines come."""

    def __iter__(self) -> Iterator[str]:
        """Yield its lines of standard output until it ends."""

    def ended(self) -> bool:
        """Return whether it has ended, as far as is known here."""

    def wait(self) -> Done:
        """Read what is left of its output and return that with its exit code."""

    def close(self) -> None:
        """Let go of it."""

    def __enter__(self) -> Process: ...

    def __exit__(self, *_: object) -> None: ...


class Remote(Protocol):
    """A server as the tasks see it; the tests have one that is a local directory."""

    host: Host

    def run(self, command: str) -> Done:
        """Run a command line as the user who is logged in."""

    def run_as(self, arguments: Sequence[str], user: str = "root", stream: bool = False) -> Done:
        """Run words as another user; `stream` shows their output while they run."""

    def start(self, arguments: Sequence[str], user: str = "root") -> Process:
        """Start words as another user and come back at once."""

    def ping(self) -> None:
        """Hear from the server once; ConnectionLost when it is not there."""

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


class Runner(FabricRunner):
    """Fabric's runner, at ease with a command that ends before it has read the password.

    Where sudo needs none (NOPASSWD, and ansible_become_password set all the same) nobody reads it.
    """

    def _write_proc_stdin(self, data: bytes) -> None:
        with suppress(OSError):
            super()._write_proc_stdin(data)

    def close_proc_stdin(self) -> None:
        with suppress(OSError):
            super().close_proc_stdin()


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
        file = f" -f '{host.known_hosts[0]}'" if host.known_hosts else ""
        return DeployError(
            f"the key of {where} has changed: if the server was rebuilt, type `ssh-keygen -R "
            f"'{target}'{file}` and take in the new one with "
            f"`ssh{port} {host.user}@{host.address}`; otherwise somebody sits in between"
        )
    if isinstance(error, AuthenticationException) or "No authentication methods" in str(error):
        key = f"the key {host.key_file}" if host.key_file else "your keys"
        return DeployError(
            f"{where} does not accept {key}: look at ansible_user and "
            "ansible_ssh_private_key_file of the inventory"
        )
    if isinstance(error, socket.gaierror):
        return DeployError(f"{where}: this name has no address: set ansible_host in the inventory")
    if isinstance(error, NoValidConnectionsError | OSError):
        return DeployError(
            f"{where} cannot be reached ({error}): is it running? "
            "For the local server type `make up`"
        )
    return DeployError(f"the connection to {where} failed: {error or type(error).__name__}")


def broken_off(host: Host) -> ConnectionLost:
    """Return the line for a connection that went away under a command."""
    return ConnectionLost(
        f"the connection to {host.name} broke off; what runs there goes on to its end: "
        "see `fab status`, then type the same again"
    )


def identity(host: Host) -> dict[str, Any]:
    """Return what paramiko's connect is told about the key to log in with.

    A key with a passphrase is left to ssh-agent, as Ansible's ssh does. Loaded here, since
    paramiko itself tries a key file as every type and tells the last type's failure.
    """
    if host.key_file is None:
        return {}
    try:
        key = paramiko.PKey.from_path(host.key_file)
    except TypeError:  # a passphrase is needed
        return {"look_for_keys": False}
    except OSError as error:
        raise DeployError(
            f"the key file {host.key_file} of {host.name} cannot be read ({error.strerror}): "
            "look at ansible_ssh_private_key_file of the inventory"
        ) from None
    except Exception as error:  # cryptography and paramiko each have their own families
        raise DeployError(
            f"the key file {host.key_file} of {host.name} is no private key ({error}): look at "
            "ansible_ssh_private_key_file of the inventory"
        ) from None
    return {"pkey": key, "look_for_keys": False, "allow_agent": False}


@contextmanager
def connect(host: Host) -> Iterator[SshRemote]:
    """Open a connection to the host and close it again; DeployError when that cannot be."""
    known = identity(host)
    if host.password:
        known["password"] = host.password
    connection = Connection(
        host.address,
        user=host.user,
        port=host.port,
        config=Config(overrides={"runners": {"remote": Runner}}),
        connect_timeout=CONNECT_SECONDS,
        connect_kwargs=known,
    )
    load_known_hosts(connection.client, host)
    try:
        connection.open()
    except (SSHException, OSError, ValueError) as error:
        connection.client.close()  # Connection.close() does nothing for one that is not open
        raise connection_error(host, error) from None
    try:
        connection.transport.set_keepalive(KEEPALIVE_SECONDS)
        give_up_on_silence(connection.transport.sock)
        yield SshRemote(host, connection)
    finally:
        connection.close()


def give_up_on_silence(sock: socket.socket) -> None:
    """Let the kernel end a connection whose other side does not answer any more (Linux)."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        sock.setsockopt(socket.IPPROTO_TCP, option, SILENT_SECONDS * 1000)


def refused_by_sudo(host: Host, done: Done) -> DeployError | None:
    """Return the line for a sudo that did not let the command run, None when it did."""
    sudo = [line for line in done.stderr.splitlines() if line.startswith("sudo:")]
    if not (done.code and sudo):
        return None
    return DeployError(
        f"sudo on {host.name} refuses {host.user} ({sudo[-1]}): set "
        "ansible_become_password in the inventory (with ansible-vault), "
        "or allow NOPASSWD in role sudo_user"
    )


class SshProcess:
    """A command on a channel of its own."""

    def __init__(self, host: Host, channel: paramiko.Channel) -> None:
        self.host = host
        self.channel = channel
        self.stdout = channel.makefile("rb")

    def send(self, line: str) -> None:
        try:
            self.channel.sendall(line.encode() + b"\n")
        except (SSHException, OSError, EOFError):
            raise broken_off(self.host) from None

    def close_input(self) -> None:
        with suppress(SSHException, OSError, EOFError):
            self.channel.shutdown_write()

    def __iter__(self) -> Iterator[str]:
        try:
            while line := self.stdout.readline():
                yield line.decode("utf-8", "replace").rstrip("\n")
        except (SSHException, OSError, EOFError):
            raise broken_off(self.host) from None

    def ended(self) -> bool:
        return self.channel.exit_status_ready()

    def wait(self) -> Done:
        stdout = "".join(f"{line}\n" for line in self)
        try:
            stderr = self.channel.makefile_stderr("rb").read().decode("utf-8", "replace")
        except (SSHException, OSError, EOFError):
            raise broken_off(self.host) from None
        done = Done(stdout, stderr, self.code())
        if refusal := refused_by_sudo(self.host, done):
            raise refusal
        return done

    def code(self) -> int:
        """Wait for its end and return its exit code."""
        code = self.channel.recv_exit_status()
        if code < 0:  # paramiko's word for "no exit code came"
            raise broken_off(self.host)
        return code

    def close(self) -> None:
        with suppress(SSHException, OSError, EOFError):
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
        self.asked: dict[str, bool] = {}

    def run(self, command: str) -> Done:
        with self.process(command) as process:
            return process.wait()

    def asks(self, user: str) -> bool:
        """Return whether sudo wants the password, so that nobody else gets it as a line of input.

        Asked of the server once for each user, and only where the inventory has a password.
        """
        if not self.host.become_password or self.host.user in ("root", user):
            return False
        if user not in self.asked:
            with self.process(commands.sudo_is_free(user)) as process:
                self.asked[user] = process.code() != 0
            if self.asked[user]:
                self.try_password(user)
        return self.asked[user]

    def try_password(self, user: str) -> None:
        """Raise DeployError when sudo does not take the password.

        It would ask again and take a command's own input for an answer.
        """
        command = commands.as_user(["true"], self.host.user, user, ask=True)
        with self.process(command) as process:
            process.send(str(self.host.become_password))
            process.close_input()
            process.wait()

    def run_as(self, arguments: Sequence[str], user: str = "root", stream: bool = False) -> Done:
        if not stream:
            with self.start(arguments, user) as process:
                return process.wait()
        ask = self.asks(user)
        command = commands.as_user(arguments, self.host.user, user, ask)
        done = self.show(command, f"{self.host.become_password}\n" if ask else None)
        if refusal := refused_by_sudo(self.host, done):
            raise refusal
        return done

    def start(self, arguments: Sequence[str], user: str = "root") -> SshProcess:
        ask = self.asks(user)
        process = self.process(commands.as_user(arguments, self.host.user, user, ask))
        if ask:
            process.send(str(self.host.become_password))
        return process

    def process(self, command: str) -> SshProcess:
        """Start a command line as the user who is logged in."""
        try:
            channel = self.connection.transport.open_session(timeout=CONNECT_SECONDS)
            channel.exec_command(command)
        except (SSHException, OSError, EOFError):
            raise broken_off(self.host) from None
        return SshProcess(self.host, channel)

    def ping(self) -> None:
        transport = self.connection.transport
        try:
            transport.global_request("keepalive@tox-com-det", wait=True)
        except (SSHException, OSError, EOFError):
            raise broken_off(self.host) from None
        if not transport.is_active():
            raise broken_off(self.host)

    def show(self, command: str, send: str | None) -> Done:
        """Run a command line whose output is shown as it comes."""
        try:
            result = self.connection.run(
                command,
                warn=True,
                hide=False,
                in_stream=io.StringIO(send) if send is not None else False,
            )
        except (SSHException, OSError, EOFError):
            raise broken_off(self.host) from None
        if result.exited < 0:  # paramiko's word for "no exit code came"
            raise broken_off(self.host)
        return Done(result.stdout, result.stderr, result.exited)

    def files(self) -> paramiko.SFTPClient:
        try:
            return self.connection.sftp()
        except (SSHException, OSError, EOFError) as error:
            raise connection_error(self.host, error) from None
