"""Files of role hardening: the kernel's settings, limits, audit rules, fail2ban's jail."""

from __future__ import annotations

import re

from parsers.error import ParseError
from parsers.settings import ini

coredump = ini({"Coredump": {"Storage": r"none", "ProcessSizeMax": r"0"}})
fail2ban = ini(
    {
        "sshd": {
            "backend": r"systemd",
            "banaction": r"firewallcmd-rich-rules",
            "bantime": r"\d+",
            "enabled": r"true",
            "findtime": r"\d+",
            "ignoreip": r"[0-9a-f.:/]+( [0-9a-f.:/]+)*",
            "maxretry": r"\d+",
            "port": r"\d+(,\d+)*",
        }
    }
)


def _lines(text: str, form: str, kind: str) -> list[tuple[str, ...]]:
    """Return the groups of each line that is no comment; none may occur twice."""
    found: list[tuple[str, ...]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(form, line)
        if not match or match.groups() in found:
            raise ParseError(f"line {number}: {line!r} is not {kind}, or a duplicate")
        found.append(match.groups())
    return found


def sysctl(text: str) -> dict[str, int]:
    """Return the kernel's settings by name; each has one value."""
    found = _lines(text, r"((?:fs|kernel|net)(?:\.\w+)+) = (\d+)", "a setting of the kernel")
    if len(dict(found)) != len(found):  # type: ignore[arg-type] # pairs, by the form
        raise ParseError("a setting has two values")
    return {name: int(value) for name, value in found}


def limits(text: str) -> list[tuple[str, ...]]:
    """Return whom a line of limits.conf is for, and what it limits to which number."""
    return _lines(text, r"(\*|[a-z]+) (hard|soft) (core) (\d+)", "a limit")


def audit(text: str) -> list[tuple[str, ...]]:
    """Return path and key of each watch."""
    return _lines(text, r"-w (/[\w./-]+) -p wa -k (\w+)", "a watch of auditd")
