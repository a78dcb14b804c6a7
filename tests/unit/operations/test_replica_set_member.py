"""A host becomes a member of a replica set only if nothing is lost, and reboots as one."""

from __future__ import annotations

import base64

import pytest
from rendering import REPLICA_SET, SYSTEMS, Variant, variables
from role_tasks import Verdict, evaluate_assert, role, task

KEY = "A" * 40
ALL = ["db1", "db2", "db3"]
OWN = "storage:\n  dbPath: /var/lib/mongodb\n"
MEMBER = OWN + "replication:\n  replSetName: toxic\n"


def encoded(text: str) -> dict[str, str]:
    """What module slurp registers."""
    return {"content": base64.b64encode(text.encode()).decode()}


def verdict(name: str, host: str = "db1", system: str = "debian12", **more: object) -> Verdict:
    given = {
        **variables(role("mongodb"), system, Variant("own", REPLICA_SET)),
        "ansible_play_hosts": ALL,
        "inventory_hostname": host,
        **more,
    }
    return evaluate_assert(task("mongodb", name), given)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_without_the_driver_is_refused(system: str):
    found = verdict("Require a system with MongoDB's driver", system=system)
    assert found.passed is (system not in ("centos7", "el9"))
    assert "take Debian or Arch Linux for the hosts of group database" in found.message


@pytest.mark.parametrize(
    ("host", "data", "conf", "hosts", "passed"),
    [
        ("db1", False, "", ALL, True),
        # Its data is what the others get a copy of.
        ("db1", True, OWN, ALL, True),
        ("db1", True, OWN, ["db1"], False),
        ("db2", True, OWN, ALL, False),
        ("db2", False, OWN, ALL, True),
        ("db2", True, MEMBER, ALL, True),
        ("db1", True, MEMBER, ["db1"], True),
    ],
)
def test_a_database_of_its_own_is_not_deleted(host, data, conf, hosts, passed):
    found = verdict(
        "Require that no database would be deleted",
        host,
        ansible_play_hosts=hosts,
        __mongodb_data={"stat": {"exists": data}},
        __mongodb_conf=encoded(conf) if conf else {"failed": False},
    )
    assert found.passed is passed
    assert f"{host} has a database of its own, which joining replica set toxic" in found.message


@pytest.mark.parametrize(
    ("installed", "passed"), [(None, True), (f"{KEY}\n", True), ("B" * 40 + "\n", False)]
)
def test_another_key_is_refused_and_not_shown(installed: str | None, passed: bool):
    found = verdict(
        "Require the key of the other members",
        __mongodb_set_key={"failed": False} if installed is None else encoded(installed),
    )
    assert found.passed is passed
    assert KEY not in found.message


def test_the_key_is_not_logged_and_no_other_user_reads_it():
    tasks = [one for one in role("mongodb").tasks if one.file.name == "replica_set_key.yml"]
    read, _, write = (one.data for one in tasks)
    assert read["no_log"] is write["no_log"] is True
    assert write["ansible.builtin.copy"]["mode"] == "0400"
    assert role("mongodb").spec["mongodb_replica_set_key"]["no_log"] is True


def test_the_primary_is_handed_on_before_a_reboot_and_the_member_is_ready_after_it():
    tasks = [one for one in role("os_upgrade").tasks if one.file.name == "main.yml"]
    names = [one.name for one in tasks]
    steps = [
        "Hand the part of the replica set's primary on",
        "Reboot if that was asked for",
        "Wait until the member of the replica set is ready",
    ]
    assert names[-3:] == steps
    states = [(one.data.get("vars") or {}).get("__mongodb_state") for one in tasks[-3:]]
    assert states == ["stepped_down", None, "ready"]
    assert "mongodb_replica_set | default('') | length > 0" in tasks[-1].data["when"]
