"""Each variable that is set or used anywhere exists, and private variables are used."""

from __future__ import annotations

from collections.abc import Iterator

from role_tree import LINE, Tree, load_plain

from cross_checks.lookup import (
    CONNECTION,
    MAGIC,
    ROLE_INCLUDES,
    belongs_to,
    defined_per_system,
    given,
    loop_variable,
    set_by,
    set_by_play,
    used,
    uses,
)

# Set on the command line of a playbook, because no inventory is the place for them.
EXTRA_VARS = {
    "bootstrap_user": "the first login on a new server, used by bootstrap.yml alone",
}


def set_variables_exist(tree: Tree) -> Iterator[str]:
    """Inventories and plays set only options of roles, Ansible's own variables and the vault's."""
    known = set(tree.options) | CONNECTION
    claimed = ["ansible", *(role.name for role in tree.roles)]
    for path, name, _ in tree.inventory_variables:
        if name not in known and not name.startswith("vault_"):
            yield f"{tree.where(path)}: {name} is not an option of a role"
    for play in tree.plays:
        # The steps of a scenario have variables of their own, unless the name is like a role's.
        free = tree.scenario(play.file) is not None
        for name in sorted(set_by_play(play) - known):
            if free and not any(belongs_to(other, name) for other in claimed):
                continue
            if not belongs_to(play.file.stem, name):
                yield f"{tree.where(play.file)}: {name} is no option and not private to the play"
    for task in (task for role in tree.roles for task in role.tasks):
        if task.module in ROLE_INCLUDES:
            for name in sorted(set(task.data.get("vars") or {}) - known - {LINE}):
                if not name.startswith("__"):
                    where = tree.where(task.file, task.line)
                    yield f"{where}: {name} is not an option of a role"


def used_variables_exist(tree: Tree) -> Iterator[str]:
    """Inventories and plays use only variables that are specified or set."""
    known = set(tree.options) | CONNECTION | MAGIC
    for path, _, value in tree.inventory_variables:
        for name in used(value):
            if name not in known and not name.startswith("vault_"):
                yield f"{tree.where(path)}: {name} is used, but not specified"
    # Which hosts of a cluster a role is for: roles of the play bring role layout.
    layouts = [role.vars.values() for role in tree.roles if role.name == "layout"]
    layout = {name for files in layouts for values in files for name in values}
    for play in tree.plays:
        own = set(EXTRA_VARS) | layout
        for beside in tree.plays:
            scenario = tree.scenario(play.file)  # the files of a scenario include each other
            if beside.file != play.file and (not scenario or scenario not in beside.file.parents):
                continue
            own |= set_by_play(beside) | {loop_variable(task) for task in beside.tasks}
        for name, optional in used(play.data).items():
            if name in EXTRA_VARS and not optional:
                yield f"{tree.where(play.file)}: {name} is not always set, so it needs a default"
            elif name not in known | own:
                yield f"{tree.where(play.file)}: {name} is used, but not specified"


def vault_examples_are_complete(tree: Tree) -> Iterator[str]:
    """vault.yml.example has exactly the variables that its inventory takes from the vault."""
    for path in sorted((tree.root / "inventory").rglob("vault.yml.example")):
        inventory = tree.root.joinpath(*path.relative_to(tree.root).parts[:2])
        taken = {
            name
            for file, _, value in tree.inventory_variables
            if inventory in file.parents
            for name in used(value)
            if name.startswith("vault_")
        }
        for name in sorted(taken ^ set(load_plain(path))):
            yield f"{tree.where(path)}: {name} is {'missing' if name in taken else 'not used'}"


def role_variables_are_defined(tree: Tree) -> Iterator[str]:
    """Private variables are defined for every system, options of other roles have a default."""
    for role in tree.roles:
        set_here = {name for task in [*role.tasks, *role.handlers] for name in set_by(task)}
        set_here |= {
            name for other in tree.roles for task in other.tasks for name in given(task, role)
        }
        included = {t.arguments.get("name") for t in role.tasks if t.module in ROLE_INCLUDES}
        for other in tree.roles:
            if other.name in included:
                set_here |= {name for task in other.tasks for name in set_by(task)}
        loops = {loop_variable(task) for task in [*role.tasks, *role.handlers]}
        always = set_here | loops | MAGIC | CONNECTION
        certain = always | {name for one in (*role.all_dependencies, role) for name in one.defaults}
        for where, name, optional in uses(tree, role):
            if name.startswith("__"):
                missing = [
                    system
                    for system, defined in defined_per_system(role).items()
                    if name not in {*defined, *always}
                ]
                if missing:
                    yield f"{where}: {name} is not defined for {', '.join(missing)}"
            elif name not in certain:
                if name not in tree.options:
                    yield f"{where}: {name} is not defined"
                elif not optional:
                    yield f"{where}: {name} may be undefined here, so it needs a default"


def private_variables_are_used(tree: Tree) -> Iterator[str]:
    """Nothing in vars/ is left over."""
    used_names = {name for role in tree.roles for _, name, _ in uses(tree, role)}
    for role in tree.roles:
        for path, content in role.vars.items():
            for name in content:
                if name not in used_names:
                    yield f"{tree.where(path)}: {name} is not used"
