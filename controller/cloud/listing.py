"""List the account's servers and what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from linode_api4 import LinodeClient

from controller.cloud.api_errors import explained
from controller.cloud.offers import dollars, price_of
from controller.cloud.server import TAG

__all__ = ["HEADER", "Listing", "list_servers"]

HEADER = ("label", "type", "region", "address", "status", "made by", "a month")


@dataclass(frozen=True)
class Listing:
    """The rows of a table (HEADER), the sum in US dollars a month, and how many have no price."""

    rows: list[tuple[str, ...]]
    monthly: float
    unknown: int


def list_servers(client: LinodeClient) -> Listing:
    """Ask for all servers of the account, those of other projects as well: they cost money too."""
    rows: list[tuple[str, ...]] = []
    monthly, unknown = 0.0, 0
    with explained("listing the servers"):
        servers = sorted(client.linode.instances(), key=lambda one: str(one.label))
        types = {one.id: one for one in client.linode.types()} if servers else {}
        costs = [_cost(server, types) for server in servers]
    for server, cost in zip(servers, costs, strict=True):
        if cost is None:
            unknown += 1
        else:
            monthly += cost
        rows.append(
            (
                server.label,
                server.type.id if server.type else "-",
                server.region.id,
                (server.ipv4 or ["-"])[0],
                server.status,
                "fab create-server" if TAG in (server.tags or []) else "-",
                "unknown" if cost is None else dollars(cost),
            )
        )
    return Listing(rows, monthly, unknown)


def _cost(server: Any, types: dict[str, Any]) -> float | None:
    """Return what a server and Linode's backups of it cost a month; None: the API does not say."""
    if server.type is None:
        return None
    # A type that is no longer sold is not in the list.
    type_ = types.get(server.type.id, server.type)
    price = price_of(type_, server.region.id)
    if price is None:
        return None
    if server.backups and server.backups.enabled and type_.addons:
        backups = price_of(type_.addons.backups, server.region.id)
        return price[0] + backups[0] if backups else None
    return price[0]
