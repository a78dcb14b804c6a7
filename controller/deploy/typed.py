"""The command that was typed, so that the commands in messages keep its options.

A message names a bare command, such as "rerun `fab deploy-model`". Typed with --inventory or
--bundle, the bare command would ask another server or deploy another bundle.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

__all__ = ["completed", "register", "typed"]

# Which server and which bundle: every command that takes them needs them.
SHARED = ("inventory", "limit", "bundle")
PLAYBOOK = "ansible-playbook "
# Their host may be another one than that which was typed, so they take no --limit.
OF_OTHER_HOSTS = re.compile("--tags (mongodb|balancer|tls)")
COMMAND = re.compile(r"(?P<before>\b(?:re)?run )?`(?P<words>(?:fab|ansible-playbook) [^`]+)`")


@dataclass
class Typed:
    """The running task, and the options that were given to it."""

    task: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)


_options: dict[str, Sequence[str]] = {}
_typed = Typed()


def register(task: str, options: Sequence[str]) -> None:
    """Remember which options a task takes, by the names of their parameters."""
    _options[task] = options


@contextmanager
def typed(task: str, given: Mapping[str, Any]) -> Iterator[None]:
    """Let `completed` use this task's options while the task runs.

    `given`: only the options that differ from their defaults.
    """
    before = _typed.task, _typed.given
    _typed.task, _typed.given = task, given
    try:
        yield
    finally:
        _typed.task, _typed.given = before


def completed(message: str) -> str:
    """Return the message with the options that were typed in the commands that it names."""
    if not _typed.task:
        return message
    message = message.replace("rerun the command", f"rerun `fab {_typed.task}`")
    return COMMAND.sub(_complete, message)


def _complete(found: re.Match[str]) -> str:
    before, words = found["before"] or "", found["words"]
    if words.startswith(PLAYBOOK):
        takes = ["inventory"] if OF_OTHER_HOSTS.search(words) else ["inventory", "limit"]
        kept = {name: _typed.given[name] for name in takes if name in _typed.given}
        return f"{before}`{' '.join([words, *_options_text(kept, words)])}`"
    parts = []
    for word in words.split(" "):
        parts.append(word)
        if word in _options:
            kept = _given_to(word, again=bool(before) and word == _typed.task)
            parts += _options_text(kept, words)
    return f"{before}`{' '.join(parts)}`"


def _given_to(task: str, again: bool) -> dict[str, Any]:
    """Return the options for a command; `again`: the one that was typed, with all of them."""
    if again:
        return dict(_typed.given)
    kept = {}
    for name in SHARED:
        if name not in _typed.given:
            continue
        if name in _options[task]:
            kept[name] = _typed.given[name]
        elif name == "bundle" and "out" in _options[task]:
            kept["out"] = _typed.given[name]  # the task that builds this bundle
    return kept


def _options_text(options: Mapping[str, Any], words: str) -> list[str]:
    """Return the options as words, without those that the command has already."""
    text = []
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if option in words.split(" "):
            continue
        text += [option] if value is True else [option, shlex.quote(str(value))]
    return text
