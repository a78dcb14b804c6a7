"""What can go wrong with an SSH connection or with sudo, as one line with the next command."""

from __future__ import annotations

import os
import re
import shlex
import socket
from pathlib import Path

from paramiko.ssh_exception import AuthenticationException, NoValidConnectionsError

from controller.deploy.commands import TOXCTL
from controller.deploy.errors import DeployError
from controller.deploy.host_keys import ChangedHostKey, RevokedHostKey, UnknownHost
from controller.deploy.inventory import Host
from controller.deploy.key_files import agent_keys, agent_of, agent_only, default_keys, in_agent
from controller.deploy.remote import ConnectionLost, Done
from controller.deploy.ssh_command import accepting_command, ssh_command

__all__ = ["connection_error", "connection_lost", "sudo_error"]


# paramiko's words if no key is accepted: without any, and for the last type it tries a file as.
NO_KEY = ("No authentication methods", "encountered ")
# Its words if the server ends the login, for the key that was offered and for the one after it.
ENDED = ("transport shut down", "No existing session")
# Its words if the server closes the connection at once, or says nothing.
NO_BANNER = "protocol banner"
# sudo's line for what hinders no command; it may be followed by a refusal.
HINT = "unable to resolve host"


def connection_error(
    host: Host, error: BaseException, proxy_words: str = "", login_begun: bool = False
) -> DeployError:
    """Return the line for a connection that could not be opened.

    `proxy_words`: what the program said through which it went. `login_begun`: the host key had been
    accepted.
    """
    where = f"{host.name} ({host.user}@{host.address}:{host.port})"
    ssh = ssh_command(host)
    if isinstance(error, UnknownHost | ChangedHostKey | RevokedHostKey):
        return host_key_error(host, where, error)
    closed = isinstance(error, EOFError | ConnectionResetError | BrokenPipeError)
    ended = (login_begun and closed) or any(words in str(error) for words in ENDED)
    if isinstance(error, AuthenticationException) or str(error).startswith(NO_KEY) or ended:
        return login_error(host, where, ended)
    if host.proxy and proxy_words:
        return DeployError(
            f"{where} cannot be reached through `{host.proxy}` ({proxy_words}): try `{ssh}`"
        )
    if NO_BANNER in str(error) or closed:
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


def host_key_error(
    host: Host, where: str, error: UnknownHost | ChangedHostKey | RevokedHostKey
) -> DeployError:
    """Return the line for a host key that is not accepted."""
    if isinstance(error, UnknownHost):
        kind = "rsa-sha2-512" if error.kind == "ssh-rsa" else error.kind
        ssh = accepting_command(host, kind if error.by_authority else None)
        return DeployError(
            f"the host key of {where} is unknown ({error}): compare it with the server's own, then "
            f"accept it with `{ssh}`"
        )
    line = f"line {error.line.number} of {error.line.path}"
    if isinstance(error, RevokedHostKey):
        return DeployError(
            f"the host key of {where} is revoked by {line}: give the server another one; remove "
            "that line only if it is there by mistake"
        )
    target, file = shlex.quote(error.name), shlex.quote(str(error.line.path))
    remove = f"the old key with `ssh-keygen -R {target} -f {file}`"
    return DeployError(
        f"the host key of {where} has changed: if the server was rebuilt, remove "
        f"{line if error.line.has_pattern else remove} and accept the new one with "
        f"`{accepting_command(host)}`; otherwise this is a possible man-in-the-middle attack"
    )


def login_error(host: Host, where: str, ended: bool) -> DeployError:
    """Return the line for a login without an accepted key.

    `ended`: the server closed the connection before every key was tried.
    """
    with agent_of(host), agent_keys() as held:
        for key in [host.key_file] if host.key_file else host.keys or default_keys():
            if (reason := agent_only(key)) and not in_agent(key, held):
                return DeployError(
                    f"{where}: the key {key} {reason}, and ssh-agent has no key that the server "
                    f"accepts: {add_key(host, key)}, then rerun the command"
                )
    if ended and not host.key_file and len(held) > 1:
        return DeployError(
            f"{where} ended the login before the right key was tried: ssh-agent has {len(held)} "
            "keys, and sshd takes 6 tries or fewer; set ansible_ssh_private_key_file in the "
            "inventory to the right one, or to its .pub file"
        )
    named = f"the key {host.key_file}" if host.key_file else "your keys"
    return DeployError(
        f"{where} does not accept {named}: check ansible_user and ansible_ssh_private_key_file "
        "in the inventory"
    )


def add_key(host: Host, key: Path) -> str:
    """Return how to give a key to the agent of the host."""
    private = key.with_suffix("") if key.suffix == ".pub" else key
    if not private.is_file():
        return "load its private half into the agent (`ssh-add -L` lists what it has)"
    add = f"ssh-add {shlex.quote(str(private))}"
    with agent_of(host):
        socket_path = os.environ.get("SSH_AUTH_SOCK")
    if not socket_path:
        return f'run `eval "$(ssh-agent)"`, then run `{add}`'
    if host.agent not in (None, "SSH_AUTH_SOCK"):  # IdentityAgent, which ssh-add does not read
        add = f"SSH_AUTH_SOCK={shlex.quote(socket_path)} {add}"
    return f"run `{add}`"


def connection_lost(host: Host) -> ConnectionLost:
    """Return the line for a connection that was lost during a command."""
    return ConnectionLost(
        f"the connection to {host.name} was lost; what was started on the server runs to its end: "
        "see `fab status`, then rerun the command"
    )


def sudo_error(host: Host, done: Done) -> DeployError | None:
    """Return the line for a sudo that did not run the command, None if it did.

    What is missing is reported where the command's answer is read, in any language of the server.
    """
    lines = [line for line in done.stderr.splitlines() if line.startswith("sudo:")]
    lines = [line for line in lines if HINT not in line]
    if not (done.code and lines) or of_a_program(lines[-1]):
        return None
    refuses = f"sudo on {host.name} refuses {host.user} ({lines[-1]})"
    if re.search(r"\btty\b", lines[-1], re.IGNORECASE) and "askpass" not in lines[-1]:
        return DeployError(
            f"{refuses}: run `{ssh_command(host, ['-t'])} sudo visudo`, add the line "
            f"`Defaults:{host.user} !requiretty`, then rerun the command"
        )
    return DeployError(
        f"{refuses}: set ansible_become_password in the inventory (with ansible-vault), or allow "
        "NOPASSWD in role sudo_user"
    )


def of_a_program(line: str) -> bool:
    """Return whether sudo could not start a program: `sudo: NAME: why`, or toxctl's path in it."""
    return re.match(r"sudo: \S+: ", line) is not None or TOXCTL in line
