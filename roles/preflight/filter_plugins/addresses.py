"""Tell an IP address from any other text."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable


def is_ip_address(text: object) -> bool:
    """Return whether a text is an IPv4 or IPv6 address, without a scope after %."""
    try:
        ipaddress.ip_address(str(text))
    except ValueError:
        return False
    return "%" not in str(text)


class FilterModule:
    """Registers the filter of this file with Ansible."""

    def filters(self) -> dict[str, Callable[[object], bool]]:
        """Return the filter by name."""
        return {"is_ip_address": is_ip_address}
