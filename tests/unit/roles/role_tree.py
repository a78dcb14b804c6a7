"""The roles, playbooks and inventories as data, for the checks and the tests of templates.

YAML is loaded with the line on which each mapping begins (`LINE`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from ansible.playbook.block import Block
from ansible.playbook.handler import Handler
from ansible.playbook.task import Task as AnsibleTask

PROJECT = Path(__file__).resolve().parents[3]
LINE = "__line__"
TEMPLATE = "ansible.builtin.template"
# Does what several tasks of the builtin modules do: every check sees those (`single_files`).
FILES = "files"
FILE_OWNERS = {"owner": "root", "group": "root"}
PLAYBOOK_IMPORTS = ("ansible.builtin.import_playbook", "import_playbook")
BRANCHES = ("block", "rescue", "always")
KEYWORDS = {*AnsibleTask.fattributes, *Handler.fattributes, *Block.fattributes, *BRANCHES}


class _Loader(yaml.SafeLoader):
    """SafeLoader that keeps lines, and reads Ansible's own tags as plain text."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Iterator[dict]:
    value: dict = {}
    yield value
    value.update(loader.construct_mapping(node))
    value[LINE] = node.start_mark.line + 1


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


class PlainLoader(yaml.SafeLoader):
    """SafeLoader that reads Ansible's own tags as plain text."""


for _loader in (_Loader, PlainLoader):
    _loader.add_multi_constructor("!", lambda loader, _tag, node: loader.construct_scalar(node))


def load(path: Path) -> Any:
    """Return the file's content with lines, None if the file does not exist."""
    if not path.is_file():
        return None
    return yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 (a SafeLoader)


def load_plain(path: Path) -> dict:
    """Return the mapping in the file as Ansible sees it, {} if there is none (or a vault)."""
    if not path.is_file():
        return {}
    content = yaml.load(path.read_text(encoding="utf-8"), PlainLoader)  # noqa: S506 (a SafeLoader)
    return content if isinstance(content, dict) else {}


@dataclass(frozen=True)
class Task:
    """A task, block or handler, with the file that it is in."""

    file: Path
    data: dict

    @property
    def name(self) -> str | None:
        return self.data.get("name")

    @property
    def line(self) -> int:
        return self.data[LINE]

    @property
    def module(self) -> str | None:
        """The module's name as written; None for a block."""
        for key in self.data:
            if key not in KEYWORDS and key != LINE and not key.startswith("with_"):
                return key
        return None

    @property
    def arguments(self) -> dict:
        value = self.data.get(self.module) if self.module else None
        return value if isinstance(value, dict) else {}

    @property
    def notified(self) -> list[str]:
        return as_list(self.data.get("notify"))


def tasks_in(path: Path) -> list[Task]:
    """Return every task of a file of tasks, those in blocks included."""
    return list(_walk(path, load(path) or []))


def single_files(task: Task) -> Iterator[Task]:
    """Yield what a task `files` stands for: a task of a builtin module for each of its files."""
    arguments = task.arguments
    if "files" not in arguments:  # units or records alone
        yield task
        return
    for entry in arguments["files"]:
        given = {**FILE_OWNERS, **entry}
        state = given.get("state", "file")
        if "src" in entry:
            module = TEMPLATE
        elif "content" in entry:
            module = "ansible.builtin.copy"
        else:
            module = "ansible.builtin.file"
            given["path"] = given.pop("dest")
        if "target" in given:
            given["src"] = given.pop("target")
        # Such as `applied`: a use of its variables.
        rest = {key: value for key, value in arguments.items() if key not in ("files", LINE)}
        data = {key: value for key, value in task.data.items() if key != FILES}
        yield Task(
            task.file, {**data, module: {**given, **rest, "state": state}, LINE: entry[LINE]}
        )


def _walk(path: Path, tasks: list[dict]) -> Iterator[Task]:
    for data in tasks:
        task = Task(path, data)
        if task.module == FILES:
            yield from single_files(task)
            continue
        yield task
        for branch in BRANCHES:
            yield from _walk(path, data.get(branch) or [])


