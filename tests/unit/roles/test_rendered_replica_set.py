"""What a member of a replica set is told, and that a server without one is as before."""

from __future__ import annotations

from typing import Any

import pytest
from parsers import PARSERS
from rendered_files import parsed, rendered
from rendering import REPLICA_SET, SYSTEMS, TREE, VARIANTS, Variant, evaluate, render, variables

MONGOD = "etc/mongod.conf.j2"
ZONE = "etc/firewalld/zones/public.xml.j2"
MEMBERS = ["192.0.2.13:27017", "[2001:db8::14]:27017", "192.0.2.15:27017"]
(ROLE,) = (one for one in TREE.roles if one.name == "mongodb_access")
(MONGODB,) = (one for one in TREE.roles if one.name == "mongodb")


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


def mongod_of_db1(**more: object) -> str:
    """The configuration of mongod on db1, whose set has these values."""
    return render(MONGOD, MONGODB, "debian12", Variant("own", {**REPLICA_SET, **more}))


def members_at(*addresses: str) -> dict[str, object]:
    """The values of a set with members at these addresses, of which db1 has the first."""
    hosts = {f"db{number}": {"cluster_address": one} for number, one in enumerate(addresses, 1)}
    return {
        "hostvars": {**REPLICA_SET["hostvars"], **hosts},
        "cluster_address": addresses[0],
        "mongodb_remote_bind_ip": addresses[0],
    }


IPV4 = members_at("192.0.2.13", "192.0.2.14", "192.0.2.15")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (IPV4, False),
        (members_at("2001:db8::13", "2001:db8::14", "2001:db8::15"), True),
        # One that another member has: mongod has to connect to it.
        (members_at("192.0.2.13", "192.0.2.14", "2001:db8::15"), True),
        ({**IPV4, "mongodb_replica_set": ""}, False),
        ({**IPV4, "mongodb_replica_set": "", "mongodb_remote_bind_ip": "2001:db8::1"}, True),
        (
            {
                **members_at("2001:db8::13", "2001:db8::14", "2001:db8::15"),
                "mongodb_replica_set": "",
                "mongodb_remote_access": False,
            },
            False,
        ),
    ],
)
def test_mongod_looks_for_ipv6_addresses_only_where_there_are_some(
    values: dict[str, object], expected: bool
):
    text = mongod_of_db1(**values)
    mongod: Any = PARSERS[MONGOD](text)
    assert mongod.get("net.ipv6", False) is expected
    assert ("ipv6" in text) is expected


def test_a_file_without_ipv6_is_what_it_was_before():
    text = mongod_of_db1(**IPV4)
    assert "  maxIncomingConnections: 64\n\nsecurity:\n" in text
