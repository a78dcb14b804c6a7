"""Runs a command between two tasks, so that a test needs no race against ansible-playbook."""

from __future__ import annotations

import json
import os
import subprocess

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: after_task
type: aggregate
short_description: Runs a command after a named task
description: For tests. The next task starts when the command has ended.
"""


class CallbackModule(CallbackBase):
    """Runs AFTER_TASK_COMMAND (a JSON list) once, after the task that AFTER_TASK names."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "after_task"
    _done = False

    def v2_runner_on_ok(self, result, **_) -> None:
        if not self._done and result._task.get_name() == os.environ.get("AFTER_TASK"):
            self._done = True
            command = json.loads(os.environ["AFTER_TASK_COMMAND"])
            subprocess.run(command, stdin=subprocess.DEVNULL, check=True)  # noqa: S603 (the test's)
