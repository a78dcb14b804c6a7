"""Fails a run in which no play matched a host: Ansible would do nothing and report success."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ansible import constants, context
from ansible.plugins.callback import CallbackBase

if TYPE_CHECKING:
    from ansible.playbook.play import Play

DOCUMENTATION = """
name: matched_hosts
type: aggregate
short_description: Fails a run in which no play matched a host
description:
  - If no play of the run matched a host of the inventory, ends the run with one line that names
    what the plays are for. Single plays may have no host.
"""


def refusal(patterns: Iterable[str], sources: Sequence[str], limit: str | None) -> str:
    """Return the line for a run without a host.

    Args:
        patterns: what the plays are for.
        sources: the inventory's files and directories.
        limit: as typed, None without.
    """
    graph = shlex.join(["ansible-inventory", *(f"-i{one}" for one in sources), "--graph"])
    step = (
        f"name another --limit (`{graph}` lists the hosts)"
        if limit
        else "run `make up` for a local server, or name another inventory with --inventory"
    )
    chosen = f" and --limit {limit}" if limit else ""
    return (
        f"no host of {' '.join(sources)} matches {', '.join(sorted(patterns))}{chosen}, so nothing "
        f"was done: {step}"
    )


class CallbackModule(CallbackBase):
    """Counts the plays, and those of them that have no host."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "matched_hosts"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.patterns: set[str] = set()
        self.plays = self.without = 0

    def v2_playbook_on_play_start(self, play: Play) -> None:
        """Note what the play is for; it may have no host."""
        self.plays += 1
        self.patterns.update(map(str, play.hosts))

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """Note that the play has none."""
        self.without += 1

    def v2_playbook_on_stats(self, stats: object) -> None:
        """Exit with code 1 if none of the plays had a host."""
        if self.plays and self.plays == self.without:
            sources = context.CLIARGS.get("inventory") or constants.DEFAULT_HOST_LIST
            sys.exit(refusal(self.patterns, sources, context.CLIARGS.get("subset")))
