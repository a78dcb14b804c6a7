"""Take secrets of --extra-vars as they are written, also with {{ in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible.plugins.callback import CallbackBase
from ansible.utils.unsafe_proxy import wrap_var

from controller.values.secrets import with_literals

if TYPE_CHECKING:
    from ansible.playbook import Playbook

DOCUMENTATION = """
name: literal_extra_vars
type: aggregate
short_description: Takes secrets of --extra-vars as they are written
description:
  - Marks secrets of C(--extra-vars) that are no templates as C(!unsafe), as the vars plugin
    literal_secrets does for those of an inventory.
"""


class CallbackModule(CallbackBase):
    """Marks them at the start of a playbook, before any of them is evaluated."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "literal_extra_vars"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, playbook: Playbook) -> None:
        """Mark the secrets; all plays share one dictionary."""
        for play in playbook.get_plays()[:1]:
            given = play.get_variable_manager().extra_vars
            given.update(with_literals(given, list(given), wrap_var))
