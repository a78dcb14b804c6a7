"""The XML of a firewalld zone."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from ipaddress import ip_network

from parsers.error import ParseError


def zone(text: str) -> tuple[list[str], list[str]]:
    """Return the services and the ports (`22/tcp`) that the zone opens."""
    try:
        root = ET.fromstring(text.encode())  # noqa: S314 (our own text)
    except ET.ParseError as error:
        raise ParseError(str(error)) from None
    services, ports = [], []
    for child in root:
        if child.tag == "service" and set(child.attrib) == {"name"} and child.get("name"):
            services.append(child.attrib["name"])
        elif child.tag == "port" and set(child.attrib) == {"port", "protocol"}:
            ports.append(f"{child.get('port')}/{child.get('protocol')}")
        elif child.tag == "rule":
            _zone_rule(child)
        elif child.tag not in ("short", "description"):
            raise ParseError(f"<{child.tag} {child.attrib}> is unknown")
    for port in ports:
        match = re.fullmatch(r"(\d+)(?:-(\d+))?/(tcp|udp|sctp|dccp)", port)
        if not match or not 0 < int(match[1]) <= int(match[2] or match[1]) < 65536:
            raise ParseError(f"{port} is not a port")
    if root.tag != "zone":
        raise ParseError(f"<{root.tag}> is not a zone")
    return services, ports


def _zone_rule(rule: ET.Element) -> None:
    """Check that a rich rule has a source, a port and an action, in this order."""
    if [part.tag for part in rule] != ["source", "port", "accept"]:
        raise ParseError(f"<rule> has {[part.tag for part in rule]}")
    network = ip_network(rule[0].get("address", ""))
    if rule.get("family") != f"ipv{network.version}" or network.prefixlen == 0:
        raise ParseError(f"<rule> of {rule.get('family')} has the source {network}")
