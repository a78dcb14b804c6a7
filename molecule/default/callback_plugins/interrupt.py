"""Kills ansible-playbook after the task that INTERRUPT_AFTER names, as a crash would."""

from __future__ import annotations

import os
import signal

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: interrupt
type: aggregate
short_description: Kills ansible-playbook after a named task
description: For tests of interrupted runs.
"""


class CallbackModule(CallbackBase):
    """Sends SIGKILL to this process after the named task: no handler and no cleanup runs."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "interrupt"

    def _end(self, result, **_) -> None:
        if result._task.get_name() == os.environ.get("INTERRUPT_AFTER"):
            os.kill(os.getpid(), signal.SIGKILL)

    v2_runner_on_ok = _end
    v2_runner_on_failed = _end
