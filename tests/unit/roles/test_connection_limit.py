"""How many connections an address may have: a table of nftables, or direct rules of firewalld."""

from __future__ import annotations

import pytest
from parsers import nftables
from rendering import CLUSTER, SYSTEMS, Variant, evaluate, owners, render, variables

TABLE = "etc/tox_com_det-connections.nft.j2"
FIREWALLD = owners()[TABLE]
PROXIES = {"nginx_trusted_proxies": ["192.0.2.0/24", "2001:db8::/32"]}
EL7 = "centos7"


def value(name: str, system: str, **inventory: object) -> object:
    """Return a variable of the role."""
    known = variables(FIREWALLD, system, Variant("own", inventory))
    return evaluate("{{ " + name + " }}", known)


@pytest.mark.parametrize("system", SYSTEMS)
def test_both_families_have_the_limit_on_all_ports_of_the_service(system: str):
    wanted = {
        **PROXIES,
        "firewalld_connections_per_address": 70,
        "nginx_listen_port": 8080,
        "tls_mode": "selfsigned",
    }
    text = render(TABLE, FIREWALLD, system, Variant("own", wanted))
    sources, limits = nftables(text)
    assert sources == PROXIES["nginx_trusted_proxies"]
    assert limits == {"4": ([8080, 443], 70), "6": ([8080, 443], 70)}


@pytest.mark.parametrize(
    ("inventory", "limited"),
    [
        ({}, True),
        ({"firewalld_connections_per_address": 0}, False),
        ({**CLUSTER, "group_names": ["app", "tox_com_det"]}, False),
        ({**CLUSTER, "group_names": ["database", "tox_com_det"]}, False),
        ({**CLUSTER, "group_names": ["balancer", "database", "tox_com_det"]}, True),
    ],
    ids=["one server", "no limit", "behind a balancer", "database", "balancer"],
)
def test_the_host_that_clients_ask_has_the_limit(inventory: dict[str, object], limited: bool):
    assert value("__firewalld_limited", "debian12", **inventory) is limited
    paths = value("__firewalld_settings", "debian12", **inventory)
    assert ("/etc/tox_com_det-connections.nft" in str(paths)) is limited


def test_a_balancer_is_limited_on_its_own_port():
    own = {**CLUSTER, "group_names": ["balancer", "tox_com_det"], "balancer_listen_port": 8000}
    assert value("__firewalld_limited_ports", "debian12", **own) == [8000]


def test_the_port_of_https_is_open_where_clients_ask():
    for parts, port in ((["balancer"], 443), (["database"], ""), (["app"], "")):
        own = {**CLUSTER, "group_names": [*parts, "tox_com_det"], "tls_mode": "files"}
        found = value("__firewalld_tls_port", "debian12", **own, firewalld_services=[])
        assert found == port


def test_centos_7_has_direct_rules_of_the_same_meaning():
    assert value("__firewalld_direct", "debian12") == []
    assert value("__firewalld_direct", EL7, firewalld_connections_per_address=0) == []
    new = "-p tcp --syn -m multiport --dports 80,443"
    mark = "-m comment --comment tox_com_det"
    assert value("__firewalld_direct", EL7, tls_mode="selfsigned", **PROXIES) == [
        f"ipv4 filter INPUT 0 -s 192.0.2.0/24 {new} {mark} -j RETURN",
        f"ipv6 filter INPUT 0 -s 2001:db8::/32 {new} {mark} -j RETURN",
        f"ipv4 filter INPUT 1 '!' -i lo {new} -m connlimit --connlimit-above 1000 "
        f"--connlimit-mask 32 {mark} -j REJECT --reject-with tcp-reset",
        f"ipv6 filter INPUT 1 '!' -i lo {new} -m connlimit --connlimit-above 1000 "
        f"--connlimit-mask 64 {mark} -j REJECT --reject-with tcp-reset",
    ]
