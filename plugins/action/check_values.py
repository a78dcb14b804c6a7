"""Check the values of all options of the roles on the controller, before anything is changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.parsing.yaml.objects import AnsibleVaultEncryptedUnicode
from ansible.plugins.action import ActionBase

from controller.values.backup import backup_problems
from controller.values.options import (
    ROLES,
    defaults_of_roles,
    options_of_roles,
    secret_options,
)
from controller.values.ports import OPTIONS as PORTS
from controller.values.ports import port_problems
from controller.values.problems import problems_of
from controller.values.tls import tls_problems
from controller.values.trust import trusted

try:  # from 2.19 on, every value knows where it was written
    from ansible._internal._datatag._tags import Origin
except ImportError:
    Origin = None

SHOWN = 200
DOCUMENTATION = """
name: check_values
short_description: Checks the values of the roles' options
description:
  - Fails with one line for each value that the program that reads it would not take. Only variables
    that the inventory or the command line sets are checked; a value that needs a server's facts is
    not checked. Values of secrets are never shown.
"""


class ActionModule(ActionBase):
    """Compares the variables of a host with the formats of controller.values."""

    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the action's result; it fails if a value is wrong."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        lines = list(self._lines(task_vars or {}))
        if not lines:
            return result
        # Lines of their own: the default callback shows a result as one line of JSON.
        for line in lines:
            self._display.error(line, wrap_text=False)
        what = f"{len(lines)} values are wrong, see above" if len(lines) > 1 else lines[0]
        message = f"{what}: nothing was changed. Correct the inventory, then rerun the command"
        return {**result, "failed": True, "msg": message, "problems": lines}

    def _lines(self, variables: Mapping[str, Any]) -> Iterator[str]:
        templar = self._templar.copy_with_new_env(
            available_variables={**trusted(defaults_of_roles()), **variables}
        )
        keys = {str(key): key for key in variables}
        tags = variables.get("ansible_run_tags", ["all"])
        for name in sorted(options_of_roles()):
            if name not in variables:
                continue
            where = place_of(keys[name], variables[name])
            try:
                value = plain(templar.template(variables[name], fail_on_undefined=True))
            except AnsibleError as error:
                # Another role's file may be missing where this run does not read it.
                if not is_of_run(name, tags):
                    continue
                if words := reason(error):
                    shown = "" if name in secret_options() else f": {words}"
                    yield f"{name} cannot be evaluated{shown} ({where})"
                continue
            for at, words in problems_of(name, value):
                yield f"{at} {words} ({where})"
        if "tls_mode" in variables and is_of_run("tls_mode", tags):
            yield from tls_problems(self._options_of("tls", templar))
        if "backup_repository" in variables and is_of_run("backup_repository", tags):
            yield from backup_problems(self._options_of("backup", templar))
        if set(PORTS) & set(variables) and any(is_of_run(name, tags) for name in PORTS):
            groups, host = variables.get("groups", {}), variables.get("inventory_hostname", "")
            yield from port_problems(values_of(PORTS, templar), groups, host)

    def _options_of(self, role: str, templar: Any) -> dict[str, Any]:
        """Return the options of a role, without those that need a server's facts."""
        names = [name for name in options_of_roles() if name.startswith(f"{role}_")]
        return values_of(names, templar)


def values_of(names: Iterable[str], templar: Any) -> dict[str, Any]:
    """Return options by name, without those that need a server's facts."""
    found = {}
    for name in names:
        try:
            found[name] = plain(templar.template(trusted("{{ " + name + " }}")))
        except AnsibleError:  # reported above
            continue
    return found


def plain(value: Any) -> Any:
    """Return a value with decrypted strings in place of encrypted ones."""
    if isinstance(value, AnsibleVaultEncryptedUnicode):
        return str(value)
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def is_of_run(name: str, tags: Iterable[str]) -> bool:
    """Return whether a run with these tags (role names) reads an option."""
    return "all" in tags or any(name.startswith(f"{tag}_") for tag in tags)


def reason(error: AnsibleError) -> str | None:
    """Return in one line why a value cannot be evaluated; None for facts, not read yet."""
    text = " ".join(str(error.message).split())
    if isinstance(error, AnsibleUndefinedVariable):
        name, found, _ = text.partition("'")[2].partition("' is undefined")
        if not found or not name.isidentifier() or name.startswith("ansible_"):
            return None
        return f"{name} is not defined"
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def place_of(key: Any, value: Any) -> str:
    """Return the file and line in which a variable is set, as far as they are known."""
    for one in (value, key):
        source, line = written_at(one)
        # A key keeps the place where it was set first, which may be a role's defaults.
        if source and Path(source).is_file() and ROLES not in Path(source).resolve().parents:
            return f"{short(Path(source))}, line {line}"
    return "set in the inventory or with --extra-vars"


def written_at(value: Any) -> tuple[str | None, int]:
    """Return the file and the line of a value; no file where Ansible does not know it."""
    if Origin is None:
        source, line, _ = getattr(value, "ansible_pos", (None, 0, 0))
        return source, line
    origin = Origin.get_tag(value)
    return (origin.path, origin.line_num or 0) if origin else (None, 0)


def short(path: Path) -> Path:
    """Return a path relative to the current directory if it is below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
