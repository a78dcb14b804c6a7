"""What can go wrong with an SSH connection or with sudo, as one line with the next command."""

from __future__ import annotations

import os
import shlex
import socket
from pathlib import Path

from paramiko.ssh_exception import (
    AuthenticationException,
    BadHostKeyException,
    NoValidConnectionsError,
    SSHException,
)

from controller.deploy.errors import DeployError
from controller.deploy.inventory import Host
from controller.deploy.key_files import agent_only
from controller.deploy.remote import ConnectionLost, Done

__all__ = ["UnknownHost", "connection_error", "connection_lost", "sudo_error"]


# paramiko's words if no key is accepted: without any, and for the last type it tries a file as.
NO_KEY = ("No authentication methods", "encountered ")
# Its words if the server closes the connection at once, or says nothing.
NO_BANNER = "protocol banner"


class UnknownHost(SSHException):  # type: ignore[misc]  # paramiko has no type information
    """The server's host key is in no known_hosts file."""


def connection_error(host: Host, error: BaseException, proxy_words: str = "") -> DeployError:
    """Return the line for a connection that could not be opened.

    `proxy_words`: what the program said through which it went.
    """
    where = f"{host.name} ({host.user}@{host.address}:{host.port})"
    port = f" -p {host.port}" if host.port != 22 else ""
    ssh = f"ssh{port} {host.user}@{host.alias or host.address}"
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
    if isinstance(error, AuthenticationException) or str(error).startswith(NO_KEY):
        for locked in (key for key in (host.key_file, *host.keys) if key):
            if reason := agent_only(locked):
                return DeployError(
                    f"{where}: the key {locked} {reason}, and ssh-agent has no key that the server "
                    f"accepts: {add_key(locked)}, then rerun the command"
                )
        key = f"the key {host.key_file}" if host.key_file else "your keys"
        return DeployError(
            f"{where} does not accept {key}: check ansible_user and ansible_ssh_private_key_file "
            "in the inventory"
        )
    if host.proxy and proxy_words:
        return DeployError(
            f"{where} cannot be reached through `{host.proxy}` ({proxy_words}): try `{ssh}`"
        )
    if NO_BANNER in str(error) or isinstance(error, EOFError | ConnectionResetError):
        return DeployError(
            f"{where} closes the connection before a login: after some failed logins sshd (OpenSSH "
            f"9.8 and later) refuses an address for up to a few minutes; wait, then try `{ssh}`"
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


def add_key(key: Path) -> str:
    """Return how to give a key to ssh-agent."""
    start = "" if os.environ.get("SSH_AUTH_SOCK") else 'run `eval "$(ssh-agent)"`, then '
    return f"{start}run `ssh-add {shlex.quote(str(key))}`"


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
