"""DNS records at Linode that point at a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from linode_api4 import Domain, LinodeClient

from controller.cloud.api_errors import Refused, explained
from controller.deploy.errors import DeployError

__all__ = ["check_record", "point_at", "records_of"]

TTL_SECONDS = 300


def check_record(
    client: LinodeClient, domain: str, name: str, address: str | None
) -> tuple[Domain, bool]:
    """Return the domain, and whether its record points at the address already.

    `address`: None for a server that is still to be created. Raises DeployError: the account does
    not have the domain, or the name points elsewhere.
    """
    with explained(f"looking for the domain {domain}"):
        listed = list(client.domains())
        found = next((one for one in listed if one.domain == domain), None)
        if found is None:
            names = ", ".join(sorted(one.domain for one in listed)) or "none"
            raise DeployError(
                f"Linode's DNS Manager has no domain {domain} of yours (it has {names}): create it "
                "at https://cloud.linode.com/domains, and name ns1.linode.com to ns5.linode.com "
                "as its name servers at your registrar, then rerun the command"
            )
        records = [one for one in found.records if (one.name or "") == name]
    where = f"{name}.{domain}" if name else domain
    blocking = [one for one in records if one.type in ("A", "CNAME") and one.target != address]
    if blocking:
        raise DeployError(
            f"{where} points at {blocking[0].target}: choose another --name, or remove that record "
            "at https://cloud.linode.com/domains, then rerun the command"
        )
    return found, any(one.type == "A" for one in records)


def point_at(domain: Domain, name: str, address: str) -> None:
    """Create the record."""
    with explained(f"creating the DNS record in {domain.domain}"):
        domain.record_create("A", name=name, target=address, ttl_sec=TTL_SECONDS)


def records_of(
    client: LinodeClient, address: str, say: Callable[[str], None]
) -> list[tuple[str, Any]]:
    """Return the A records that point at an address, each with its full name.

    One that is left would point at whoever gets the address next.
    """
    found = []
    try:
        with explained("looking for DNS records"):
            for domain in client.domains():
                if domain.type != "master":
                    continue
                for record in domain.records:
                    if record.type == "A" and record.target == address:
                        name = f"{record.name}.{domain.domain}" if record.name else domain.domain
                        found.append((name, record))
    except Refused as error:
        if error.status != 403:
            raise
        say(f"the token may not read domains: remove records that point at {address} yourself")
    return found
