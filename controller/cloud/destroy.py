"""Destroy a server with its DNS records, firewall, inventory file and pinned host keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from linode_api4 import LinodeClient

from controller.cloud.api_errors import explained
from controller.cloud.dns import records_of
from controller.cloud.firewall import find_firewall
from controller.cloud.inventories import Inventory
from controller.cloud.server import address_of, find_server
from controller.deploy.errors import DeployError

__all__ = ["destroy_server"]


def destroy_server(
    client: LinodeClient,
    inventory: Inventory,
    label: str,
    say: Callable[[str], None],
    agree: Callable[[], bool],
) -> bool:
    """Say what would be destroyed, ask, and destroy it; return whether anything was.

    `agree`: asks; returns whether. Raises DeployError: there is nothing of this label, or a request
    failed; run again, it goes on.
    """
    server = find_server(client, label)
    wall = find_firewall(client, label)
    file = inventory.host_file(label)
    address = address_of(server) if server else inventory.address_of(label)
    pinned = inventory.known_hosts.keys(label)
    if server is None and wall is None and not file.exists() and not pinned:
        raise DeployError(f"there is no server {label}: see `fab servers`")
    if server is None and address and (other := _has_now(client, address)):
        say(f"{other} has the address {address} by now: its DNS records stay")
        address = None
    records = records_of(client, address, say) if address else []
    if server:
        say(f"destroy  the server {label} (Linode {server.id}, {address}) with its disks")
    for name, _ in records:
        say(f"destroy  the DNS record {name} -> {address}")
    if wall:
        say(f"destroy  the firewall {wall.label}")
    if file.exists():
        say(f"remove   {file}")
    if server and server.backups and server.backups.enabled:
        say("Linode's backups of it are lost with it; those of `fab backup` are not touched")
    if not agree():
        say("nothing was destroyed")
        return False
    for name, record in records:
        _delete(f"removing the DNS record {name}", record, say, f"removed the DNS record {name}")
    if server:
        _delete(f"destroying {label}", server, say, f"destroyed {label}: it costs nothing any more")
    if wall:
        _delete("removing the firewall", wall, say, f"removed the firewall {wall.label}")
    file.unlink(missing_ok=True)
    if inventory.path.is_dir():
        inventory.known_hosts.forget(label)
    return True


def _has_now(client: LinodeClient, address: str) -> str | None:
    """Return the label of the server that has an address, None if there is none in the account."""
    with explained(f"looking for the server with the address {address}"):
        listed = client.linode.instances()
        return next((str(one.label) for one in listed if address in (one.ipv4 or [])), None)


def _delete(doing: str, thing: Any, say: Callable[[str], None], done: str) -> None:
    with explained(doing):
        thing.delete()
    say(done)
