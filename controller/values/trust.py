"""Which texts Ansible evaluates as templates: from ansible-core 2.19 on, trusted ones alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

try:
    from ansible.template import trust_as_template
except ImportError:  # ansible-core 2.16 trusts every text
    trust_as_template = None

__all__ = ["EVERY_TEXT", "trusted"]

# Whether every text is evaluated.
EVERY_TEXT = trust_as_template is None


def trusted(value: Any) -> Any:
    """Return a value whose texts are evaluated, as those of the files of this checkout are."""
    if EVERY_TEXT:
        return value
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, Mapping):
        return {key: trusted(one) for key, one in value.items()}
    if isinstance(value, list):
        return [trusted(one) for one in value]
    return value
