"""Find inventory variables that are not an option of any role."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from pathlib import Path

import yaml

# Defined by Ansible: connection variables, facts and magic variables.
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
# Options outside the roles: the login of bootstrap.yml and a setting of the fab tasks.
OTHER_NAMES = frozenset({"bootstrap_user", "cluster_address", "deploy_hooks_dir"})


def unknown_names(names: Iterable[str], options: Iterable[str]) -> list[str]:
    """Return unknown variable names, each with the closest known name.

    Args:
        names: names of a host's variables.
        options: names of the roles' options and of the user's own variables.

    Returns:
        One text per unknown name, sorted; empty if all names are known.
    """
    known = sorted(OTHER_NAMES.union(options))
    found = []
    for name in sorted(set(names) - set(known) - OWN_NAMES):
        if name.startswith(OWN_PREFIXES):
            continue
        close = difflib.get_close_matches(name, known, n=1)
        found.append(f"{name} (did you mean {close[0]}?)" if close else name)
    return found


def role_options(roles: str) -> list[str]:
    """Return every option of every role, as listed in the argument specifications.

    Args:
        roles: path of the roles directory.

    Returns:
        Unique names, sorted.
    """
    found: set[str] = set()
    for path in Path(roles).glob("*/meta/argument_specs.yml"):
        specs = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]
        for entry in specs.values():
            found |= set(entry.get("options", {}))
    return sorted(found)


class FilterModule:
    """Registers the filters of this file with Ansible."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Return the filters by name."""
        return {"role_options": role_options, "unknown_names": unknown_names}
