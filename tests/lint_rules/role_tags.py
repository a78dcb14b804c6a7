"""Tags are the names of roles, so that `--tags nginx` runs one role alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansiblelint.file_utils import Lintable
from project_rule import (
    ProjectRule,
    as_list,
    entry_line,
    own_part,
    project_directory,
    tasks_of,
)

# Tags with a meaning of Ansible's own.
SPECIAL = {"always", "never"}


class RoleTags(ProjectRule):
    """Each tag is the name of a role, and each role in a play has its own."""

    id = "role-tags"
    description = (
        "`ansible-playbook site.yml --tags <role>` runs one role alone: a role in a play has its "
        "name as a tag, and no other tags exist."
    )

    def findings(self, file: Lintable) -> Iterator[tuple[int, str]]:
        if file.kind not in ("tasks", "handlers", "playbook"):
            return
        known = {path.name for path in (project_directory(file) / "roles").iterdir()} | SPECIAL
        tagged = [own_part(task) for task in tasks_of(file)]
        if file.kind == "playbook":
            for play in file.data:
                tagged.append(play)
                for given in play.get("roles") or []:
                    entry = given if isinstance(given, dict) else {"role": given}
                    tagged.append(entry)
                    if entry["role"] not in _tags(entry):
                        line = entry_line(given if isinstance(given, dict) else play)
                        yield line, f"the role {entry['role']} does not have its name as a tag"
        for data in tagged:
            for tag in sorted(set(_tags(data)) - known):
                yield entry_line(data), f"the tag {tag} is not the name of a role"


def _tags(data: dict[str, Any]) -> list[str]:
    return [tag for listed in as_list(data.get("tags")) for tag in str(listed).split(",")]
