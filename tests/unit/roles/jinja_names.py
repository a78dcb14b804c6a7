"""Which variables an expression of Ansible's uses, and where it looks at the distribution."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from jinja2 import Environment, nodes

# Written without braces, these are expressions all the same.
CONDITIONS = {"when", "changed_when", "failed_when", "until", "that"}
# What the tests of systems look at; `distribution_release` as a value in an address is none.
NAMED_SYSTEMS = {"distribution", "os_family"}
FUNCTIONS = {"lookup", "query", "q", "now", "range", "dict", "omit", "undef", "namespace", "loop"}

_ENVIRONMENT = Environment(autoescape=False, extensions=["jinja2.ext.do"])  # noqa: S701 (parses only)


def expressions(value: object, condition: bool = False) -> Iterator[tuple[str, bool]]:
    """Yield every string in the value that Jinja will see, and whether it is a condition.

    A condition is given in braces, so that both kinds can be parsed alike.
    """
    if isinstance(value, dict):
        for key, below in value.items():
            yield from expressions(key)
            yield from expressions(below, key in CONDITIONS)
    elif isinstance(value, list):
        for below in value:
            yield from expressions(below, condition)
    elif isinstance(value, str):
        if condition and "{{" not in value:
            yield "{{ " + value + " }}", True
        elif "{{" in value or "{%" in value:
            yield value, condition


@cache
def _parse(text: str) -> nodes.Template:
    # As Ansible does: a backslash in a playbook's expression is a backslash.
    return _ENVIRONMENT.parse(text.replace("\\", "\\\\"))


def names(text: str) -> dict[str, bool]:
    """Return the variables that the text uses; True where every use bears that it is undefined.

    A use bears it directly below `default`, `defined` or `undefined`.
    """
    tree = _parse(text)
    own = {
        node.name for node in tree.find_all(nodes.Name) if node.ctx in ("store", "param")
    } | FUNCTIONS
    borne = {
        id(node.node)
        for node in tree.find_all((nodes.Filter, nodes.Test))
        if node.name in ("default", "d", "defined", "undefined")
    }
    found: dict[str, bool] = {}
    for node in tree.find_all(nodes.Name):
        if node.ctx == "load" and node.name not in own:
            found[node.name] = found.get(node.name, True) and id(node) in borne
    return found


def repeated_defaults(text: str) -> list[tuple[str, object]]:
    """Return each variable that the text gives a constant for the case that it is undefined."""
    return [
        (node.node.name, node.args[0].value)
        for node in _parse(text).find_all(nodes.Filter)
        if node.name in ("default", "d") and isinstance(node.node, nodes.Name)
        if node.args and isinstance(node.args[0], nodes.Const)
    ]


def distribution_tests(text: str, condition: bool) -> list[str]:
    """Return the facts about the distribution that the text looks at to decide something.

    `distribution` and `os_family` count wherever they stand; the other `distribution_*` facts,
    which addresses are made of, only in a condition.
    """
    tree = _parse(text)
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
    below = [tree, *tree.find_all(nodes.Node)]
    for node in below:
        if isinstance(node, nodes.Name) and node.name.startswith("ansible_"):
            yield node.name.removeprefix("ansible_")
        if isinstance(node, nodes.Getattr | nodes.Getitem) and _is_facts(node.node):
            if isinstance(node, nodes.Getattr):
                yield node.attr
            elif isinstance(node.arg, nodes.Const):
                yield str(node.arg.value)


def _is_facts(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == "ansible_facts"
