"""What the rules of this project share: a base class, and access to tasks and files.

ansible-lint loads every module of this directory (`rulesdir` in .ansible-lint).
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansiblelint.errors import MatchError
from ansiblelint.file_utils import Lintable
from ansiblelint.rules import AnsibleLintRule
from ansiblelint.yaml_utils import get_line_column

# A choice for the whole site: each role that reads it specifies it, so no role's name is in front.
SITE_WIDE = {"python_provider"}
BRANCHES = ("block", "rescue", "always")
SECTIONS = ("pre_tasks", "tasks", "post_tasks", "handlers")
TEMPLATE = "ansible.builtin.template"
# Does what several tasks of module template do, one for each entry.
FILES = "files"
ROLE_INCLUDES = ("ansible.builtin.include_role", "ansible.builtin.import_role")


class ProjectRule(AnsibleLintRule):
    """A rule that reports (line, message) pairs.

    Unlike the match* methods of ansible-lint, an exception in a rule is not ignored.
    """

    severity = "MEDIUM"
    version_changed = "0.2.0"
    tags = ["idiom"]  # noqa: RUF012 (ansible-lint's own form)

    @abstractmethod
    def findings(self, file: Lintable) -> Iterator[tuple[int, str]]:
        """Yield the line and the message of each violation in the file."""

    def getmatches(self, file: Lintable) -> list[MatchError]:
        """Return the violations in the file."""
        if file.path.is_dir():
            return []
        return [
            self.create_matcherror(message=message, lineno=line, filename=file)
            for line, message in self.findings(file)
        ]


def tasks_of(file: Lintable) -> Iterator[dict[str, Any]]:
    """Yield each task and block of a file of tasks or handlers, or of a playbook."""
    entries = file.data if isinstance(file.data, list) else []
    if file.kind in ("tasks", "handlers"):
        yield from _walk(entries)
    elif file.kind == "playbook":
        for entry in entries:
            is_play = {"hosts", "roles", *SECTIONS} & set(entry)
            for section in SECTIONS:
                yield from _walk(entry.get(section) or [])
            if not is_play and "ansible.builtin.import_playbook" not in entry:
                # A file of tasks beside the playbooks of a Molecule scenario.
                yield from _walk([entry])


def _walk(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for task in tasks:
        yield task
        for branch in BRANCHES:
            yield from _walk(task.get(branch) or [])


def templates_of(task: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the line and the arguments of each template that the task puts in place."""
    if isinstance(task.get(TEMPLATE), dict):
        yield entry_line(task), task[TEMPLATE]
    for entry in as_list((task.get(FILES) or {}).get("files")):
        if "src" in entry:
            yield entry_line(entry), entry


def entry_line(entry: dict[str, Any]) -> int:
    """Return the line on which a task or a play begins; from 2.19 on, Ansible's words know it."""
    return int(entry.get("__line__") or get_line_column(next(iter(entry)))[0])


def own_part(task: dict[str, Any]) -> dict[str, Any]:
    """Return the task without the tasks in it."""
    return {key: value for key, value in task.items() if key not in BRANCHES}


def role_directory(file: Lintable) -> Path | None:
    """Return the directory of the role that the file is part of."""
    path = file.abspath if isinstance(file.abspath, Path) else Path(str(file.abspath))
    for directory in path.parents:
        if directory.parent.name == "roles":
            return directory
    return None


def project_directory(file: Lintable) -> Path:
    """Return the nearest directory above the file that holds the roles."""
    path = Path(str(file.abspath))
    return next(directory for directory in path.parents if (directory / "roles").is_dir())


def line_of(file: Lintable, name: str) -> int:
    """Return the line on which the key stands, 1 if it cannot be found."""
    for number, line in enumerate(file.content.splitlines(), 1):
        if re.match(rf"\s*{re.escape(name)}:", line):
            return number
    return 1


def as_list(value: Any) -> list[Any]:
    """Return a list of what Ansible takes as one or as several."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
