"""Which packages uninstall.yml takes for its own, with every ansible-core."""

from __future__ import annotations

from typing import Any

import pytest
from rendering import SYSTEMS, TREE, VARIANTS, evaluate, variables

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
