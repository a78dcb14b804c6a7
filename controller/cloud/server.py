"""Servers of the account, found by label: what was wished for, and what there is."""

from __future__ import annotations

import ipaddress
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linode_api4 import Instance, LinodeClient

from controller.cloud.api_errors import explained
from controller.deploy.errors import DeployError
from controller.deploy.inventory import GROUP

__all__ = ["TAG", "Wish", "address_of", "check_label", "create", "find_server", "require_same"]

# Marks what `fab create-server` made; nothing else is continued or destroyed.
TAG = "tox_com_det"
LABEL = re.compile(r"[a-zA-Z]((?!--|__|\.\.)[a-zA-Z0-9._-]){1,62}[a-zA-Z0-9]")
RESERVED = {GROUP, "all", "ungrouped", "localhost"}  # of Ansible


@dataclass(frozen=True)
class Wish:
    """The server that was asked for.

    `key`: the operator's public key. `own`: a file with user data of the operator's own. `domain`
    and `name`: of its DNS record, None for none.
    """

    label: str
    region: str
    image: str
    type: str
    key: str
    own: Path | None = None
    domain: str | None = None
    name: str | None = None

    @property
    def host_name(self) -> str | None:
        """The name of the DNS record."""
        if self.domain is None:
            return None
        return f"{self.name}.{self.domain}" if self.name else self.domain


def check_label(label: str | None, task: str) -> str:
    """Return the label; DeployError if it is missing or none that Linode and Ansible take."""
    if not label:
        raise DeployError(f"--label is missing: see `fab --help {task}`")
    if not LABEL.fullmatch(label) or label in RESERVED:
        raise DeployError(
            f"--label is {label!r}: it takes 3 to 64 letters, digits and single . _ -, begins with "
            f"a letter and is none of {', '.join(sorted(RESERVED))}"
        )
    return label


def find_server(client: LinodeClient, label: str) -> Instance | None:
    """Return the server with this label, or None.

    Raises DeployError: it was not made by `fab create-server`.
    """
    with explained(f"looking for {label}"):
        listed = client.linode.instances(Instance.label == label)
        found: Instance | None = next((one for one in listed if one.label == label), None)
    if found is not None and TAG not in (found.tags or []):
        raise DeployError(
            f"the server {label} was not made by `fab create-server` (it has no tag {TAG}): choose "
            "another --label, or change it at https://cloud.linode.com/linodes"
        )
    return found


def require_same(server: Instance, wish: Wish) -> None:
    """Raise DeployError if the server with the wished label is another one than was wished."""
    image = server.image.id if server.image else "none"
    pairs = (
        ("region", server.region.id, wish.region),
        ("image", image, wish.image),
        ("type", server.type.id, wish.type),
    )
    other = [
        f"its {what} is {there}, not {asked}" for what, there, asked in pairs if there != asked
    ]
    if other:
        raise DeployError(
            f"the server {wish.label} is there already, and {'; '.join(other)}: rerun the command "
            "with what it is, or choose another --label"
        )


def create(client: LinodeClient, wish: Wish, firewall: Any, user_data: str) -> Instance:
    """Create the server, behind its firewall from its first second on.

    Its root password is random and kept nowhere: logins are by key alone.
    """
    with explained(f"creating the server {wish.label}"):
        server: Instance = client.linode.instance_create(
            wish.type,
            wish.region,
            image=wish.image,
            label=wish.label,
            tags=[TAG],
            authorized_keys=[wish.key],
            root_pass=secrets.token_urlsafe(48),
            firewall=firewall.id,
            metadata=client.linode.build_instance_metadata(user_data=user_data),
            booted=True,
        )
    return server


def address_of(server: Instance) -> str:
    """Return its public IPv4 address; DeployError if it has none."""
    addresses = list(server.ipv4 or [])
    if not addresses:
        raise DeployError(
            f"the server {server.label} has no address yet: rerun the command in a minute"
        )
    public = [one for one in addresses if ipaddress.ip_address(one).is_global]
    # A stand-in of the API has none that is global.
    return str((public or addresses)[0])
