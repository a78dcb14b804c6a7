"""A reload of a unit that systemd starts again: it may just wait for its next start."""

from __future__ import annotations

import pytest
from role_tasks import TREE
from role_tree import PROJECT, Task, as_list

DROP_INS = PROJECT / "templates/etc/systemd/system"


def reloads() -> list[tuple[str, str, list[Task]]]:
    """Return role and unit of each handler that reloads one, with the handlers before it."""
    return [
        (role.name, str(handler.arguments["name"]), role.handlers[:place])
        for role in TREE.roles
        for place, handler in enumerate(role.handlers)
        if handler.arguments.get("state") == "reloaded"
        and list(DROP_INS.glob(f"{handler.arguments['name']}*"))
    ]


def test_nginx_and_haproxy_are_reloaded():
    assert {unit for _, unit, _ in reloads()} == {"nginx.service", "haproxy.service"}


@pytest.mark.parametrize(("role", "unit", "before"), reloads(), ids=lambda value: str(value)[:20])
def test_a_unit_that_waits_for_its_next_start_is_started_before_its_reload(
    role: str, unit: str, before: list[Task]
):
    """Ansible takes `activating` for started, and systemd reloads only what is active."""
    starts = [one for one in before if f"systemctl start {unit}" in str(one.data)]
    assert len(starts) == 1, role
    topic = f"Reload {'nginx' if unit.startswith('nginx') else 'HAProxy'}"
    assert topic in as_list(starts[0].data["listen"])
