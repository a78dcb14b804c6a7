"""Secrets are taken as they are written, also if they contain what looks like a template.

A password such as "a{{b" is no template, but Ansible takes it for one and prints it in the error.
A secret is a template only if it is one that can work: its syntax is right, and it names variables
that exist, such as "{{ vault_sudo_user_password }}".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jinja2 import Environment, nodes
from jinja2.exceptions import TemplateError

from controller.values.options import options_of_roles, secret_options

__all__ = ["is_secret", "is_template", "with_literals"]

CONNECTION = frozenset(
    {
        "ansible_become_pass",
        "ansible_become_password",
        "ansible_password",
        "ansible_ssh_pass",
        "ansible_ssh_password",
        "ansible_ssh_private_key_passphrase",
        "ansible_sudo_pass",
    }
)
# Of Ansible itself, as in roles/preflight/filter_plugins/names.py, and its functions.
KNOWN_PREFIXES = ("ansible_", "vault_", "molecule_", "__")
KNOWN_NAMES = frozenset(
    {
        "dict",
        "environment",
        "group_names",
        "groups",
        "hostvars",
        "inventory_dir",
        "inventory_file",
        "inventory_hostname",
        "inventory_hostname_short",
        "lookup",
        "loop",
        "namespace",
        "now",
        "omit",
        "play_hosts",
        "playbook_dir",
        "q",
        "query",
        "range",
        "role_path",
        "undef",
        "vars",
    }
)
ENVIRONMENT = Environment()  # noqa: S701 (parses, renders nothing)


def is_secret(name: str) -> bool:
    """Return whether a variable of this name is never shown and never a part of a message."""
    return name.startswith("vault_") or name in CONNECTION or name in secret_options()


def is_template(text: str, own: Iterable[str] = (), constant: bool = False) -> bool:
    """Return whether a secret refers to other variables, and only to some that exist.

    Args:
        text: the secret as it is written.
        own: names of the user's own variables.
        constant: whether an expression without variables is a template too.
    """
    if "{{" not in text and "{%" not in text:
        return False
    try:
        tree = ENVIRONMENT.parse(text)
    except TemplateError:
        return False
    stored = {one.name for one in tree.find_all(nodes.Name) if one.ctx != "load"}
    names = {one.name for one in tree.find_all(nodes.Name)} - stored
    known = KNOWN_NAMES.union(options_of_roles(), own)
    return (bool(names) or constant) and all(
        name in known or name.startswith(KNOWN_PREFIXES) for name in names
    )


def with_literals(
    variables: Mapping[str, Any], own: Iterable[str], literal: Any, everything: bool = False
) -> dict[str, Any]:
    """Return the variables with texts of secrets marked that are no templates.

    Args:
        variables: as they are written, not evaluated.
        own: names of the user's own variables.
        literal: marks a text as one that is not evaluated.
        everything: of an encrypted file, whose variables are all secrets.
    """
    names = frozenset(own)

    def marked(value: Any, constant: bool) -> Any:
        """The value itself, if there is nothing to mark in it."""
        if isinstance(value, str):
            plain = "{" not in value or is_template(value, names, constant)
            return value if plain else literal(value)
        if isinstance(value, Mapping):
            below = {key: marked(one, constant) for key, one in value.items()}
            return below if any(below[key] is not value[key] for key in below) else value
        if isinstance(value, list):
            items = [marked(one, constant) for one in value]
            changed = any(one is not old for one, old in zip(items, value, strict=True))
            return items if changed else value
        return value

    def of(name: str, value: Any) -> Any:
        secret = is_secret(name)
        # In a vault, "{{ 'x' }}" as a secret is more likely a password than an expression.
        strict = name.startswith("vault_") or (everything and secret)
        return marked(value, constant=not strict) if everything or secret else value

    return {name: of(str(name), value) for name, value in variables.items()}
