"""Which names of an inventory no role knows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

import yaml

# Ansible's own: connection variables, facts and what it knows about the play.
OWN_PREFIXES = ("ansible_", "vault_", "molecule_", "__")
OWN_NAMES = frozenset(
    {
        "environment",
        "group_names",
        "groups",
        "hostvars",
        "inventory_dir",
        "inventory_file",
        "inventory_hostname",
        "inventory_hostname_short",
        "omit",
        "play_hosts",
        "playbook_dir",
        "role_name",
        "role_names",
        "role_path",
    }
)
# Of this project, but of no role: who bootstrap.yml logs in as, and what the fab tasks take.
OTHER_NAMES = frozenset({"bootstrap_user", "deploy_hooks_dir"})


def unknown_names(names: Iterable[str], options: Iterable[str]) -> list[str]:
    """Names that are not known, each with the known one that it is closest to.

    Args:
        names: names of variables as a host has them.
        options: names that roles take, and the user's own.

    Returns:
        One text per unknown name, sorted; empty if all are known.
    """
    known = sorted(OTHER_NAMES.union(options))
    told = []
    for name in sorted(set(names) - set(known) - OWN_NAMES):
        if name.startswith(OWN_PREFIXES):
            continue
        close = difflib.get_close_matches(name, known, n=1)
        told.append(f"{name} (did you mean {close[0]}?)" if close else name)
    return told


def role_options(roles: str) -> list[str]:
    """Every option of every role, out of the specifications.

    Args:
        roles: directory of the roles.

    Returns:
        Names, sorted, each once.
    """
    found: set[str] = set()
    for path in Path(roles).glob("*/meta/argument_specs.yml"):
        specs = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]
        for entry in specs.values():
            found |= set(entry.get("options", {}))
    return sorted(found)


class FilterModule:
    """Ansible's way to find the filters of this file."""

    def filters(self) -> dict:
        """Filters by name."""
        return {"role_options": role_options, "unknown_names": unknown_names}
