"""The keys of an SSH connection: the server's, which must be known, and the one to log in with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import paramiko

from controller.deploy.connection_errors import UnknownHost
from controller.deploy.errors import DeployError
from controller.deploy.inventory import Host
from controller.deploy.key_files import agent_only

__all__ = ["identity", "load_known_hosts"]


class Reject(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]  # paramiko has no type information
    """Refuse a server whose host key is not known."""

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        raise UnknownHost(f"{key.get_name()} {key.fingerprint}")


def load_known_hosts(client: paramiko.SSHClient, host: Host) -> None:
    """Load the host keys of the inventory's file, or else the user's and the system's."""
    client.set_missing_host_key_policy(Reject())
    own = (Path("~/.ssh/known_hosts").expanduser(), Path("/etc/ssh/ssh_known_hosts"))
    for path in host.known_hosts or own:
        if path.is_file():
            client.load_system_host_keys(str(path))


def identity(host: Host) -> dict[str, Any]:
    """Return paramiko's arguments for the key to log in with.

    A key with a passphrase or of a hardware token is left to ssh-agent, as Ansible's ssh does.
    Loaded here because paramiko tries a key file as every type and reports the last type's failure.
    """
    if host.agent and host.agent != "SSH_AUTH_SOCK":
        os.environ["SSH_AUTH_SOCK"] = os.path.expandvars(os.path.expanduser(host.agent))
    if host.key_file is None:
        # The others are with the agent.
        files = [str(key) for key in host.keys if key.suffix != ".pub"]
        return {"key_filename": files, "look_for_keys": False} if files else {}
    variable = "check ansible_ssh_private_key_file in the inventory"
    if agent_only(host.key_file):
        return {"look_for_keys": False}
    try:
        key = paramiko.PKey.from_path(host.key_file)
    except OSError as error:
        raise DeployError(
            f"the key file {host.key_file} of {host.name} cannot be read ({error.strerror}): "
            f"{variable}"
        ) from None
    except Exception as error:  # cryptography and paramiko each have their own families
        raise DeployError(
            f"the key file {host.key_file} of {host.name} is not a private key ({error}): "
            f"{variable}"
        ) from None
    return {"pkey": key, "look_for_keys": False, "allow_agent": False}
