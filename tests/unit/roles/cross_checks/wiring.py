"""Templates, handlers and roles are connected: each is used, and what is used exists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from role_tree import Tree, as_list

from cross_checks.lookup import ROLE_INCLUDES, per_system


def template_paths_match_destinations(tree: Tree) -> Iterator[str]:
    """templates/etc/web/web.conf.j2 is installed as /etc/web/web.conf."""
    for role in tree.roles:
        for task in role.template_tasks:
            where = tree.where(task.file, task.line)
            for source, destination in sorted(per_system(role, task, "src", "dest")):
                if source not in tree.templates:
                    yield f"{where}: templates/{source} does not exist"
                elif "/" + source.removesuffix(".j2") != destination:
                    yield f"{where}: {source} is installed as {destination}"


def each_template_has_one_task(tree: Tree) -> Iterator[str]:
    """No template is left over or installed twice."""
    uses = Counter(
        source
        for role in tree.roles
        for task in role.template_tasks
        for (source,) in per_system(role, task, "src")
    )
    for template in tree.templates:
        if uses[template] != 1:
            yield f"templates/{template} is used by {uses[template]} tasks"


def roles_link_to_the_templates(tree: Tree) -> Iterator[str]:
    """A role finds its templates through a link."""
    for role in tree.roles:
        link = role.path / "templates"
        if role.template_tasks and not (
            link.is_symlink() and str(link.readlink()) == "../../templates"
        ):
            yield f"roles/{role.name}/templates is not a link to ../../templates"


def handlers_are_notified(tree: Tree) -> Iterator[str]:
    """By a task or a handler of the same role."""
    for role in tree.roles:
        notified = {name for task in [*role.tasks, *role.handlers] for name in task.notified}
        for handler in role.handlers:
            if not {handler.name, *as_list(handler.data.get("listen"))} & notified:
                where = tree.where(handler.file, handler.line)
                yield f"{where}: the handler {handler.name!r} is not notified"


def notifications_have_handlers(tree: Tree) -> Iterator[str]:
    """In the same role, by name or by topic."""
    for role in tree.roles:
        topics = {name for task in role.handlers for name in as_list(task.data.get("listen"))}
        topics |= {handler.name for handler in role.handlers}
        for task in [*role.tasks, *role.handlers]:
            for name in task.notified:
                if name not in topics:
                    where = tree.where(task.file, task.line)
                    yield f"{where}: no handler of the role listens to {name!r}"


def roles_are_used(tree: Tree) -> Iterator[str]:
    """By a playbook, or by another role that includes it or depends on it."""
    used = {entry["role"] for play in tree.plays for entry in play.roles}
    for role in tree.roles:
        used |= set(role.dependencies)
        used |= {str(t.arguments.get("name")) for t in role.tasks if t.module in ROLE_INCLUDES}
    for role in tree.roles:
        if role.name not in used:
            yield f"no playbook and no role uses roles/{role.name}"
