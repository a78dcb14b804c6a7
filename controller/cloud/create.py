"""Create a server, or go on with one that was cut off: every part is found by its label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from linode_api4 import LinodeClient

from controller.cloud import dns, firewall
from controller.cloud.first_contact import first_contact
from controller.cloud.inventories import Inventory
from controller.cloud.keys import new_host_key, user_data
from controller.cloud.known_hosts import FIRST, OWN, Pinned
from controller.cloud.offers import Offer, dollars, find_offer
from controller.cloud.server import Wish, address_of, create, find_server, require_same
from controller.cloud.waiting import BOOT_SECONDS, Clock, boots, wait_for
from controller.deploy.errors import DeployError

__all__ = ["Session", "create_server"]

POLL_SECONDS = 5.0


@dataclass(frozen=True)
class Session:
    """What a creation works with.

    Attributes:
        client: Linode's, open.
        inventory: to write the server into.
        say: takes a line for each step.
        agree: asks whether to spend money, with the question; returns whether.
        key_file: the operator's private key; None: ssh-agent's.
        host_variables: more of the server in its inventory file.
        clock: for the times that are waited.
        ssh_port: of the server.
    """

    client: LinodeClient
    inventory: Inventory
    say: Callable[[str], None]
    agree: Callable[[str], bool]
    key_file: Path | None = None
    host_variables: Mapping[str, Any] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    ssh_port: int = 22


def create_server(session: Session, wish: Wish, *, dry_run: bool = False) -> bool:
    """Create the server and all that belongs to it; return whether it is there.

    Raises DeployError: something that was asked for is not offered, or a step failed; what was
    created stays, and the same command goes on from there.
    """
    client, say, label = session.client, session.say, wish.label
    if session.inventory.is_foreign(label):
        raise DeployError(
            f"{label} is a host of {session.inventory.path} already, which `fab create-server` did "
            "not write: choose another --label"
        )
    server = find_server(client, label)
    domain, points = None, False
    if server is not None:
        require_same(server, wish)
    if wish.domain is not None:
        address = address_of(server) if server else None
        domain, points = dns.check_record(client, wish.domain, wish.name or "", address)
    if server is None:
        if not _bought(
            session, wish, find_offer(client, wish.image, wish.type, wish.region), dry_run
        ):
            return False
    else:
        say(f"{label} is there already (Linode {server.id}): going on with it")
        if dry_run:
            return True
    wall = firewall.find_firewall(client, label)
    if wall is None:
        wall = firewall.make_firewall(client, label)
        say(f"created the firewall {wall.label}: 22, 80 and 443 come in, nothing else")
    if server is None:
        key = new_host_key()
        data = user_data(key, wish.own)
        # Before the request: cut off after it, the next run still knows the key.
        session.inventory.known_hosts.pin(label, None, [Pinned(key.public, FIRST)])
        server = create(client, wish, wall, data)
        say(f"created the server {label} (Linode {server.id})")
    if firewall.attach(wall, server.id):
        say(f"put {label} behind its firewall")
    wait_for(
        f"{label} to boot",
        lambda: boots(client, server, say),
        say,
        session.clock,
        every=POLL_SECONDS,
        at_most=BOOT_SECONDS,
    )
    address = address_of(server)
    if domain is not None and not points:
        dns.point_at(domain, wish.name or "", address)
        say(f"created the DNS record {wish.host_name} -> {address}")
    _reach(session, wish, address)
    _write(session, wish, address, server.id)
    return True


def _bought(session: Session, wish: Wish, offer: Offer, dry_run: bool) -> bool:
    """Say the price and ask; return whether to create the server."""
    words = (
        f"{wish.label}: {offer.type} ({offer.memory} MB) with {offer.image} in {offer.region} "
        f"costs {dollars(offer.monthly)} a month (${offer.hourly:g} an hour), before tax, from now "
        f"until `fab destroy-server --label {wish.label}`; also while it is off"
    )
    session.say(words)
    if dry_run:
        return False
    if not session.agree(f"create {wish.label} for {dollars(offer.monthly)} a month?"):
        session.say("nothing was created")
        return False
    return True


def _reach(session: Session, wish: Wish, address: str) -> None:
    """Have the first session, unless it was had and the login of root may be closed by now."""
    known = session.inventory.known_hosts
    keys = known.keys(wish.label)
    done = bool(keys) and all(one.origin == OWN for one in keys)
    if done and session.inventory.address_of(wish.label) == address:
        return
    first_contact(
        wish.label,
        address,
        session.key_file,
        known,
        session.say,
        port=session.ssh_port,
        clock=session.clock,
    )


def _write(session: Session, wish: Wish, address: str, server_id: int) -> None:
    """Write the server into the inventory."""
    variables: dict[str, Any] = {"ansible_host": address, **session.host_variables}
    if session.ssh_port != 22:
        variables["ansible_port"] = session.ssh_port
    if wish.host_name:
        variables["nginx_server_name"] = wish.host_name
    about = f"Linode {server_id}, {wish.type}, {wish.image}, {wish.region}"
    session.inventory.write_host(wish.label, variables, about)
    session.say(f"{wish.label} is ready: {session.inventory.host_file(wish.label)}")
