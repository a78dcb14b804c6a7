"""The names of inventory variables, checked as role preflight checks them."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any

from controller.deploy.errors import DeployError
from controller.deploy.paths import ROOT

__all__ = ["refuse_no_texts", "refuse_unknown"]

ROLES = ROOT / "roles"
NAMES = ROLES / "preflight" / "filter_plugins" / "names.py"


def refuse_unknown(name: str, names: list[str], own: list[str], where: str) -> None:
    """Raise DeployError for variables that no role uses, as role preflight does."""
    plugin = preflight_names()
    unknown = plugin.unknown_names(names, [*plugin.role_options(str(ROLES)), *own])
    if unknown:
        raise DeployError(
            f"host {name} in {where}: unknown variables: {', '.join(unknown)}; correct the names "
            "in the inventory (roles/*/README.md list them all), or list your own in "
            "preflight_own_variables"
        )


@cache
def preflight_names() -> ModuleType:
    """Return the filters of role preflight, which Ansible loads by their path as well."""
    spec = importlib.util.spec_from_file_location("preflight_names", NAMES)
    if spec is None or spec.loader is None:
        raise DeployError(f"{NAMES} is missing: is the checkout complete?")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def refuse_no_texts(
    name: str, values: Mapping[str, Any], asked: Mapping[str, str], where: str
) -> None:
    """Raise DeployError for a list, a dictionary or a control character where a text belongs.

    Args:
        name: of the host.
        values: by a short name.
        asked: the expression of each that is a text; it begins with the variable's name.
        where: the inventory.
    """
    for key, expression in asked.items():
        value, secret = values[key], key.endswith("password")
        text = isinstance(value, (str, int)) and not isinstance(value, bool)
        if value is not None and not (text and (secret or str(value).isprintable())):
            variable = expression.partition(" ")[0]
            shown = "" if secret else f" ({str(value)[:40]!r})"
            raise DeployError(
                f"host {name} in {where}: {variable} is not a text{shown}: correct it"
            )
    own = values["own_names"]
    if not isinstance(own, list) or not all(isinstance(one, str) for one in own):
        raise DeployError(
            f"host {name} in {where}: preflight_own_variables is not a list of names: correct it"
        )
