"""Reads the options of ssh's command line, as an inventory has them in ansible_ssh_common_args."""

from __future__ import annotations

import shlex

__all__ = ["ssh_options"]


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
