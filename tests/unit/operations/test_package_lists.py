"""Every play that installs packages waits for another package manager, early and late."""

from __future__ import annotations

import pytest
from ansible_run import load
from role_tasks import PACKAGE_MODULES, TREE, role
from role_tree import PROJECT

PLAYS = [
    (path.name, play)
    for path in sorted((PROJECT / "playbooks").glob("*.yml"))
    for play in load(path)
]


def installs(name: str) -> bool:
    """Return whether a role installs packages."""
    return any(one.module in PACKAGE_MODULES for one in role(name).tasks)


@pytest.mark.parametrize(
    "play",
    [play for _, play in PLAYS if any(installs(one["role"]) for one in play.get("roles", []))],
    ids=lambda play: play["name"],
)
def test_a_lock_taken_later_in_the_run_is_waited_for(play: dict):
    assert set(play["module_defaults"]) == {
        f"ansible.builtin.{one}" for one in ("apt", "dnf", "yum")
    }
    for values in play["module_defaults"].values():
        assert "package_lists_lock_timeout" in values["lock_timeout"]


def test_nothing_refreshes_the_lists_past_the_action_that_waits():
    for one in TREE.roles:
        for task in one.tasks:
            if task.module in PACKAGE_MODULES:
                assert "update_cache" not in task.arguments, f"{one.name}: {task.name}"
