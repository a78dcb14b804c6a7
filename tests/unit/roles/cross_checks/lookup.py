"""What the checks look up: which variables are set and used where, and values on each system."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jinja_expressions import expressions, names
from role_tree import BRANCHES, LINE, Play, Role, Task, Tree

# Variables of Ansible's own that an inventory, a play or a role may set.
CONNECTION = {
    "ansible_become",
    "ansible_become_method",
    "ansible_become_password",
    "ansible_connection",
    "ansible_host",
    "ansible_password",
    "ansible_port",
    "ansible_private_key_file",
    "ansible_python_interpreter",
    "ansible_ssh_args",
    "ansible_ssh_common_args",
    "ansible_ssh_extra_args",
    "ansible_ssh_private_key_file",
    "ansible_user",
    # As ansible_host is, a host's own: of the hosts of a cluster.
    "cluster_address",
}
# Variables of Ansible's own that are always defined.
MAGIC = {
    "ansible_check_mode",
    "ansible_diff_mode",
    "ansible_facts",
    "ansible_failed_result",
    "ansible_failed_task",
    "ansible_managed",
    "ansible_play_hosts",
    "ansible_playbook_python",
    "ansible_version",
    "group_names",
    "groups",
    "hostvars",
    "inventory_dir",
    "inventory_file",
    "inventory_hostname",
    "playbook_dir",
    "role_path",
}
ROLE_INCLUDES = {"ansible.builtin.include_role", "ansible.builtin.import_role"}
# The file of a family, or of a family and a major version: what tasks/set_vars.yml loads.
SYSTEM_FILE = re.compile(r"[A-Z][A-Za-z]+(_\d+)?$")


def own_part(task: Task) -> dict:
    """Return the task without the tasks in it."""
    return {key: value for key, value in task.data.items() if key not in BRANCHES}


def used(value: object) -> dict[str, bool]:
    """Return the variables that the value uses; True if none of its uses fails when undefined."""
    found: dict[str, bool] = {}
    for text, _ in expressions(value):
        for name, optional in names(text).items():
            found[name] = found.get(name, True) and optional
    return found


def uses(tree: Tree, role: Role) -> Iterator[tuple[str, str, bool]]:
    """Yield each use of a variable in the role: place, name, whether it may be undefined."""
    sources: list[tuple[str, object]] = [
        (tree.where(task.file, task.line), own_part(task)) for task in [*role.tasks, *role.handlers]
    ]
    sources.append((f"roles/{role.name}/defaults", role.defaults))
    sources += [(tree.where(path), content) for path, content in role.vars.items()]
    for template in {src for t in role.template_tasks for (src,) in per_system(role, t, "src")}:
        path = tree.root / "templates" / template
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            yield from (
                (tree.where(path), name, optional) for name, optional in names(text).items()
            )
    for where, value in sources:
        yield from ((where, name, optional) for name, optional in used(value).items())


def defined_per_system(role: Role) -> dict[str, dict[str, object]]:
    """Return what vars/ defines for each system, main.yml and dependencies included.

    A system is a family, or a family and a major version, whose file is then merged over the
    family's. A role without such files has the same variables on every system.
    """
    by_stem = {path.stem: content for path, content in role.vars.items()}
    main: dict[str, object] = {}
    for one in role.all_dependencies:
        for content in one.vars.values():
            main |= content
    main |= by_stem.pop("main", {})
    systems = {stem: content for stem, content in by_stem.items() if SYSTEM_FILE.fullmatch(stem)}
    if not systems:
        return {"every system": main}
    return {
        stem: {**main, **systems.get(stem.split("_")[0], {}), **content}
        for stem, content in systems.items()
    }


def per_system(role: Role, task: Task, *arguments: str) -> set[tuple[str, ...]]:
    """Return the task's arguments on the systems that run it, with the role's variables replaced.

    A task file that is included through a variable (`include_tasks: "{{ __role_x }}"`) runs on the
    systems whose variable names it.
    """
    systems = list(defined_per_system(role).values())
    chosen = [variables for variables in systems if task.file.name in variables.values()]
    return {
        tuple(_replace(str(task.arguments.get(name)), variables) for name in arguments)
        for variables in chosen or systems
    }


def _replace(text: str, variables: dict[str, object]) -> str:
    for name, value in variables.items():
        text = text.replace("{{ " + name + " }}", str(value))
    return text


def set_by(task: Task) -> set[str]:
    """Return the variables that the task sets: vars, register, set_fact and loop_var."""
    found = set(task.data.get("vars") or {}) - {LINE}
    if task.module in ROLE_INCLUDES:
        found = {name for name in found if not belongs_to(str(task.arguments.get("name")), name)}
    if "register" in task.data:
        found.add(task.data["register"])
    if task.module == "ansible.builtin.set_fact":
        found |= set(task.arguments) - {LINE, "cacheable"}
    if loop_variable(task) != "item":
        found.add(loop_variable(task))
    return found


def belongs_to(role: str, name: str) -> bool:
    """Return whether the name is an option or a private variable of the role."""
    return name.startswith((f"{role}_", f"__{role}_"))


def given(task: Task, role: Role) -> set[str]:
    """Return the private variables of the role that the task passes to it by including it."""
    if task.module not in ROLE_INCLUDES or task.arguments.get("name") != role.name:
        return set()
    return {name for name in task.data.get("vars") or {} if name.startswith(role.private_prefix)}


def set_by_play(play: Play) -> set[str]:
    """Return the variables that the play, its roles and its tasks set."""
    found = set(play.data.get("vars") or {}) - {LINE}
    for entry in play.roles:
        found |= set(entry.get("vars") or {}) - {LINE}
    for task in play.tasks:
        found |= set_by(task)
    return found


def loop_variable(task: Task) -> str:
    """Return the name of the loop's variable."""
    return (task.data.get("loop_control") or {}).get("loop_var", "item")