@dataclass(frozen=True)
class Role:
    """One role's directory."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def private_prefix(self) -> str:
        """The prefix of the role's private variables."""
        return f"__{self.name}_"

    @cached_property
    def spec(self) -> dict[str, dict]:
        """The options of meta/argument_specs.yml by name, those of all entry points."""
        entries = load_plain(self.path / "meta/argument_specs.yml").get("argument_specs") or {}
        return {
            name: option
            for entry in entries.values()
            for name, option in (entry.get("options") or {}).items()
        }

    @cached_property
    def dependencies(self) -> list[str]:
        """The names of the roles that run before this one (meta/main.yml)."""
        listed = load_plain(self.path / "meta/main.yml").get("dependencies") or []
        return [entry["role"] if isinstance(entry, dict) else entry for entry in listed]

    @cached_property
    def defaults(self) -> dict[str, object]:
        return load_plain(self.path / "defaults/main.yml")

    @cached_property
    def vars(self) -> dict[Path, dict[str, object]]:
        """The content of each file below vars/."""
        return {path: load_plain(path) for path in sorted((self.path / "vars").glob("*.yml"))}

    @cached_property
    def tasks(self) -> list[Task]:
        files = sorted((self.path / "tasks").glob("*.yml"))
        return [task for path in files for task in tasks_in(path)]

    @cached_property
    def handlers(self) -> list[Task]:
        files = sorted((self.path / "handlers").glob("*.yml"))
        return [task for path in files for task in tasks_in(path)]

    @cached_property
    def all_dependencies(self) -> list[Role]:
        """The roles that run before this one, indirect ones first. It sees their variables."""
        found: list[Role] = []
        for name in self.dependencies:
            role = Role(self.path.parent / name)
            found += [one for one in (*role.all_dependencies, role) if one not in found]
        return found

    @property
    def template_tasks(self) -> list[Task]:
        return [task for task in self.tasks if task.module == TEMPLATE]


@dataclass(frozen=True)
class Play:
    """A play, the import of a playbook, or a file of tasks beside the playbooks."""

    file: Path
    data: dict

    @property
    def roles(self) -> list[dict]:
        """The play's roles, each as a mapping with at least `role`."""
        listed = self.data.get("roles") or []
        return [role if isinstance(role, dict) else {"role": role} for role in listed]

    @cached_property
    def tasks(self) -> list[Task]:
        return [
            task
            for part in ("pre_tasks", "tasks", "post_tasks", "handlers")
            for task in _walk(self.file, self.data.get(part) or [])
        ]


@dataclass(frozen=True)
class Tree:
    """All roles, playbooks, inventories and templates below one directory."""

    root: Path
    cache: dict = field(default_factory=dict, compare=False)

    @cached_property
    def roles(self) -> list[Role]:
        paths = sorted(path for path in (self.root / "roles").glob("*") if path.is_dir())
        return [Role(path) for path in paths]

    @cached_property
    def options(self) -> dict[str, list[dict]]:
        """Every public variable, with each role's specification of it."""
        found: dict[str, list[dict]] = {}
        for role in self.roles:
            for name, option in role.spec.items():
                found.setdefault(name, []).append(option)
        return found

    @cached_property
    def plays(self) -> list[Play]:
        files = [self.root / "site.yml", *sorted((self.root / "playbooks").glob("*.yml"))]
        files += sorted(
            path
            for path in (self.root / "molecule").rglob("*.yml")
            if "inventory" not in path.relative_to(self.root).parts
        )
        found = []
        for path in files:
            content = load(path)
            entries = [entry for entry in content if isinstance(entry, dict)] if content else []
            if any({"hosts", *PLAYBOOK_IMPORTS} & set(entry) for entry in entries):
                found += [Play(path, entry) for entry in entries]
            elif entries:
                found.append(Play(path, {"name": "Included", LINE: 1, "tasks": entries}))
        return found

    @cached_property
    def inventory_variables(self) -> list[tuple[Path, str, object]]:
        """Every variable that an inventory sets, with its file."""
        found = []
        for directory in [
            *sorted((self.root / "inventory").glob("*")),
            *sorted((self.root / "molecule").glob("*/inventory")),
        ]:
            for path in sorted(directory.rglob("*.yml")):
                content = load_plain(path)
                if {"group_vars", "host_vars"} & set(path.relative_to(directory).parts):
                    found += [(path, name, value) for name, value in content.items()]
                else:
                    found += [(path, *pair) for pair in _in_groups(content)]
        return found

    @cached_property
    def templates(self) -> list[str]:
        """Every template's path below templates/."""
        top = self.root / "templates"
        return sorted(str(path.relative_to(top)) for path in top.rglob("*") if path.is_file())

    def scenario(self, path: Path) -> Path | None:
        """Return the directory of the Molecule scenario that the file is part of."""
        top, *below = path.relative_to(self.root).parts
        return self.root / top / below[0] if top == "molecule" else None

    def where(self, path: Path, line: int | None = None) -> str:
        """Return the place for a message."""
        return f"{path.relative_to(self.root)}" + (f":{line}" if line else "")


def _in_groups(groups: object) -> Iterator[tuple[str, object]]:
    """Yield the variables of an inventory's groups and hosts."""
    if not isinstance(groups, dict):
        return
    for group in groups.values():
        group = group or {}
        yield from (group.get("vars") or {}).items()
        for host in (group.get("hosts") or {}).values():
            yield from (host or {}).items()
        yield from _in_groups(group.get("children"))


def as_list(value: object) -> list:
    """Return a list of a value that Ansible accepts as one or as several."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
