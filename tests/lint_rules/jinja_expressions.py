"""Which variables a Jinja expression uses, and where it decides by the distribution."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from jinja2 import Environment, nodes

# Keywords whose value is an expression without braces.
CONDITIONS = {"when", "changed_when", "failed_when", "until", "that"}
FUNCTIONS = {"lookup", "query", "q", "now", "range", "dict", "omit", "undef", "namespace", "loop"}

_ENVIRONMENT = Environment(autoescape=False, extensions=["jinja2.ext.do"])  # noqa: S701 (parses only)


def expressions(value: object, condition: bool = False) -> Iterator[tuple[str, bool]]:
    """Yield each templated string in the value, and whether it is a condition.

    A condition is returned in braces, so that both kinds can be parsed alike.
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
def parse(text: str) -> nodes.Template:
    """Return the syntax tree. As in Ansible, a backslash is a backslash."""
    return _ENVIRONMENT.parse(text.replace("\\", "\\\\"))


def names(text: str) -> dict[str, bool]:
    """Return the variables that the text uses; True if no use fails when it is undefined.

    A use does not fail directly below `default`, `defined` or `undefined`.
    """
    tree = parse(text)
    own = {
        node.name for node in tree.find_all(nodes.Name) if node.ctx in ("store", "param")
    } | FUNCTIONS
    own |= {node.name for node in tree.find_all(nodes.Macro)}
    optional = {
        id(node.node)
        for kind in (nodes.Filter, nodes.Test)
        for node in tree.find_all(kind)
        if node.name in ("default", "d", "defined", "undefined")
    }
    found: dict[str, bool] = {}
    for node in tree.find_all(nodes.Name):
        if node.ctx == "load" and node.name not in own:
            found[node.name] = found.get(node.name, True) and id(node) in optional
    return found


def repeated_defaults(text: str) -> list[tuple[str, object]]:
    """Return each variable for which the text has a constant default, with that default."""
    return [
        (node.node.name, node.args[0].value)
        for node in parse(text).find_all(nodes.Filter)
        if node.name in ("default", "d") and isinstance(node.node, nodes.Name)
        if node.args and isinstance(node.args[0], nodes.Const)
    ]
