"""Where restic comes from: a package, or its own program; and when the drills of a cluster run."""

from __future__ import annotations

import pytest
from rendering import CLUSTER, SYSTEMS, TREE, VARIANTS, Variant, evaluate, variables

(BACKUP,) = (role for role in TREE.roles if role.name == "backup")
TASKS = {task.name: task for task in BACKUP.tasks}
NOT_FOUND = {"failed": True, "msg": "No package matching 'restic' found"}


def conditions(name: str, system: str, registered: dict[str, object]) -> bool:
    """Return whether a task runs."""
    values = {**variables(BACKUP, system, VARIANTS[0]), **registered}
    values["ansible_facts"] = {**SYSTEMS[system], "packages": {}}
    when = TASKS[name].data["when"]
    when = when if isinstance(when, list) else [when]
    return all(evaluate("{{ " + one + " }}", values) for one in when)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_program_that_somebody_put_there_takes_the_place_of_the_package(system: str):
    program = {"exists": True, "executable": True}
    assert not conditions("Install restic", system, {"__backup_own": {"stat": program}})
    assert conditions("Install restic", system, {"__backup_own": {"stat": {"exists": False}}})


@pytest.mark.parametrize(
    ("system", "words"),
    [
        ("centos7", ["neither CentOS 7 nor EPEL 7 has it", "/usr/local/bin/restic", "SHA256SUMS"]),
        ("el9", ["sudo dnf install epel-release"]),
        ("debian12", ["see what the package manager says"]),
    ],
)
def test_a_system_without_restic_is_told_where_it_is(system: str, words: list[str]):
    values = {**variables(BACKUP, system, VARIANTS[0]), "__backup_package": NOT_FOUND}
    message = str(evaluate(TASKS["Require restic"].arguments["fail_msg"], values))
    assert "could not be installed (No package matching 'restic' found): " in message
    assert all(one in message for one in words)
    assert "`ansible-playbook site.yml --tags backup`" in message


@pytest.mark.parametrize(
    ("name", "inventory", "time"),
    [
        ("server", {}, "05:07:00"),
        ("app1", CLUSTER, "05:07:00"),
        ("app2.example.org", CLUSTER, "06:07:00"),
        ("lb1", CLUSTER, "05:07:00"),
    ],
)
def test_app_hosts_restore_into_the_scratch_databases_one_after_the_other(name, inventory, time):
    given = variables(BACKUP, "debian12", Variant("own", inventory))
    values = {**given, "inventory_hostname": name}
    assert evaluate("{{ backup_drill_schedule }}", values) == f"*-*-02 {time}"
