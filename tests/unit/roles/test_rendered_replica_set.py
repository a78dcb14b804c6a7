"""What a member of a replica set is told, and that a server without one is as before."""

from __future__ import annotations

from typing import Any

import pytest
from rendered_files import parsed, rendered
from rendering import REPLICA_SET, SYSTEMS, TREE, VARIANTS, Variant, evaluate, variables

MONGOD = "etc/mongod.conf.j2"
ZONE = "etc/firewalld/zones/public.xml.j2"
MEMBERS = ["192.0.2.13:27017", "[2001:db8::14]:27017", "192.0.2.15:27017"]
(ROLE,) = (one for one in TREE.roles if one.name == "mongodb_access")


def value(name: str, **more: object) -> Any:
    """A variable of role mongodb_access on db1 of the set."""
    given = variables(ROLE, "debian12", Variant("own", {**REPLICA_SET, **more}))
    return evaluate("{{ " + name + " }}", {**given, "inventory_hostname": "db1"})


@pytest.mark.parametrize("system", ["debian12", "debian13", "arch"])
def test_a_member_has_the_name_and_the_key_of_its_set(system: str):
    mongod = parsed(MONGOD, system, "replica_set")
    assert mongod["replication.replSetName"] == "toxic"
    assert mongod["security.clusterAuthMode"] == "keyFile"
    assert mongod["security.keyFile"] == "/etc/mongod-replica-set.key"
    assert mongod["security.authorization"] == "enabled"
    assert mongod["net.bindIp"] == "127.0.0.1,192.0.2.13"
    assert "A" * 40 not in rendered(MONGOD, system, "replica_set")


@pytest.mark.parametrize("variant", [one.name for one in VARIANTS if one.name != "replica_set"])
def test_a_server_without_a_set_is_told_of_none(variant: str):
    (found,) = (one for one in VARIANTS if one.name == variant)
    for system in found.systems:
        mongod = parsed(MONGOD, system, variant)
        assert not [key for key in mongod if key.startswith("replication")]
        assert "security.keyFile" not in mongod


def test_the_firewall_lets_the_app_hosts_and_the_other_members_in():
    zone = rendered(ZONE, "debian12", "replica_set")
    assert [one for one in ("192.0.2.11", "2001:db8::14", "192.0.2.15") if one not in zone] == []
    assert "192.0.2.13" not in zone


def test_a_member_with_the_service_is_let_in_once():
    groups = {**REPLICA_SET["groups"], "app": ["app1", "db2"]}
    assert value("__layout_database_sources", groups=groups) == [
        "192.0.2.11",
        "2001:db8::14",
        "192.0.2.15",
    ]


def test_members_are_the_hosts_of_group_database_with_their_ports():
    assert value("__layout_members") == MEMBERS
    assert value("__layout_members", mongodb_port=27018)[0] == "192.0.2.13:27018"
    assert value("__layout_members", mongodb_replica_set="") == []


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("mongodb://app:p%40ss@192.0.2.13:27017,[2001:db8::14]:27017/?replicaSet=toxic", "app"),
        ("mongodb://app:p@192.0.2.13,192.0.2.15", "app"),
        ("mongodb://192.0.2.13:27017/?appname=a@b", ""),
    ],
)
def test_the_services_user_is_found_in_the_address_of_all_members(uri: str, name: str):
    assert value("__mongodb_access_service_name", flask_app_mongodb_uri=uri) == name


@pytest.mark.parametrize(
    ("groups", "python"),
    [
        (["database", "tox_com_det"], "/usr/bin/python3"),
        (["app", "database", "tox_com_det"], "/usr/bin/python3"),
    ],
)
def test_the_driver_of_a_member_is_there_before_the_application(groups: list[str], python: str):
    assert value("__layout_driver_python", group_names=groups) == python


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_driver_of_a_server_on_its_own_is_that_of_the_application(system: str):
    given = variables(ROLE, system, Variant("own"))
    python = evaluate("{{ __layout_driver_python }}", given)
    assert python == "/opt/tox_com_det/current-app/venv/bin/python"
