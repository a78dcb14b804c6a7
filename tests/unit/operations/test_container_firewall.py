"""Containers may set firewall rules: firewalld needs NET_ADMIN, EL7's iptables NET_RAW too."""

from __future__ import annotations

from pathlib import Path

import pytest
from role_tasks import PROJECT

from controller.nanode.host import Engine, Host
from controller.nanode.instance import Instance, run_command

HOST = Host(False, (), 1, 1, True)
NANODE = Instance("nanode", "tox-com-det-nanode-abc123", 8080, 2222)


@pytest.mark.parametrize("engine", ["podman", "docker"])
@pytest.mark.parametrize("capability", ["NET_ADMIN", "NET_RAW"])
def test_every_container_may_set_firewall_rules(engine: str, capability: str):
    command = run_command(Engine(engine), HOST, NANODE, "image", Path("/checkout"))
    assert f"--cap-add={capability}" in command


def test_the_firewall_is_verified_by_what_it_holds_back_on_centos_7_as_well():
    tests = (PROJECT / "molecule/default/tests/test_server.py").read_text(encoding="utf-8")
    assert "def test_the_firewall_holds_back_a_port_that_nobody_named" in tests
    scenario = (PROJECT / "molecule/centos7/molecule.yml").read_text(encoding="utf-8")
    assert "../default/tests" in scenario
