"""What Linode offers, asked of its API: images, types with their prices, regions."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from linode_api4 import LinodeClient

from controller.cloud.api_errors import explained
from controller.deploy.errors import DeployError

__all__ = ["IMAGE", "NEEDED", "SUPPORTED", "TYPE", "Offer", "dollars", "find_offer", "price_of"]

IMAGE = "linode/debian13"
TYPE = "g6-nanode-1"
# The systems of docs/support.md, as Linode names its images.
SUPPORTED = re.compile("linode/(debian1[23]|rocky9|almalinux9|centos-stream9|centos7)")
# Of a region. With "Metadata" the server gets its first host key.
NEEDED = ("Linodes", "Cloud Firewall", "Metadata")
SHOWN = 12


@dataclass(frozen=True)
class Offer:
    """What was chosen, and what it costs: US dollars without tax. `memory`: in MB."""

    image: str
    type: str
    region: str
    memory: int
    monthly: float
    hourly: float


def dollars(amount: float) -> str:
    """Return an amount of US dollars as text."""
    return f"${amount:,.2f}"


def find_offer(client: LinodeClient, image: str, type_: str, region: str) -> Offer:
    """Return the offer.

    Raises DeployError: Linode does not have it, no longer has it, or it does not suit this project;
    the line names what is offered instead.
    """
    with explained("asking what Linode offers"):
        images = {one.id: one for one in client.images()}
        types = {one.id: one for one in client.linode.types()}
        regions = {one.id: one for one in client.regions()}
    _check_image(image, images)
    _check_region(region, regions)
    _check_type(type_, types, region)
    price = price_of(types[type_], region)
    if price is None:
        raise DeployError(f"Linode names no price of {type_} in {region}: choose another --type")
    return Offer(image, type_, region, int(types[type_].memory), *price)


def price_of(type_: Any, region: str) -> tuple[float, float] | None:
    """Return what a type costs in a region, in US dollars per month and per hour; None: unknown.

    `type_`: of the library, or an addon of one.
    """
    prices = {one.id: one for one in (type_.region_prices or [])}
    price = prices.get(region, type_.price)
    if price is None or price.monthly is None:
        return None
    return float(price.monthly), float(price.hourly or 0)


def _check_image(image: str, images: dict[str, Any]) -> None:
    offered = sorted(
        name for name, one in images.items() if SUPPORTED.fullmatch(name) and not _problem(one)
    )
    instead = f"choose one with --image: {_listed(image, offered)}"
    if image not in images:
        raise DeployError(f"Linode has no image {image!r}; {instead}")
    if problem := _problem(images[image]):
        raise DeployError(f"the image {image} {problem}; {instead}")
    if not SUPPORTED.fullmatch(image) and not image.startswith("private/"):
        raise DeployError(f"the image {image} is none of the systems in docs/support.md; {instead}")


def _problem(image: Any) -> str | None:
    """Return why no server is made of an image."""
    if image.deprecated:
        return "is deprecated"
    if image.status not in (None, "available"):
        return f"is not available yet ({image.status})"
    if "cloud-init" not in (image.capabilities or []):
        return "has no cloud-init, which takes the first host key to the server"
    return None


def _check_region(region: str, regions: dict[str, Any]) -> None:
    offered = [name for name, one in regions.items() if not _missing(one) and one.status == "ok"]
    instead = f"choose one with --region: {_listed(region, offered, len(regions))}"
    if region not in regions:
        raise DeployError(f"Linode has no region {region!r}; {instead}")
    if missing := _missing(regions[region]):
        raise DeployError(f"the region {region} has no {' and no '.join(missing)}; {instead}")
    if regions[region].status != "ok":
        raise DeployError(
            f"Linode reports an outage of the region {region}: wait for its end, see "
            f"https://status.linode.com, or {instead}"
        )


def _missing(region: Any) -> list[str]:
    return [one for one in NEEDED if one not in (region.capabilities or [])]


def _check_type(type_: str, types: dict[str, Any], region: str) -> None:
    costs = {
        name: price[0]
        for name, one in types.items()
        if not one.successor and (price := price_of(one, region))
    }
    cheapest = sorted(costs, key=lambda name: (costs[name], name))[:SHOWN]
    prices = ", ".join(f"{name} ({dollars(costs[name])})" for name in cheapest)
    instead = f"choose one with --type, such as (a month) {prices}"
    if type_ not in types:
        raise DeployError(f"Linode has no type {type_!r}; {instead}")
    if successor := types[type_].successor:
        raise DeployError(f"the type {type_} is replaced by {successor}: use --type {successor}")


def _listed(typed: str, offered: Iterable[str], most: int = SHOWN) -> str:
    """Return names as text, those like the typed one first."""
    names = sorted(offered)
    near = difflib.get_close_matches(typed, names, 3)
    return ", ".join([*near, *(name for name in names if name not in near)][:most])
