"""Which ports of a host are equal, so that nginx or HAProxy could not listen on both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

__all__ = ["OPTIONS", "port_problems"]

OPTIONS = (
    "nginx_listen_port",
    "nginx_probe_port",
    "balancer_listen_port",
    "balancer_metrics_port",
    "tls_listen_port",
    "tls_mode",
)
# The program's own ports; that of TLS is the one of the program that clients ask.
NGINX = ("nginx_listen_port", "nginx_probe_port")
BALANCER = ("balancer_listen_port", "balancer_metrics_port")


def port_problems(
    options: Mapping[str, Any], groups: Mapping[str, list[str]], host: str
) -> Iterator[str]:
    """Yield one line for each two options of a program that have the same port.

    Args:
        options: those of OPTIONS, templated; one that is missing is not compared.
        groups: the hosts of each group of the inventory.
        host: the host that the options are of.
    """
    inside = set(groups.get("tox_com_det", []))
    balancers = inside & set(groups.get("balancer", []))
    names = list(BALANCER if host in balancers else NGINX)
    # Behind a balancer nginx serves no TLS. YAML reads off without quotes as false.
    is_behind = bool(balancers) and host not in balancers
    if not is_behind and str(options.get("tls_mode", "off")).lower() not in ("off", "false"):
        names.append("tls_listen_port")
    ports = {name: str(options[name]).lstrip("0") for name in names if name in options}
    for one, other in combinations(ports, 2):
        if ports[one] == ports[other]:
            yield f"{one} and {other} are both {ports[one]}: set one of them to another port"
