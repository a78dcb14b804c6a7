"""The scenario `default` names tasks and handlers that exist."""

from __future__ import annotations

import yaml
from role_tree import PROJECT, Tree

SCENARIO = PROJECT / "molecule/default"
TREE = Tree(PROJECT)


def loop_of(name: str) -> list:
    """Return the loop of a step's first task."""
    (play,) = yaml.safe_load((SCENARIO / name).read_text(encoding="utf-8"))
    return play["tasks"][0]["loop"]


def names(part: str) -> set[str]:
    """Return the names of all tasks or handlers as Ansible prints them."""
    return {f"{role.name} : {one.name}" for role in TREE.roles for one in getattr(role, part)}


def test_runs_are_interrupted_after_existing_tasks():
    lost = loop_of("interrupt_handlers.yml")
    after = [*loop_of("interrupt_first_run.yml"), *(one["after"] for one in lost)]
    assert len(after) > 7
    assert set(after) <= names("tasks")
    assert {one["handler"] for one in lost} <= names("handlers")
