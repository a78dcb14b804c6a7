"""Loads plugins that the process of nearly every task needs, before these processes are forked."""

from __future__ import annotations

import gc

from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import (
    become_loader,
    connection_loader,
    filter_loader,
    shell_loader,
    test_loader,
)

# What reaches a server.
CONNECTION = ((connection_loader, "ssh"), (become_loader, "sudo"), (shell_loader, "sh"))
DOCUMENTATION = """
name: preloaded
type: aggregate
short_description: Loads plugins once, and not with each task
description:
  - Ansible forks a process for each task, also for one that is skipped. What that process loads is
    lost when it ends. Filters, tests and the plugins of the connection that are loaded before are
    there in all of them. Nothing else changes.
  - Python's garbage collector leaves alone what is there at that time. It would visit all of it in
    each process, find nothing to free, and copy every page of memory that it visits.
"""


class CallbackModule(CallbackBase):
    """Loads them when a playbook starts."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "preloaded"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, playbook: object) -> None:
        """Load them, and keep them from the garbage collector; the loaders hold them anyway."""
        for loader in (filter_loader, test_loader):
            list(loader.all())
        for loader, name in CONNECTION:
            loader.get(name, class_only=True)
        gc.collect()
        gc.freeze()
