"""Options are described, and defaults/main.yml has the defaults of the specification."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from ansiblelint.file_utils import Lintable
from project_rule import SITE_WIDE, ProjectRule, as_list, line_of, role_directory


def _options(file: Lintable) -> dict[str, dict[str, Any]]:
    """Return the options of all entry points of the role by name."""
    entries = (yaml.safe_load(file.content) or {}).get("argument_specs") or {}
    return {
        name: option
        for entry in entries.values()
        for name, option in (entry.get("options") or {}).items()
    }


class OptionDescription(ProjectRule):
    """Options of a role begin with its name and are described in sentences."""

    id = "option-description"
    description = (
        "Each option in meta/argument_specs.yml has a type, a description that ends with a full "
        "stop, for lists the type of the elements, and a name that begins with the role's name. "
        "The README of the role is generated from them."
    )

    def findings(self, file: Lintable) -> Iterator[tuple[int, str]]:
        role = role_directory(file)
        if file.kind != "role-arg-spec" or role is None:
            return
        for name, option in _options(file).items():
            line = line_of(file, name)
            # With __ it is an argument that other roles pass to an entry point.
            if not name.removeprefix("__").startswith(f"{role.name}_") and name not in SITE_WIDE:
                yield line, f"{name} does not begin with {role.name}_"
            if "type" not in option:
                yield line, f"{name} has no type"
            if option.get("type") == "list" and "elements" not in option:
                yield line, f"{name} does not specify its elements"
            if not " ".join(as_list(option.get("description"))).endswith("."):
                yield line, f"the description of {name} is not a sentence"


class DefaultsMatchSpecification(ProjectRule):
    """defaults/main.yml and meta/argument_specs.yml have the same defaults."""

    id = "defaults-match-specification"
    description = (
        "Ansible takes defaults from defaults/main.yml, users read the specification. Both have "
        "each default, with the same value and type."
    )

    def findings(self, file: Lintable) -> Iterator[tuple[int, str]]:
        role = role_directory(file)
        if file.kind != "role-arg-spec" or role is None:
            return
        path = role / "defaults/main.yml"
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        defaults = yaml.safe_load(text) or {}
        options = _options(file)
        specified = {name: one["default"] for name, one in options.items() if "default" in one}
        for name in sorted(set(specified) - set(defaults) - SITE_WIDE):
            yield line_of(file, name), f"{name} is missing in defaults/main.yml"
        for name, value in defaults.items():
            if name not in options:
                yield 1, f"{name} of defaults/main.yml is not specified"
            elif name not in specified:
                yield line_of(file, name), f"{name} has a default in defaults/main.yml only"
            elif (value, type(value)) != (specified[name], type(specified[name])):
                yield (
                    line_of(file, name),
                    f"{name} is {value!r} in defaults/main.yml, here {specified[name]!r}",
                )
