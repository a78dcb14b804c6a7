"""What the stand-in of Linode's API sells: made-up prices, names in Linode's form."""

from __future__ import annotations

from typing import Any

CREATED = "2026-01-01T00:00:00"


def image(name: str, vendor: str, deprecated: bool = False, cloud_init: bool = True) -> dict:
    """Return an image in the form of GET /images."""
    return {
        "id": f"linode/{name}",
        "label": name,
        "description": None,
        "vendor": vendor,
        "type": "manual",
        "status": "available",
        "is_public": True,
        "deprecated": deprecated,
        "capabilities": ["cloud-init", "distributed-sites"] if cloud_init else [],
        "regions": [],
        "tags": [],
        "size": 2500,
        "total_size": 2500,
        "created": CREATED,
        "updated": CREATED,
        "created_by": "linode",
        "eol": None,
        "expiry": None,
    }


def region(name: str, *missing: str, status: str = "ok") -> dict:
    """Return a region in the form of GET /regions. `missing`: capabilities that it has not."""
    able = ("Linodes", "Block Storage", "Cloud Firewall", "Metadata", "Vlans")
    return {
        "id": name,
        "label": name,
        "country": name[:2],
        "capabilities": [one for one in able if one not in missing],
        "status": status,
        "resolvers": {"ipv4": "192.0.2.1", "ipv6": "2001:db8::1"},
        "placement_group_limits": {"maximum_pgs_per_customer": 10, "maximum_linodes_per_pg": 5},
        "site_type": "core",
    }


def price(monthly: float | None) -> dict[str, float | None]:
    """Return a price of so many dollars a month."""
    return {
        "monthly": monthly,
        "hourly": None if monthly is None else round(min(monthly / 670, monthly), 4),
    }


def plan(
    name: str,
    monthly: float | None,
    memory: int,
    successor: str | None = None,
    elsewhere: dict[str, float] | None = None,
) -> dict[str, Any]:
    """Return a type in the form of GET /linode/types. `elsewhere`: other prices by region."""
    others = [{"id": one, **price(amount)} for one, amount in (elsewhere or {}).items()]
    backups = None if monthly is None else monthly / 2.5
    return {
        "id": name,
        "label": name,
        "class": "nanode" if memory == 1024 else "standard",
        "disk": memory * 25,
        "memory": memory,
        "vcpus": 1,
        "gpus": 0,
        "network_out": 1000,
        "transfer": 1000,
        "successor": successor,
        "price": price(monthly),
        "region_prices": others,
        "addons": {"backups": {"price": price(backups), "region_prices": []}},
    }


IMAGES = [
    image("debian12", "Debian"),
    image("debian13", "Debian"),
    image("rocky9", "Rocky Linux"),
    image("almalinux9", "AlmaLinux"),
    image("centos7", "CentOS", deprecated=True, cloud_init=False),
    image("debian11", "Debian", deprecated=True),
    image("arch", "Arch"),
]
REGIONS = [
    region("de-fra-2"),
    region("us-east"),
    region("br-gru"),
    region("us-lax", "Metadata"),
    region("nl-ams", status="outage"),
    # More than a page of the smallest size.
    *(region(f"xx-{number:02}") for number in range(30)),
]
TYPES = [
    plan("g6-nanode-1", 5.0, 1024, elsewhere={"br-gru": 7.0}),
    plan("g6-standard-1", 12.0, 2048),
    plan("g5-nanode-1", 5.0, 1024, successor="g6-nanode-1"),
    plan("g8-unpriced-1", None, 2048),
]
