"""`playbooks/upgrade_os.yml` sees updates that came after the last look at the repositories."""

from __future__ import annotations

import pytest
from ansible_run import load
from rendering import SYSTEMS, VARIANTS, evaluate, variables
from role_tasks import role, task
from role_tree import PROJECT

# What makes a package manager read the repositories again; apt is told by role package_lists.
WORDS = {
    "yum": {"--setopt=*.metadata_expire=0"},
    "dnf": {"--refresh"},
    "pacman": {"-Syu"},
}


CHECKED = {"__package_lists_checked": True}


def of_the_play() -> dict[str, object]:
    """Return what the play gives role package_lists."""
    (play,) = load(PROJECT / "playbooks/upgrade_os.yml")
    (entry,) = (one for one in play["roles"] if one["role"] == "package_lists")
    return dict(entry.get("vars", {}))


@pytest.mark.parametrize("system", [name for name in SYSTEMS if SYSTEMS[name]["pkg_mgr"] in WORDS])
@pytest.mark.parametrize("packages", ["security", "all"])
def test_the_package_manager_reads_the_repositories_again(system: str, packages: str):
    values = variables(role("os_upgrade"), system, VARIANTS[0]) | {"os_upgrade_packages": packages}
    argv = evaluate(values["__os_upgrade_argv"], values)
    assert isinstance(argv, list)
    assert WORDS[str(SYSTEMS[system]["pkg_mgr"])] <= set(argv)


@pytest.mark.parametrize("system", SYSTEMS)
def test_lists_of_today_are_not_new_enough(system: str):
    reads = task("package_lists", "List the installed packages, and look at the package lists")
    values = variables(role("package_lists"), system, VARIANTS[0])
    ages = [
        int(str(evaluate(reads.arguments["max_age"], values | more)))
        for more in ({}, of_the_play())
    ]
    assert ages == [86400, 0]


@pytest.mark.parametrize(
    ("known", "age", "asked"), [({}, 86400, True), (CHECKED, 86400, False), (CHECKED, 0, True)]
)
def test_lists_that_an_earlier_playbook_read_are_not_new_enough(
    known: dict[str, object], age: int, asked: bool
):
    """As with `ansible-playbook site.yml playbooks/upgrade_os.yml`."""
    when = str(task("package_lists", "Refresh the package lists").data["when"])
    given = {**known, "package_lists_max_age": age}
    assert evaluate("{{ " + when + " }}", given) is asked


def test_pacman_upgrades_within_the_limit_of_memory_alone():
    """Role package_lists would upgrade the whole system before role os_upgrade sets the limit."""
    refreshes = task("package_lists", "Refresh package lists that are not current")
    values = variables(role("package_lists"), "arch", VARIANTS[0]) | of_the_play()
    assert evaluate(refreshes.arguments["upgrade"], values) is False
