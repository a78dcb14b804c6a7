"""What can go wrong with an SSH connection or with sudo, as one line with the next command."""

from __future__ import annotations

import socket

from paramiko.ssh_exception import (
    AuthenticationException,
    BadHostKeyException,
    NoValidConnectionsError,
    SSHException,
)

from controller.deploy.errors import DeployError
from controller.deploy.inventory import Host
from controller.deploy.remote import ConnectionLost, Done

__all__ = ["UnknownHost", "connection_error", "connection_lost", "sudo_error"]


class UnknownHost(SSHException):  # type: ignore[misc]  # paramiko has no type information
    """The server's host key is in no known_hosts file."""


def connection_error(host: Host, error: BaseException) -> DeployError:
    """Return the line for a connection that could not be opened."""
    where = f"{host.name} ({host.user}@{host.address}:{host.port})"
    port = f" -p {host.port}" if host.port != 22 else ""
    ssh = f"ssh{port} {host.user}@{host.address}"
    if isinstance(error, UnknownHost):
        return DeployError(
            f"the host key of {where} is unknown ({error}): compare it with the server's own, then "
            f"accept it with `{ssh}`"
        )
    if isinstance(error, BadHostKeyException):
        target = f"[{host.address}]:{host.port}" if host.port != 22 else host.address
        file = f" -f '{host.known_hosts[0]}'" if host.known_hosts else ""
        return DeployError(
            f"the host key of {where} has changed: if the server was rebuilt, remove the old key "
            f"with `ssh-keygen -R '{target}'{file}` and accept the new one with `{ssh}`; "
            "otherwise this is a possible man-in-the-middle attack"
        )
    if isinstance(error, AuthenticationException) or "No authentication methods" in str(error):
        key = f"the key {host.key_file}" if host.key_file else "your keys"
        return DeployError(
            f"{where} does not accept {key}: check ansible_user and ansible_ssh_private_key_file "
            "in the inventory"
        )
    if isinstance(error, socket.gaierror):
        return DeployError(
            f"{where}: the name cannot be resolved: set ansible_host in the inventory"
        )
    if isinstance(error, NoValidConnectionsError | OSError):
        return DeployError(
            f"{where} cannot be reached ({error}): is it running? "
            "For the local server run `make up`"
        )
    return DeployError(f"the connection to {where} failed: {error or type(error).__name__}")


def connection_lost(host: Host) -> ConnectionLost:
    """Return the line for a connection that was lost during a command."""
    return ConnectionLost(
        f"the connection to {host.name} was lost; what was started on the server runs to its end: "
        "see `fab status`, then rerun the command"
    )


def sudo_error(host: Host, done: Done) -> DeployError | None:
    """Return the line for a sudo that did not run the command, None if it did."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("sudo:")]
    if not (done.code and lines) or lines[-1].endswith("command not found"):
        return None
    return DeployError(
        f"sudo on {host.name} refuses {host.user} ({lines[-1]}): set ansible_become_password in "
        "the inventory (with ansible-vault), or allow NOPASSWD in role sudo_user"
    )
