"""A locale with UTF-8 for this program and for what it starts: Ansible refuses any other."""

from __future__ import annotations

import codecs
import locale
import os

__all__ = ["use_utf8"]

# The first exists on Debian and on EL 8 or newer, the second on EL 7 and on macOS.
CANDIDATES = ("C.UTF-8", "en_US.UTF-8")


def use_utf8() -> None:
    """Set LC_ALL, unless the locale that is asked for exists and has UTF-8."""
    if has_utf8(""):
        return
    for name in CANDIDATES:
        if has_utf8(name):
            os.environ["LC_ALL"] = name
            return


def has_utf8(name: str) -> bool:
    """Return whether a locale exists and has UTF-8, and select it; "" is the environment's."""
    try:
        locale.setlocale(locale.LC_ALL, name)
        return codecs.lookup(locale.nl_langinfo(locale.CODESET)).name == "utf-8"
    except (locale.Error, LookupError):
        return False
