"""The Cloud Firewall of a server: SSH, HTTP and HTTPS come in, nothing else."""

from __future__ import annotations

import hashlib
from typing import Any

from linode_api4 import Firewall, LinodeClient

from controller.cloud.api_errors import explained
from controller.cloud.server import TAG

__all__ = ["PORTS", "attach", "find_firewall", "firewall_label", "make_firewall", "rules"]

PORTS = {"ssh": 22, "http": 80, "https": 443}
EVERYWHERE = {"ipv4": ["0.0.0.0/0"], "ipv6": ["::/0"]}
LONGEST = 32  # characters of a firewall's label; a server's has up to 64


def rules() -> dict[str, Any]:
    """Return the rules, in the form of Linode's API."""
    inbound = [
        {
            "label": f"accept-{name}",
            "action": "ACCEPT",
            "protocol": "TCP",
            "ports": str(port),
            "addresses": EVERYWHERE,
        }
        for name, port in PORTS.items()
    ]
    return {
        "inbound": inbound,
        "inbound_policy": "DROP",
        "outbound": [],
        "outbound_policy": "ACCEPT",
    }


def firewall_label(label: str) -> str:
    """Return the label of a server's firewall: the server's, shortened if it is too long."""
    if len(label) <= LONGEST:
        return label
    return f"{label[:22].rstrip('._-')}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"


def find_firewall(client: LinodeClient, label: str) -> Firewall | None:
    """Return the firewall of the server with this label, or None; only one that was made here."""
    name = firewall_label(label)
    with explained("looking for the firewall"):
        listed = client.networking.firewalls(Firewall.label == name)
        return next((one for one in listed if one.label == name and TAG in (one.tags or [])), None)


def make_firewall(client: LinodeClient, label: str) -> Firewall:
    """Create the firewall of a server, which need not exist."""
    with explained("creating the firewall"):
        return client.networking.firewall_create(firewall_label(label), rules(), tags=[TAG])


def attach(firewall: Firewall, server_id: int) -> bool:
    """Put a server behind its firewall; return whether it was not yet."""
    with explained("putting the server behind its firewall"):
        if any(
            (one.entity.type, one.entity.id) == ("linode", server_id) for one in firewall.devices
        ):
            return False
        firewall.device_create(server_id, "linode")
        return True
