"""yum and dnf are not killed for lack of memory on a 1 GB server.

Swap exists before the first package task, no timer refreshes package lists, and few repositories
are enabled.
"""

from __future__ import annotations

import pytest
from parsers import yum_repositories
from rendering import SYSTEMS, VARIANTS, evaluate, render, variables
from role_tasks import PACKAGE_MODULES, role, roles_in_order, task

REPOSITORIES = ("etc/yum.repos.d/CentOS-Base.repo.j2", "etc/yum.repos.d/epel.repo.j2")


def test_swap_comes_before_the_first_package_task():
    before = roles_in_order("secure.yml")
    for name in before[: before.index("base")]:
        assert role(name).dependencies == []
        assert not [one for one in role(name).tasks if one.module in PACKAGE_MODULES]
    main = [one for one in role("base").tasks if one.file.name == "main.yml"]
    order = [one.name for one in main]
    swap = order.index("Create swap before the first package task")
    packages = next(i for i, one in enumerate(main) if one.module in PACKAGE_MODULES)
    assert swap < order.index("Refresh the package lists") < packages
    assert main[swap].data["when"] == "base_swap_enabled"


@pytest.mark.parametrize("system", SYSTEMS)
def test_package_lists_are_not_refreshed_in_the_background(system: str):
    values = variables(role("package_sources"), system, VARIANTS[0])
    timers = evaluate(values["__package_sources_timers"], values)
    expected = {
        "centos7": ["yum-makecache.timer"],
        "el9": ["dnf-makecache.timer"],
        "debian12": [],
        "debian13": [],
        "arch": [],
    }
    assert timers == expected[system]
    off = task("package_sources", "Disable background refreshes of package lists").arguments
    assert (off["enabled"], off["state"]) == (False, "stopped")


def test_yum_has_four_repositories_and_refreshes_them_monthly():
    enabled = []
    for template in REPOSITORIES:
        found = yum_repositories(render(template, role("package_sources"), "centos7", VARIANTS[0]))
        enabled += [name for name in found.sections() if found[name]["enabled"] == "1"]
        assert {found[name]["metadata_expire"] for name in found.sections()} == {"30d"}
    assert enabled == ["base", "updates", "extras", "epel"]
