"""Options and the values that inventories, plays and other roles give to them."""

from __future__ import annotations

from collections.abc import Iterator

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from jinja_expressions import expressions, repeated_defaults
from project_rule import SITE_WIDE
from role_tree import Tree

from cross_checks.lookup import own_part, uses

TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "dict": (dict,),
    "float": (float, int),
    "int": (int,),
    "list": (list,),
    "path": (str,),
    "str": (str,),
}


def values_match_their_specification(tree: Tree) -> Iterator[str]:
    """Defaults and values in inventories have the type of the option and are among its choices."""
    values = [
        (f"roles/{role.name}/meta: {name}", name, option["default"])
        for role in tree.roles
        for name, option in role.spec.items()
        if "default" in option
    ]
    values += [(tree.where(path), name, value) for path, name, value in tree.inventory_variables]
    for where, name, value in values:
        for option in tree.options.get(name, []):
            if any(True for _ in expressions(value)):
                continue
            kinds = TYPES.get(option.get("type", ""), (object,))
            if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                yield f"{where}: {name} is {value!r}, not of type {option['type']}"
                continue
            checked = ArgumentSpecValidator({name: option}).validate({name: value})
            yield from (f"{where}: {message}" for message in checked.error_messages)


def shared_options_have_one_specification(tree: Tree) -> Iterator[str]:
    """Only the choices for the whole site are options of several roles, specified identically."""
    for name, options in tree.options.items():
        if len(options) > 1 and name not in SITE_WIDE:
            yield f"{name} is specified by {len(options)} roles"
        if any(option != options[0] for option in options):
            yield f"the specifications of {name} differ"


def repeated_defaults_match_the_specification(tree: Tree) -> Iterator[str]:
    """Other roles and playbooks, which do not see the default, repeat it in `default(...)`."""
    sources: list[tuple[str, object]] = [
        (tree.where(task.file, task.line), own_part(task))
        for role in tree.roles
        for task in [*role.tasks, *role.handlers]
    ]
    for role in tree.roles:
        sources.append((f"roles/{role.name}/defaults", role.defaults))
        sources += [(tree.where(path), content) for path, content in role.vars.items()]
    sources += [(tree.where(play.file), play.data) for play in tree.plays]
    for where, value in sources:
        for text, _ in expressions(value):
            for name, repeated in repeated_defaults(text):
                for option in tree.options.get(name, []):
                    specified = option.get("default", repeated)
                    templated = any(True for _ in expressions(specified))
                    if not templated and specified != repeated:
                        yield f"{where}: the default of {name} is {specified!r}, here {repeated!r}"


def options_are_used(tree: Tree) -> Iterator[str]:
    """By the role itself, or by the defaults of another role."""
    used_names = {name for role in tree.roles for _, name, _ in uses(tree, role)}
    for role in tree.roles:
        for name in role.spec:
            if name not in used_names:
                yield f"roles/{role.name}/meta: {name} is not used"
