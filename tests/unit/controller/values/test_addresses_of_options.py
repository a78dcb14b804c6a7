"""Addresses and networks: no text after them, and no form that nginx or nftables does not read."""

from __future__ import annotations

from typing import Any

import pytest

from controller.values.format import optional
from controller.values.formats import ADDRESS, HOST, NETWORK, SERVER_NAME
from controller.values.options import options_of_roles
from controller.values.problems import problems_of
from controller.values.table import FORMATS

# After % Python takes any text for the scope of an address, line feeds too.
SCOPED = [
    "fe80::1%eth0",
    "::1%x\nenabled = false",
    "::1%$(reboot)\n",
    '::1%"/><accept/>',
    "::1%a b",
    "::1%;return",
    "::1%../../x",
]
NETWORKS = [
    "hardening_fail2ban_ignore",
    "mongodb_remote_sources",
    "nginx_metrics_allowed",
    "nginx_trusted_proxies",
]
# "name.key" is in a dictionary of a list.
ADDRESSES = [
    "balancer_app_hosts.address",
    "exposure_address",
    "mongodb_remote_bind_ip",
    "nginx_server_name",
    "tls_names",
    *NETWORKS,
]


def as_option(name: str, text: str) -> tuple[str, Any]:
    """The option with a text in the place of that name."""
    name, _, key = name.partition(".")
    if key:
        return name, [{"name": "a", "address": "192.0.2.1", key: text}]
    return name, [text] if options_of_roles()[name]["type"] == "list" else text


def test_no_address_is_left_out() -> None:
    kinds = (ADDRESS, HOST, NETWORK, SERVER_NAME)
    forms = {*kinds, *(optional(one) for one in kinds)}
    assert sorted(name for name, form in FORMATS.items() if form in forms) == sorted(ADDRESSES)


@pytest.mark.parametrize("text", ["203.0.113.7", "2001:db8::7"])
@pytest.mark.parametrize("name", ADDRESSES)
def test_an_address_is_taken(name: str, text: str) -> None:
    assert problems_of(*as_option(name, text)) == []


@pytest.mark.parametrize("text", SCOPED)
@pytest.mark.parametrize("name", ADDRESSES)
def test_nothing_follows_an_address(name: str, text: str) -> None:
    assert problems_of(*as_option(name, text))


@pytest.mark.parametrize("text", ["a ::1%;return", "::1%;\nreturn 444;", "::1%}"])
def test_nothing_follows_an_address_among_names(text: str) -> None:
    assert problems_of("nginx_server_name", text)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_an_address_and_a_prefix(name: str) -> None:
    assert problems_of(name, ["203.0.113.0/24", "10.0.0.5/8", "0.0.0.0/0", "2001:db8::/64"]) == []
    for text in (
        "10.0.0.0/255.0.0.0",
        "10.0.0.0/0.0.0.255",
        "10.0.0.0/",
        "/8",
        "10.0.0.0/33",
        "::1/129",
        "2001:db8::/ffff::",
        "10.0.0.0/8/8",
        "10.0.0.0/8\n",
    ):
        assert problems_of(name, [text]), text
