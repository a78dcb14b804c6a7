"""The keys to log in with, in the order of ssh."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import paramiko

from controller.deploy.errors import DeployError
from controller.deploy.inventory import Host
from controller.deploy.key_files import agent_keys, agent_only, in_agent

__all__ = ["identity"]


@contextmanager
def identity(host: Host) -> Iterator[dict[str, Any]]:
    """Yield paramiko's arguments for the key to log in with.

    A key with a passphrase or of a hardware token, or of which only the public half is here, is
    left to ssh-agent, as Ansible's ssh does. The agent offers it before its other keys: a server
    ends a login after some tries (sshd: MaxAuthTries 6).
    """
    for_agent = [key for key in (host.key_file, *host.keys) if key and agent_only(key)]
    if host.key_file is not None and not for_agent:
        yield {"pkey": _loaded(host), "look_for_keys": False, "allow_agent": False}
        return
    arguments: dict[str, Any] = {"look_for_keys": False} if host.key_file else {}
    if files := [str(key) for key in host.keys if key.suffix != ".pub"]:
        arguments = {"key_filename": files, "look_for_keys": False}
    with agent_keys() if for_agent else nullcontext(()) as held:
        found = (in_agent(key, held) for key in for_agent)
        if first := next((key for key in found if key), None):
            arguments["pkey"] = first
        yield arguments


def _loaded(host: Host) -> paramiko.PKey:
    """Return the inventory's key; DeployError if it cannot be read.

    Loaded here because paramiko tries a key file as every type and reports the last type's failure.
    """
    variable = "check ansible_ssh_private_key_file in the inventory"
    try:
        return paramiko.PKey.from_path(host.key_file)
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
