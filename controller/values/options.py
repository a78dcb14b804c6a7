"""The options of all roles as their argument specifications list them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

__all__ = ["ROLES", "defaults_of_roles", "options_of_roles", "secret_options"]

ROLES = Path(__file__).resolve().parents[2] / "roles"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def options_of_roles() -> Mapping[str, Mapping[str, Any]]:
    """Return every option of every role by name, without arguments of roles to each other."""
    found: dict[str, Mapping[str, Any]] = {}
    for path in sorted(ROLES.glob("*/meta/argument_specs.yml")):
        for entry in _load(path)["argument_specs"].values():
            found |= entry.get("options") or {}
    return {name: option for name, option in found.items() if not name.startswith("__")}


@cache
def defaults_of_roles() -> Mapping[str, Any]:
    """Return the defaults of all roles by name, not yet templated."""
    found: dict[str, Any] = {}
    for path in sorted(ROLES.glob("*/defaults/main.yml")):
        found |= _load(path) or {}
    return found


@cache
def secret_options() -> frozenset[str]:
    """Return the names of options that are never shown."""
    return frozenset(name for name, option in options_of_roles().items() if option.get("no_log"))


def _load(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), LOADER)  # noqa: S506 (a SafeLoader)
