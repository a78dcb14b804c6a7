"""docs/centos7.md and docs/el9.md name every package that a repository for a container needs."""

from __future__ import annotations

import re

import pytest
from documents import ROOT
from rendering import TREE, VARIANTS, evaluate, variables

PAGES = {"centos7": "centos7.md", "el9": "el9.md"}
# Tasks whose packages no list needs, on neither of the systems.
LEFT_OUT = {
    "backup: Install restic": "in a sentence of its own",
    "balancer: Install HAProxy": "these scenarios have no balancer",
    "base: Install tools where a repository of the system has them": "optional",
    "base: Install unattended-upgrades": "Debian's",
    "hardening: Install the packages": "off by default",
    "hardening: Bring back what they took the place of": "off by default",
    "mongodb: Install MongoDB's driver": "for a replica set",
    "mongodb: Install dependencies of SecantusDB": "the image has Python",
    "mongodb: Install dependencies of key handling": "Debian's",
    "mongodb: Install the tools that build a package": "Arch Linux's",
    "mongodb_access: Install MongoDB's driver": "for access from outside",
    "tls: Install openssl": "off by default",
}
OF_SYSTEM = {
    "centos7": {"base: Install dnf-automatic": "yum's is yum-cron"},
    "el9": {
        "base: Install yum-cron": "dnf's is dnf-automatic",
        "selinux: Install the policy tools": "the scenario's container has no SELinux",
    },
}


def installed(system: str) -> dict[str, list[str]]:
    """Return what the roles install on a system, by task."""
    found: dict[str, list[str]] = {}
    for role in TREE.roles:
        for task in role.tasks:
            name = f"{role.name}: {task.name}"
            if task.module != "ansible.builtin.package" or task.arguments["state"] == "absent":
                continue
            if name in {**LEFT_OUT, **OF_SYSTEM[system]}:
                continue
            # What a package that is there already provides is known on the server alone.
            asked = str(task.arguments["name"]).replace("_packages_to_install", "_packages")
            packages = evaluate(asked, variables(role, system, VARIANTS[0]))
            found[name] = packages if isinstance(packages, list) else [str(packages)]
    return found


@pytest.mark.parametrize("system", PAGES)
def test_a_page_names_every_package_that_a_repository_needs(system: str) -> None:
    page = (ROOT / "docs" / PAGES[system]).read_text(encoding="utf-8")
    words = set(re.findall(r"[\w.+-]*\w", page.partition("\n## In a container\n")[2]))
    packages = installed(system)
    assert {"base: Install packages", "log_rotation: Install logrotate"} <= packages.keys()
    missing = {task: set(names) - words for task, names in packages.items()}
    assert {task: names for task, names in missing.items() if names} == {}


def test_what_is_left_out_is_a_task_of_a_role() -> None:
    tasks = {f"{role.name}: {task.name}" for role in TREE.roles for task in role.tasks}
    assert {*LEFT_OUT, *OF_SYSTEM["centos7"], *OF_SYSTEM["el9"]} <= tasks
