"""Variables that a role sets for itself are recognizable as private."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansiblelint.constants import ANNOTATION_KEYS
from ansiblelint.file_utils import Lintable
from project_rule import (
    ROLE_INCLUDES,
    ProjectRule,
    entry_line,
    line_of,
    own_part,
    role_directory,
    tasks_of,
)

SET_FACT = "ansible.builtin.set_fact"


class PrivateVariablePrefix(ProjectRule):
    """Private variables of a role begin with two underscores and its name."""

    id = "private-variable-prefix"
    description = (
        "The name of a variable that a role sets in vars/, or with register, set_fact, vars or "
        "loop_var, begins with __<role>_. ansible-lint's var-naming[no-role-prefix] also accepts "
        "<role>_, which is for options."
    )

    def findings(self, file: Lintable) -> Iterator[tuple[int, str]]:
        role = role_directory(file)
        if role is None:
            return
        prefix = f"__{role.name}_"
        found: list[tuple[int, str]] = []
        if file.kind == "vars" and "vars" in file.path.parts and isinstance(file.data, dict):
            names = set(file.data) - set(ANNOTATION_KEYS)
            found = [(line_of(file, name), name) for name in names]
        elif file.kind in ("tasks", "handlers"):
            found = [(entry_line(task), name) for task in tasks_of(file) for name in _set_by(task)]
        for line, name in sorted(found):
            if not name.startswith((prefix, "ansible_")):
                yield line, f"{name} does not begin with {prefix}"


def _set_by(task: dict[str, Any]) -> set[str]:
    """Return the variables that the task sets, apart from those that it passes to a role."""
    task = own_part(task)
    names = set(task.get("vars") or {})
    for included in (task[module]["name"] for module in ROLE_INCLUDES if module in task):
        names = {name for name in names if not name.startswith((f"{included}_", f"__{included}_"))}
    if SET_FACT in task:
        names |= set(task[SET_FACT]) - {"cacheable"}
    if "register" in task:
        names.add(task["register"])
    if "loop_var" in (task.get("loop_control") or {}):
        names.add(task["loop_control"]["loop_var"])
    return names - set(ANNOTATION_KEYS)
