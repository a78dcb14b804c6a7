"""Reads the options of ssh's command line, as an inventory has them in ansible_ssh_common_args."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["ssh_options", "ssh_value", "without_option"]


def ssh_options(text: str) -> dict[str, str]:
    """Return the -o options of ssh's arguments, keys in lower case; -J counts as ProxyJump.

    A value is as ssh gets it, which splits UserKnownHostsFile once more at blanks and quotes.
    """
    words = iter(shlex.split(text))
    options: dict[str, str] = {}
    for word in words:
        if word == "-J" or word.startswith("-J"):
            options["proxyjump"] = word[2:] or next(words, "")
        elif word.startswith("-o"):
            key, _, value = (word[2:] or next(words, "")).strip().partition("=")
            if not value:
                key, _, value = key.partition(" ")
            # ssh uses the first of two.
            options.setdefault(key.strip().lower(), value.strip())
    return options


def without_option(words: Sequence[str], key: str) -> Iterator[str]:
    """Yield the words of ssh's command line without the -o options of this key (lower case)."""
    rest = iter(words)
    for word in rest:
        if not word.startswith("-o"):
            yield word
            continue
        option = word[2:] or next(rest, "")
        if key not in ssh_options(shlex.join(["-o", option])):
            yield from ("-o", option)


def ssh_value(path: Path) -> str:
    """Return a path as a value in ssh's configuration: blanks separate and % begins a token."""
    text = str(path).replace("%", "%%")
    if not re.search(r"[\s\"'\\]", text):
        return text
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
