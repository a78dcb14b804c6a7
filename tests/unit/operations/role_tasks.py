"""Find single tasks of the roles, and evaluate assert tasks with given variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rendering import TREE, evaluate
from role_tree import PROJECT, Role, Task, as_list

# Modules that install packages, or refresh the lists of them.
PACKAGE_MODULES = {
    f"ansible.builtin.{name}" for name in ("apt", "dnf", "dnf5", "package", "rpm", "yum")
}


@dataclass(frozen=True)
class Verdict:
    """The result of an assert task: whether it ran, whether it passed, its message."""

    ran: bool
    passed: bool
    message: str


def role(name: str) -> Role:
    """Return the role of that name."""
    (found,) = (one for one in TREE.roles if one.name == name)
    return found


def task(of: str, name: str) -> Task:
    """Return the role's one task of that name."""
    (found,) = (one for one in role(of).tasks if one.name == name)
    return found


def evaluate_assert(of: Task, values: Mapping[str, object]) -> Verdict:
    """Return what an assert task makes of these variables."""
    given = {"inventory_hostname": "nanode", **(of.data.get("vars") or {}), **values}

    def holds(conditions: object) -> bool:
        return all(bool(evaluate("{{ " + str(one) + " }}", given)) for one in as_list(conditions))

    ran = holds(of.data.get("when"))
    message = str(evaluate(of.arguments["fail_msg"], given)) if ran else ""
    return Verdict(ran, not ran or holds(of.arguments["that"]), message)


def roles_in_order(playbook: str) -> list[str]:
    """Return the roles of a playbook in the order in which they run."""
    path = PROJECT / "playbooks" / playbook
    return [entry["role"] for play in TREE.plays if play.file == path for entry in play.roles]
