"""A timer that a role installs is enabled and started by it: nobody else does."""

from __future__ import annotations

import pytest
from rendering import TREE
from role_tasks import role
from role_tree import Role


def timers(of: Role) -> set[str]:
    """Return the names of the timers whose files the role installs."""
    places = {str(one.arguments.get("dest") or "") for one in of.tasks}
    return {one.rpartition("/")[2] for one in places if one.endswith(".timer")}


def started(of: Role) -> set[str]:
    """Return the units that the role enables and starts."""
    units = [unit for one in of.tasks for unit in one.arguments.get("units") or []]
    return {str(one["name"]) for one in units if one.get("start", True)}


# That of role tls runs with some of the values of tls_mode alone.
WITH_TIMERS = sorted(one.name for one in TREE.roles if timers(one) and one.name != "tls")


def test_roles_with_timers_are_found() -> None:
    assert {"backup", "toxctl"} <= set(WITH_TIMERS)
    assert timers(role("toxctl")) == {"tox_com_det-verify.timer"}


@pytest.mark.parametrize("name", WITH_TIMERS)
def test_every_timer_is_enabled_and_started(name: str) -> None:
    assert timers(role(name)) <= started(role(name))


def test_recovery_is_enabled_for_the_next_boot_alone() -> None:
    units = [unit for one in role("toxctl").tasks for unit in one.arguments.get("units") or []]
    recover = [one for one in units if one["name"] == "tox_com_det-recover.service"]
    assert recover
    assert all(one["start"] is False for one in recover)
