"""Which packages uninstall.yml takes for its own, with every ansible-core."""

from __future__ import annotations

from typing import Any

import pytest
from rendering import SYSTEMS, TREE, VARIANTS, evaluate, variables
from role_tree import Task

(UNINSTALL,) = (role for role in TREE.roles if role.name == "uninstall")
INSTALLED = {"curl": "7", "diffutils": "3", "nginx": "1"}


def values(system: str, before: list[str] | None) -> dict[str, object]:
    """Return the role's variables on a server with that record."""
    return {
        **variables(UNINSTALL, system, VARIANTS[0]),
        "ansible_facts": {**SYSTEMS[system], "packages": INSTALLED},
        "__uninstall_before": {"packages": before},
        "__uninstall_found": {"results": []},
        "uninstall_packages": "true",
        "uninstall_sudo_user": "true",
    }


def asked(name: str, found: dict[str, object]) -> Any:
    """Return a variable as a task sees it."""
    return evaluate("{{ " + name + " }}", found)


@pytest.mark.parametrize("system", SYSTEMS)
def test_no_package_is_ours_where_nobody_knows(system: str):
    """As in a second run, whose record is gone: curl and diffutils are what yum itself needs."""
    found = values(system, None)
    assert asked("__uninstall_packages_ours", found) == []
    (first, *_) = asked("__uninstall_report", found)
    assert first.startswith("Packages are left, because nobody knows")


@pytest.mark.parametrize("before", [["curl", "diffutils"], []])
def test_what_was_not_there_before_is_ours(before: list[str]):
    found = values("centos7", before)
    assert set(asked("__uninstall_packages_ours", found)) == set(INSTALLED) - set(before)
    assert not any("nobody knows" in line for line in asked("__uninstall_report", found))


# Of dnf 4.12 on Rocky Linux 9.1, with one more name that is longer than the table's column.
DNF_SAYS = """\
No match for argument: yum-utils
Dependencies resolved.
================================================================================
 Package                        Arch      Version           Repository     Size
================================================================================
Removing:
 nftables                       x86_64    1.0.6-1.el9       @baseos        27 k
 python3.11                     x86_64    3.11.2-2.el9      @appstream    6.5 M
Removing unused dependencies:
 python3-policycoreutils-of-a-long-name
                                noarch    3.4-4.el9         @baseos       2.1 M
 python3-nftables               x86_64    1.0.6-1.el9       @baseos         0
 python3.11-libs                x86_64    3.11.2-2.el9      @appstream     18 M

Transaction Summary
================================================================================
Remove  5 Packages

Freed space: 28 M
"""


def removal(file: str, of_the_name: str) -> Task:
    """Return a task of one of the role's files, of which several have a task of that name."""
    (found,) = (one for one in UNINSTALL.tasks if one.file.name == file and one.name == of_the_name)
    return found


@pytest.mark.parametrize(
    ("said", "unused"),
    [
        (DNF_SAYS, ["python3-policycoreutils-of-a-long-name", "python3.11-libs"]),
        (DNF_SAYS.replace("Removing unused dependencies:", "Removing dependent packages:"), []),
        ("No packages marked for removal.\nDependencies resolved.\nNothing to do.\n", []),
    ],
)
def test_on_el9_what_only_our_packages_needed_goes_with_them(said: str, unused: list[str]):
    """Ansible's module tells dnf to leave it: python3.11-libs stayed."""
    found = values("el9", ["curl", "diffutils", "python3-nftables"])
    found["__uninstall_simulated"] = {"rc": 1, "stdout": said, "stderr": "Operation aborted.\n"}
    remove = removal("packages_rpm.yml", "Remove them")
    assert evaluate(remove.arguments["name"], found) == ["nginx", *unused]
    ask = removal("packages_rpm.yml", "Ask dnf what goes with them")
    command = evaluate(ask.arguments["argv"], found)
    assert isinstance(command, list)
    assert "--assumeno" in command
    assert command[-2:] == ["remove", "nginx"]


@pytest.mark.parametrize(
    ("rc", "complaint", "failed"),
    [(0, "", False), (1, "Operation aborted.", False), (1, "Error: no space left", True)],
)
def test_on_el9_only_the_answer_no_is_no_failure(rc: int, complaint: str, failed: bool):
    ask = removal("packages_rpm.yml", "Ask dnf what goes with them")
    result = {"rc": rc, "stdout": "", "stderr": complaint}
    given = {"__uninstall_simulated": result}
    assert evaluate("{{ " + ask.data["failed_when"] + " }}", given) is failed
