"""What holds for every role, playbook and inventory: each rule returns what breaks it.

A finding says where it is and what to do. test_role_rules.py holds the project to every
rule, and every rule to a sample that breaks it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from jinja_names import distribution_tests, expressions, names, repeated_defaults
from role_tree import BRANCHES, LINE, Play, Quoted, Role, Task, Tree, as_list, load_plain

# One choice for the whole site, so it bears no role's name: who reads it specifies it alike.
SITE_WIDE = {"python_provider"}
# Variables of Ansible's own that an inventory, a play or a role may use.
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
}
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
# Said on the command line to a playbook, where no inventory is the place for it.
EXTRA_VARS = {
    "bootstrap_user": "the first login on a brand-new server, gone after bootstrap.yml",
}
ROLE_INCLUDES = {"ansible.builtin.include_role", "ansible.builtin.import_role"}
MESSAGES = {"fail_msg", "success_msg", "msg"}
# Tags with a meaning of Ansible's own.
ANSIBLE_TAGS = {"always", "never"}
HEADER = re.compile(r"\{\{ ansible_managed \| comment(\('\w+'\))? \}\}$")
XML_DECLARATION = re.compile(r"<\?xml [^>]*\?>$")
JSON_HEADER = '"managed_by": ansible_managed,'
# How a comment above a task says that its template's program has no checker.
NO_CHECKER = re.compile(r"\bno check(er)?\b", re.IGNORECASE)
# The family's file, or the family's with a major version: what tasks/set_vars.yml looks for.
SYSTEM_FILE = re.compile(r"[A-Z][A-Za-z]+(_\d+)?$")
TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "dict": (dict,),
    "float": (float, int),
    "int": (int,),
    "list": (list,),
    "path": (str,),
    "str": (str,),
}

Rule = Callable[[Tree], Iterator[str]]
RULES: list[Rule] = []


def rule(function: Rule) -> Rule:
    """Add the function to what is held."""
    RULES.append(function)
    return function


# --- specifications ------------------------------------------------------------------------------


@rule
def every_role_has_a_specification(tree: Tree) -> Iterator[str]:
    for role in tree.roles:
        if not (role.path / "meta/argument_specs.yml").is_file():
            yield f"roles/{role.name} has no meta/argument_specs.yml"


@rule
def every_option_says_what_it_is(tree: Tree) -> Iterator[str]:
    for role in tree.roles:
        for name, option in role.spec.items():
            where = f"roles/{role.name}/meta: {name}"
            if option.get("type") not in TYPES:
                yield f"{where} has no type of {', '.join(TYPES)}"
            if option.get("type") == "list" and "elements" not in option:
                yield f"{where} does not say what its elements are"
            description = " ".join(as_list(option.get("description")))
            if not description.endswith("."):
                yield f"{where} is not described in a sentence"


@rule
def specification_and_defaults_agree(tree: Tree) -> Iterator[str]:
    for role in tree.roles:
        specified = {
            name: option["default"] for name, option in role.spec.items() if "default" in option
        }
        for name in sorted(set(specified) - set(role.defaults) - SITE_WIDE):
            yield f"roles/{role.name}/defaults: {name} is missing"
        for name, value in role.defaults.items():
            where = f"roles/{role.name}/defaults: {name}"
            if name not in role.spec:
                yield f"{where} has no specification"
            elif name not in specified:
                yield f"{where} has no default in the specification"
            elif (value, type(value)) != (specified[name], type(specified[name])):
                yield f"{where} is {value!r}, in the specification {specified[name]!r}"


@rule
def values_have_the_type_and_are_of_the_choices_specified(tree: Tree) -> Iterator[str]:
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
                yield f"{where}: {name} is {value!r}, which is no {option['type']}"
                continue
            checked = ArgumentSpecValidator({name: option}).validate({name: value})
            yield from (f"{where}: {message}" for message in checked.error_messages)


@rule
def site_wide_options_are_specified_alike(tree: Tree) -> Iterator[str]:
    for name, options in tree.options.items():
        if len(options) > 1 and name not in SITE_WIDE:
            yield f"{name} is specified by {len(options)} roles"
        if any(option != options[0] for option in options):
            yield f"{name} is specified in different ways"


@rule
def a_default_that_is_repeated_elsewhere_is_the_specified_one(tree: Tree) -> Iterator[str]:
    """`x | default(...)` in another role or a playbook, which do not see the role's own default."""
    sources: list[tuple[str, object]] = [
        (tree.where(task.file, task.line), _own(task))
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
                        yield f"{where}: {name} is {specified!r} by default, here {repeated!r}"


# --- variables -----------------------------------------------------------------------------------


@rule
def public_names_begin_with_the_role(tree: Tree) -> Iterator[str]:
    for role in tree.roles:
        for name in sorted({*role.spec, *role.defaults} - SITE_WIDE):
            # With __ it is an argument that other roles pass to an entry point.
            if not _is_of(role.name, name):
                yield f"roles/{role.name}: {name} does not begin with {role.name}_"


@rule
def internal_names_begin_with_the_role(tree: Tree) -> Iterator[str]:
    for role in tree.roles:
        for path, content in role.vars.items():
            for name in content:
                if not name.startswith(role.internal):
                    yield f"{tree.where(path)}: {name} does not begin with {role.internal}"
        for task in [*role.tasks, *role.handlers]:
            for name in sorted(_made_by(task) - CONNECTION):
                if not name.startswith(role.internal):
                    where = tree.where(task.file, task.line)
                    yield f"{where}: {name} does not begin with {role.internal}"


@rule
def variables_that_are_set_exist(tree: Tree) -> Iterator[str]:
    """Inventories and plays set options of roles, Ansible's own names and a vault's."""
    known = set(tree.options) | CONNECTION
    claimed = ["ansible", *(role.name for role in tree.roles)]
    for path, name, _ in tree.inventory_variables:
        if name not in known and not name.startswith("vault_"):
            yield f"{tree.where(path)}: {name} is no role's variable"
    for play in tree.plays:
        # A scenario's steps have variables of their own, as long as they look like nobody else's.
        free = tree.scenario(play.file) is not None
        for name in sorted(_made_by_play(play) - known):
            if free and not any(_is_of(other, name) for other in claimed):
                continue
            if not _is_of(play.file.stem, name):
                yield f"{tree.where(play.file)}: {name} is no variable of a role or of the play"
    for task in (task for role in tree.roles for task in role.tasks):
        if task.module in ROLE_INCLUDES:
            for name in sorted(set(task.data.get("vars") or {}) - known - {LINE}):
                if not name.startswith("__"):
                    where = tree.where(task.file, task.line)
                    yield f"{where}: {name} is no role's variable"


@rule
def variables_that_inventories_and_plays_use_exist(tree: Tree) -> Iterator[str]:
    known = set(tree.options) | CONNECTION | MAGIC
    for path, _, value in tree.inventory_variables:
        for name in _used(value):
            if name not in known and not name.startswith("vault_"):
                yield f"{tree.where(path)}: {name} is used, but nobody specifies it"
    for play in tree.plays:
        own = set(EXTRA_VARS)
        for beside in tree.plays:
            scenario = tree.scenario(play.file)  # its files include each other
            if beside.file != play.file and (not scenario or scenario not in beside.file.parents):
                continue
            own |= _made_by_play(beside) | {_loop_variable(task) for task in beside.tasks}
        for name, borne in _used(play.data).items():
            if name in EXTRA_VARS and not borne:
                yield f"{tree.where(play.file)}: {name} is not always given, so it needs a default"
            elif name not in known | own:
                yield f"{tree.where(play.file)}: {name} is used, but nobody specifies it"


@rule
def the_example_of_a_vault_holds_what_its_inventory_takes_from_it(tree: Tree) -> Iterator[str]:
    for path in sorted((tree.root / "inventory").rglob("vault.yml.example")):
        inventory = tree.root.joinpath(*path.relative_to(tree.root).parts[:2])
        used = {
            name
            for file, _, value in tree.inventory_variables
            if inventory in file.parents
            for name in _used(value)
            if name.startswith("vault_")
        }
        for name in sorted(used ^ set(load_plain(path))):
            yield f"{tree.where(path)}: {name} is {'missing' if name in used else 'not used'}"


@rule
def variables_that_a_role_uses_are_defined_in_it(tree: Tree) -> Iterator[str]:
    """For each system that the role has variables for, its own are there; others have a default."""
    for role in tree.roles:
        made = {name for task in [*role.tasks, *role.handlers] for name in _made_by(task)}
        made |= {
            name for other in tree.roles for task in other.tasks for name in _given(task, role)
        }
        included = {t.arguments.get("name") for t in role.tasks if t.module in ROLE_INCLUDES}
        for other in tree.roles:
            if other.name in included:
                made |= {name for task in other.tasks for name in _made_by(task)}
        loops = {_loop_variable(task) for task in [*role.tasks, *role.handlers]}
        always = made | loops | MAGIC | CONNECTION
        certain = always | {name for name, option in role.spec.items() if "default" in option}
        certain -= SITE_WIDE
        for where, name, borne in _uses(tree, role):
            if name.startswith("__"):
                missing = [
                    system
                    for system, defined in _defined_per_system(role).items()
                    if name not in {*defined, *always}
                ]
                if missing:
                    yield f"{where}: {name} is not defined for {', '.join(missing)}"
            elif name not in certain:
                if name not in tree.options:
                    yield f"{where}: {name} is not defined"
                elif not borne:
                    yield f"{where}: {name} may be undefined here, so it needs a default"


@rule
def internal_variables_are_used(tree: Tree) -> Iterator[str]:
    for role in tree.roles:
        used = {name for _, name, _ in _uses(tree, role)}
        for path, content in role.vars.items():
            for name in content:
                if name not in used:
                    yield f"{tree.where(path)}: {name} is not used"


@rule
def options_are_used(tree: Tree) -> Iterator[str]:
    """In the role itself, or by another role whose own default follows it."""
    used = {name for role in tree.roles for _, name, _ in _uses(tree, role)}
    for role in tree.roles:
        for name in role.spec:
            if name not in used:
                yield f"roles/{role.name}/meta: {name} is used nowhere"


# --- templates -----------------------------------------------------------------------------------


@rule
def templates_begin_with_the_managed_header(tree: Tree) -> Iterator[str]:
    """The first line, after an XML declaration the second; JSON, without comments, has a key."""
    for template in tree.templates:
        lines = (tree.root / "templates" / template).read_text(encoding="utf-8").splitlines()
        if template.endswith(".json.j2"):
            good = [line.strip() for line in lines[:2]] == ["{{ {", JSON_HEADER]
        else:
            after = 1 if lines and XML_DECLARATION.match(lines[0]) else 0
            good = len(lines) > after and bool(HEADER.match(lines[after]))
        if not good:
            yield f"templates/{template} does not begin with the managed header"


@rule
def templates_are_checked_or_the_task_says_why_not(tree: Tree) -> Iterator[str]:
    """`validate` with %s in it, or else "no check" or "no checker" in a comment above the task."""
    for role in tree.roles:
        for task in role.template_tasks:
            where = tree.where(task.file, task.line)
            if "validate" not in task.arguments:
                if not NO_CHECKER.search(task.comment):
                    yield f"{where}: no validate, and no comment above that there is no checker"
            elif any("%s" not in command for (command,) in per_system(role, task, "validate")):
                yield f"{where}: validate does not name the file (%s)"


@rule
def templates_lie_where_they_land(tree: Tree) -> Iterator[str]:
    for role in tree.roles:
        for task in role.template_tasks:
            where = tree.where(task.file, task.line)
            for source, landing in sorted(per_system(role, task, "src", "dest")):
                if not source.endswith(".j2") or source not in tree.templates:
                    yield f"{where}: there is no templates/{source} that ends in .j2"
                elif "/" + source.removesuffix(".j2") != landing:
                    yield f"{where}: {source} lands at {landing}"


@rule
def every_template_is_used_by_exactly_one_task(tree: Tree) -> Iterator[str]:
    uses = Counter(
        source
        for role in tree.roles
        for task in role.template_tasks
        for (source,) in per_system(role, task, "src")
    )
    for template in tree.templates:
        if uses[template] != 1:
            yield f"templates/{template} is used by {uses[template]} tasks"


@rule
def roles_reach_the_templates_by_a_link(tree: Tree) -> Iterator[str]:
    for role in tree.roles:
        link = role.path / "templates"
        if role.template_tasks and not (
            link.is_symlink() and str(link.readlink()) == "../../templates"
        ):
            yield f"roles/{role.name}/templates is not a link to ../../templates"


# --- handlers and tags ---------------------------------------------------------------------------


@rule
def every_handler_is_notified(tree: Tree) -> Iterator[str]:
    for role in tree.roles:
        notified = {name for task in [*role.tasks, *role.handlers] for name in task.notified}
        for handler in role.handlers:
            if not {handler.name, *as_list(handler.data.get("listen"))} & notified:
                where = tree.where(handler.file, handler.line)
                yield f"{where}: nobody notifies {handler.name!r}"


@rule
def every_notification_has_a_handler(tree: Tree) -> Iterator[str]:
    for role in tree.roles:
        heard = {name for task in role.handlers for name in as_list(task.data.get("listen"))}
        heard |= {handler.name for handler in role.handlers}
        for task in [*role.tasks, *role.handlers]:
            for name in task.notified:
                if name not in heard:
                    where = tree.where(task.file, task.line)
                    yield f"{where}: no handler of the role hears {name!r}"


@rule
def tags_are_the_names_of_roles(tree: Tree) -> Iterator[str]:
    known = {role.name for role in tree.roles} | ANSIBLE_TAGS
    for play in tree.plays:
        tagged = [play.data, *play.roles, *(task.data for task in play.tasks)]
        for tag in sorted({tag for data in tagged for tag in _tags(data)} - known):
            yield f"{tree.where(play.file)}: the tag {tag} is no role's name"
        for entry in play.roles:
            if entry["role"] not in _tags(entry):
                yield f"{tree.where(play.file)}: the role {entry['role']} does not have its tag"
    for role in tree.roles:
        for task in [*role.tasks, *role.handlers]:
            for tag in sorted(set(_tags(task.data)) - known):
                yield f"{tree.where(task.file, task.line)}: the tag {tag} is no role's name"


@rule
def every_role_is_in_a_playbook(tree: Tree) -> Iterator[str]:
    """By itself, or because another role includes it or depends on it."""
    used = {entry["role"] for play in tree.plays for entry in play.roles}
    for role in tree.roles:
        used |= set(role.dependencies)
        used |= {str(t.arguments.get("name")) for t in role.tasks if t.module in ROLE_INCLUDES}
    for role in tree.roles:
        if role.name not in used:
            yield f"roles/{role.name} is in no playbook"


# --- how tasks are written -----------------------------------------------------------------------


@rule
def systems_are_told_apart_by_variables_only(tree: Tree) -> Iterator[str]:
    """Tasks and templates do not ask for the distribution: tasks/set_vars.yml and messages may."""
    for role in tree.roles:
        for task in [*role.tasks, *role.handlers]:
            if task.file.name == "set_vars.yml":
                continue
            for text, condition in expressions(_without_messages(_own(task))):
                for fact in distribution_tests(text, condition):
                    where = tree.where(task.file, task.line)
                    yield f"{where}: asks for {fact}; give it a variable in vars/"
    for template in tree.templates:
        text = (tree.root / "templates" / template).read_text(encoding="utf-8")
        for fact in distribution_tests(text, condition=False):
            yield f"templates/{template}: asks for {fact}; give it a variable in vars/"


@rule
def names_are_sentences(tree: Tree) -> Iterator[str]:
    for where, data in _named(tree):
        if not re.match(r"[A-Z]\w*'?\w* ?\w", data.get("name") or ""):
            yield f"{where}: the name {data.get('name')!r} does not begin with a capital letter"


@rule
def modes_are_quoted(tree: Tree) -> Iterator[str]:
    """Four digits or an expression, in quotes: 0644 without them is the number 420."""
    for where, data in _named(tree):
        for value in _found(data, "mode"):
            if not isinstance(value, Quoted) or not re.fullmatch(r"0[0-7]{3}|\{\{.*\}\}", value):
                yield f"{where}: the mode {value!r} is not four digits in quotes"


@rule
def modules_have_their_full_names(tree: Tree) -> Iterator[str]:
    """Those of plugins/modules have no collection to name."""
    own = {path.stem for path in (tree.root / "plugins/modules").glob("*.py")}
    every = [task for role in tree.roles for task in [*role.tasks, *role.handlers]]
    every += [task for play in tree.plays for task in play.tasks]
    for task in every:
        if task.module and task.module not in own and task.module.count(".") != 2:
            where = tree.where(task.file, task.line)
            yield f"{where}: {task.module} is not a module's full name"


# --- what the rules look up ----------------------------------------------------------------------


def _own(task: Task) -> dict:
    """Return what the task says itself: a block without the tasks in it."""
    return {key: value for key, value in task.data.items() if key not in BRANCHES}


def _used(value: object) -> dict[str, bool]:
    """Return the variables that the value's expressions use; True where each bears undefined."""
    found: dict[str, bool] = {}
    for text, _ in expressions(value):
        for name, borne in names(text).items():
            found[name] = found.get(name, True) and borne
    return found


def _uses(tree: Tree, role: Role) -> Iterator[tuple[str, str, bool]]:
    """Yield each use of a variable in the role: where, its name, whether it may be undefined."""
    sources: list[tuple[str, object]] = [
        (tree.where(task.file, task.line), _own(task)) for task in [*role.tasks, *role.handlers]
    ]
    sources.append((f"roles/{role.name}/defaults", role.defaults))
    sources += [(tree.where(path), content) for path, content in role.vars.items()]
    for template in {src for t in role.template_tasks for (src,) in per_system(role, t, "src")}:
        path = tree.root / "templates" / template
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            yield from ((tree.where(path), name, borne) for name, borne in names(text).items())
    for where, value in sources:
        yield from ((where, name, borne) for name, borne in _used(value).items())


def _defined_per_system(role: Role) -> dict[str, dict[str, object]]:
    """Return what vars/ defines for each system, main.yml included.

    A family's own file is a system, and so is the family with a major version's file on top; a role
    without such files has one system, which is every.
    """
    by_stem = {path.stem: content for path, content in role.vars.items()}
    main = by_stem.pop("main", {})
    systems = {stem: content for stem, content in by_stem.items() if SYSTEM_FILE.fullmatch(stem)}
    if not systems:
        return {"every system": main}
    return {
        stem: {**main, **systems.get(stem.split("_")[0], {}), **content}
        for stem, content in systems.items()
    }


def per_system(role: Role, task: Task, *arguments: str) -> set[tuple[str, ...]]:
    """Return the task's arguments on the systems that run it, with the role's variables put in.

    A file of tasks that a variable names (`include_tasks: "{{ __role_x }}"`) runs on the systems
    whose variable names it.
    """
    systems = list(_defined_per_system(role).values())
    chosen = [variables for variables in systems if task.file.name in variables.values()]
    return {
        tuple(_put_in(str(task.arguments.get(name)), variables) for name in arguments)
        for variables in chosen or systems
    }


def _put_in(text: str, variables: dict[str, object]) -> str:
    for name, value in variables.items():
        text = text.replace("{{ " + name + " }}", str(value))
    return text


def _made_by(task: Task) -> set[str]:
    """Return the variables that the task makes, its own `vars` and a renamed loop's included."""
    made = set(task.data.get("vars") or {}) - {LINE}
    if task.module in ROLE_INCLUDES:
        made = {name for name in made if not _is_of(str(task.arguments.get("name")), name)}
    if "register" in task.data:
        made.add(task.data["register"])
    if task.module == "ansible.builtin.set_fact":
        made |= set(task.arguments) - {LINE, "cacheable"}
    if _loop_variable(task) != "item":
        made.add(_loop_variable(task))
    return made


def _is_of(role: str, name: str) -> bool:
    return name.startswith((f"{role}_", f"__{role}_"))


def _given(task: Task, role: Role) -> set[str]:
    """Return the internal names of the role that the task gives to it by including it."""
    if task.module not in ROLE_INCLUDES or task.arguments.get("name") != role.name:
        return set()
    return {name for name in task.data.get("vars") or {} if name.startswith(role.internal)}


def _made_by_play(play: Play) -> set[str]:
    made = set(play.data.get("vars") or {}) - {LINE}
    for entry in play.roles:
        made |= set(entry.get("vars") or {}) - {LINE}
    for task in play.tasks:
        made |= _made_by(task)
    return made


def _loop_variable(task: Task) -> str:
    return (task.data.get("loop_control") or {}).get("loop_var", "item")


def _tags(data: dict) -> list[str]:
    tags = as_list(data.get("tags"))
    return [tag for listed in tags for tag in str(listed).split(",")]


def _without_messages(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_messages(v) for key, v in value.items() if key not in MESSAGES}
    if isinstance(value, list):
        return [_without_messages(below) for below in value]
    return value


def _named(tree: Tree) -> Iterator[tuple[str, dict]]:
    """Yield everything that has to have a name: plays, tasks and handlers."""
    for role in tree.roles:
        for task in [*role.tasks, *role.handlers]:
            yield tree.where(task.file, task.line), _own(task)
    for play in tree.plays:
        for task in play.tasks:
            yield tree.where(task.file, task.line), _own(task)
        outside = {"pre_tasks", "tasks", "post_tasks", "handlers"}
        data = {key: value for key, value in play.data.items() if key not in outside}
        yield tree.where(play.file, play.data[LINE]), data


def _found(value: object, key: str) -> Iterator[object]:
    """Yield every value of the key, at any depth."""
    if isinstance(value, dict):
        for name, below in value.items():
            if name == key:
                yield below
            else:
                yield from _found(below, key)
    elif isinstance(value, list):
        for below in value:
            yield from _found(below, key)
