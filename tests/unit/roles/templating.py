"""Ansible's templates with both cores: 2.16, and one that evaluates trusted texts only."""

from __future__ import annotations

from collections.abc import Mapping

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from controller.values.trust import EVERY_TEXT, trusted

if EVERY_TEXT:  # ansible-core 2.16
    from ansible.template import AnsibleEnvironment

OPTIONS = {"trim_blocks": True, "lstrip_blocks": False}


def evaluate(value: object, values: Mapping[str, object]) -> object:
    """Return the value as a task sees it; an undefined variable is an error."""
    return Templar(DataLoader(), trusted(dict(values))).template(trusted(value))


def render_text(text: str, values: Mapping[str, object]) -> str:
    """Render the text as the module template does; an undefined variable is an error."""
    templar = Templar(DataLoader(), trusted(dict(values)))
    if EVERY_TEXT:
        rendered = templar.copy_with_new_env(environment_class=AnsibleEnvironment).do_template(
            text,
            preserve_trailing_newlines=True,
            escape_backslashes=False,
            fail_on_undefined=True,
            overrides=OPTIONS,
        )
    else:
        rendered = templar.template(trusted(text), escape_backslashes=False, overrides=OPTIONS)
    return str(rendered)
