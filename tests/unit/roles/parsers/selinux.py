"""The sources of an SELinux policy module: file contexts and rules."""

from __future__ import annotations

import re

from parsers.error import ParseError

FILE_CONTEXT = re.compile(r"(/\S+)\tsystem_u:object_r:(\w+_t):s0")


def file_contexts(text: str) -> dict[str, str]:
    """Return the type of each path pattern."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        match = FILE_CONTEXT.fullmatch(line)
        if not match or match[1] in found:
            raise ParseError(f"line {number}: {line!r} is not a label, or a duplicate")
        re.compile(match[1])
        found[match[1]] = match[2]
    return found


def policy(text: str) -> list[tuple[set[str], set[str], str, set[str]]]:
    """Return (who, on what, class, permissions) of each allow rule of a module.

    checkmodule parses the rest (test_selinux_module.py). This parser rejects everything but allow
    rules: no domain becomes permissive, and no access is hidden from the audit log.
    """
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    bare = " ".join(line.strip() for line in lines)
    if not re.match(r"module \w+ \d+\.\d+; ", bare):
        raise ParseError("the text does not begin with a module statement")
    if other := re.search(
        r"\b(attribute|auditallow|bool|dontaudit|permissive|typeattribute)\b", bare
    ):
        raise ParseError(f"{other[0]} is not allowed here")
    rules = []
    for match in re.finditer(r"\ballow ({[^}]+}|\w+) ({[^}]+}|\w+):(\w+) ({[^}]+}|\w+);", bare):
        who, what, permissions = (set(match[part].strip("{} ").split()) for part in (1, 2, 4))
        rules.append((who, what, match[3], permissions))
    if len(rules) != len(re.findall(r"\ballow\b", bare)):
        raise ParseError("an allow rule cannot be read")
    return rules
