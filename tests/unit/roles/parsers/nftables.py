"""A table of nftables, as `nft -f` reads it; each line is a statement of its own here."""

from __future__ import annotations

import re
from ipaddress import ip_network

from parsers.error import ParseError

# The table, from its first line on.
BEGIN = (
    "table inet tox_com_det",
    "delete table inet tox_com_det",
    "table inet tox_com_det {",
    "set clients4 { type ipv4_addr; flags dynamic; }",
    "set clients6 { type ipv6_addr; flags dynamic; }",
    "chain input {",
    "type filter hook input priority -10; policy accept;",
    "iif lo accept",
)
LIMIT = re.compile(
    r"tcp dport \{ (?P<ports>\d+(?:, \d+)*) \} ct state new add @clients(?P<set>[46]) "
    r"\{ (?:ip saddr|ip6 saddr and ffff:ffff:ffff:ffff::) ct count over (?P<most>\d+) \} "
    r"reject with tcp reset"
)


def nftables(text: str) -> tuple[list[str], dict[str, tuple[list[int], int]]]:
    """Return the sources without a limit, and by set of addresses its ports and the limit."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if tuple(lines[: len(BEGIN)]) != BEGIN or lines[-2:] != ["}", "}"]:
        raise ParseError(f"{lines} is not the table of the connections")
    sources: list[str] = []
    limits: dict[str, tuple[list[int], int]] = {}
    for line in lines[len(BEGIN) : -2]:
        words = line.split()
        if match := LIMIT.fullmatch(line):
            ports = [int(port) for port in match["ports"].split(", ")]
            if not all(0 < port < 65536 for port in ports):
                raise ParseError(f"{ports} are not ports")
            limits[match["set"]] = (ports, int(match["most"]))
        elif limits or words[1::2] != ["saddr", "accept"] or len(words) != 4:
            raise ParseError(f"{line!r} is unknown, or comes after the limits")
        else:
            network = ip_network(words[2], strict=False)
            if words[0] != ("ip6" if network.version == 6 else "ip"):
                raise ParseError(f"{words[2]} is not of {words[0]}")
            sources.append(words[2])
    if set(limits) != {"4", "6"}:
        raise ParseError(f"limits of {sorted(limits)}")
    return sources, limits
