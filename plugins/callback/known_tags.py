"""Refuses tags that no task has, with which Ansible would do nothing and report success."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ansible import context
from ansible.playbook.block import Block
from ansible.plugins.callback import CallbackBase

if TYPE_CHECKING:
    from ansible.playbook import Playbook

DOCUMENTATION = """
name: known_tags
type: aggregate
short_description: Refuses tags that no task has
description:
  - If C(--tags) or C(--skip-tags) names a tag that is nowhere in the playbook, stops the run with
    one line that lists the playbook's tags. A run of several playbooks is not checked.
"""
SPECIAL = {"all", "tagged", "untagged", "always", "never"}


def tags_of(entries: Iterable[Any]) -> Iterator[str]:
    """Yield the tags of blocks and tasks, with those that they inherit."""
    for entry in entries:
        yield from entry.tags
        if isinstance(entry, Block):
            yield from tags_of([*entry.block, *entry.rescue, *entry.always])


def refusal(asked: Iterable[str], known: Iterable[str]) -> str | None:
    """Return the line for tags that are unknown, None if all are known."""
    names = sorted(set(known) - SPECIAL)
    unknown = sorted(set(asked) - SPECIAL - set(names))
    if not unknown:
        return None
    near = difflib.get_close_matches(unknown[0], names, 1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return (
        f"no task has the tag {', '.join(unknown)}{hint}, so nothing was done: the tags are "
        f"{', '.join(names) or 'none'}"
    )


class CallbackModule(CallbackBase):
    """Checks at the start of a playbook, before the first connection."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "known_tags"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, playbook: Playbook) -> None:
        """Exit with code 1 if a tag is unknown."""
        if len(context.CLIARGS.get("args") or ()) > 1:
            return
        asked = [*context.CLIARGS.get("tags", ()), *context.CLIARGS.get("skip_tags", ())]
        if not set(asked) - SPECIAL:
            return
        plays = playbook.get_plays()
        known = [tag for play in plays for tag in [*play.tags, *tags_of(play.compile())]]
        if words := refusal(asked, known):
            sys.exit(words)
