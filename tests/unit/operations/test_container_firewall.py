"""Containers may set firewall rules: firewalld needs NET_ADMIN, EL7's iptables NET_RAW too."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from ansible_run import PROJECT, load
from parsers import zone
from rendering import SYSTEMS, VARIANTS, render
from role_tasks import role

from controller.nanode.engine import Engine
from controller.nanode.host import Host
from controller.nanode.instance import Instance, run_command

HOST = Host(False, (), 1, 1, True)
ZONE = "etc/firewalld/zones/public.xml.j2"
NANODE = Instance("nanode", "tox-com-det-nanode-abc123", 8080, 2222)


@pytest.mark.parametrize("engine", ["podman", "docker"])
@pytest.mark.parametrize("capability", ["NET_ADMIN", "NET_RAW"])
def test_every_container_may_set_firewall_rules(engine: str, capability: str):
    command = run_command(Engine(engine), HOST, NANODE, "image", Path("/checkout"))
    assert f"--cap-add={capability}" in command


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_firewall_opens_named_services_and_ports_only(system: str):
    """The zone's default target rejects; any other would open the rest."""
    text = render(ZONE, role("firewalld"), system, VARIANTS[0])
    assert "target" not in ET.fromstring(text.encode()).attrib  # noqa: S314 (our own text)
    services, ports = zone(text)
    assert services == ["http", "https"]
    assert ports == ["22/tcp", "2222/tcp"]


def test_centos_7_is_verified_by_the_tests_of_the_default_scenario():
    directory = PROJECT / "molecule/centos7"
    verifier = load(directory / "molecule.yml")["verifier"]
    assert (directory / verifier["directory"]).resolve() == PROJECT / "molecule/default/tests"
