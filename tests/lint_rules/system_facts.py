"""Systems differ by variables in vars/, not by conditions in tasks and templates."""

from __future__ import annotations

from collections.abc import Iterator

from ansiblelint.file_utils import Lintable
from jinja2 import nodes
from jinja_expressions import expressions, parse
from project_rule import ProjectRule, entry_line, own_part, role_directory, tasks_of

# Facts that only a test of the system uses; distribution_release may be part of an address.
NAMED_SYSTEMS = {"distribution", "os_family"}
MESSAGES = {"fail_msg", "success_msg", "msg"}
ADVICE = "define a variable in vars/ instead"


class SystemFacts(ProjectRule):
    """Tasks and templates do not test the distribution."""

    id = "system-facts"
    description = (
        "What differs between systems is a variable in vars/<family>.yml, which tasks/set_vars.yml "
        "loads. A task or template that tests the distribution cannot be extended by a file."
    )

    def findings(self, file: Lintable) -> Iterator[tuple[int, str]]:
        if file.path.suffix == ".j2":
            for fact in distribution_tests(file.content, condition=False):
                yield 1, f"the template tests {fact}; {ADVICE}"
        elif role_directory(file) and file.path.name != "set_vars.yml":
            for task in tasks_of(file):
                for text, condition in expressions(_without_messages(own_part(task))):
                    for fact in distribution_tests(text, condition):
                        yield entry_line(task), f"the task tests {fact}; {ADVICE}"


def distribution_tests(text: str, condition: bool) -> list[str]:
    """Return the facts about the distribution by which the text decides something.

    `distribution` and `os_family` count anywhere; the other `distribution_*` facts, which are parts
    of addresses, only in a condition.
    """
    tree = parse(text)
    deciding: list[nodes.Node] = [tree] if condition else []
    deciding += [node.test for node in tree.find_all(nodes.CondExpr)]
    deciding += [node.test for node in tree.find_all(nodes.If)]
    deciding += list(tree.find_all((nodes.Compare, nodes.Test)))
    in_condition = {fact for node in deciding for fact in _facts(node)}
    return sorted(
        fact
        for fact in set(_facts(tree))
        if fact in NAMED_SYSTEMS or (fact.startswith("distribution") and fact in in_condition)
    )


def _facts(tree: nodes.Node) -> Iterator[str]:
    for node in [tree, *tree.find_all(nodes.Node)]:
        if isinstance(node, nodes.Name) and node.name.startswith("ansible_"):
            yield node.name.removeprefix("ansible_")
        elif isinstance(node, nodes.Getattr) and _is_facts(node.node):
            yield node.attr
        elif (
            isinstance(node, nodes.Getitem)
            and _is_facts(node.node)
            and isinstance(node.arg, nodes.Const)
        ):
            yield str(node.arg.value)


def _is_facts(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == "ansible_facts"


def _without_messages(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_messages(v) for key, v in value.items() if key not in MESSAGES}
    if isinstance(value, list):
        return [_without_messages(below) for below in value]
    return value
