"""The commands that run on a server, as words or quoted lines. Pure: nothing is run here.

There are three: `toxctl`, `journalctl`, and `sudo -k true` to find out whether sudo asks.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

__all__ = ["TOXCTL", "as_root", "logs", "sudo_is_free", "toxctl"]

TOXCTL = "/usr/local/sbin/toxctl"


def as_root(arguments: Sequence[str], login: str, ask: bool = False) -> str:
    """Return the command line that runs the words as root.

    Args:
        arguments: the words.
        login: the user who is logged in; root needs no sudo, which may not be installed.
        ask: sudo reads the password from standard input; otherwise it must not ask (-n), or the
            task would hang.
    """
    if login == "root":
        return shlex.join(arguments)
    how = ["sudo", "-S", "-k", "-p", ""] if ask else ["sudo", "-n"]
    return shlex.join([*how, "-u", "root", "--", *arguments])


def sudo_is_free() -> str:
    """Return the command that succeeds if sudo needs no password, not even a remembered one."""
    return shlex.join(["sudo", "-n", "-k", "-u", "root", "--", "true"])


def toxctl(*arguments: str) -> list[str]:
    """Return the words that call toxctl with its answers as JSON lines."""
    return [TOXCTL, "--json", *arguments]


def logs(unit: str, lines: int, follow: bool) -> list[str]:
    """Return the words that print the journal of every slot.

    `unit`: name of a slot's unit with `{slot}` in it.
    """
    words = ["journalctl", "-u", unit.format(slot="*"), "-n", str(lines), "--no-pager"]
    return [*words, "-f"] if follow else words
