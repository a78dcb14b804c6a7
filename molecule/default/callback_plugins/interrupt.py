"""Kills ansible-playbook after one task (INTERRUPT_AFTER), as a closed laptop would."""

from __future__ import annotations

import os
import signal

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: interrupt
type: aggregate
short_description: Kills ansible-playbook after a named task
description: For tests of what an interrupted run leaves behind.
"""


class CallbackModule(CallbackBase):
    """Sends SIGKILL to this process once the named task has ended: no handler, no clearing up."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "interrupt"

    def _end(self, result, **_) -> None:
        if result._task.get_name() == os.environ.get("INTERRUPT_AFTER"):
            os.kill(os.getpid(), signal.SIGKILL)

    v2_runner_on_ok = _end
    v2_runner_on_failed = _end
