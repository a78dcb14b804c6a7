"""The rules of logrotate."""

from __future__ import annotations

import re

from parsers.error import ParseError

# Of each directive, what its argument looks like.
DIRECTIVES = {
    "compress": r"",
    "copytruncate": r"",
    "create": r"",
    "delaycompress": r"",
    "missingok": r"",
    "nodateext": r"",
    "notifempty": r"",
    "rotate": r"\d+",
    "sharedscripts": r"",
    "size": r"\d+[kMG]?",
}


def logrotate(text: str) -> dict[str, dict[str, str]]:
    """Return the directives of each pattern of files; `postrotate` is the script."""
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] | None = None
    script: list[str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if script is not None:
            if words == ["endscript"]:
                script = None
            else:
                script.append(line.strip())
                if current is not None:
                    current["postrotate"] = "\n".join(script)
        elif not words or line.startswith("#"):
            continue
        elif current is None:
            *files, brace = words
            if not files or brace != "{" or not all(one.startswith("/") for one in files):
                raise ParseError(f"line {number}: {line!r} does not begin a rule")
            current = found[" ".join(files)] = {}
        elif words == ["}"]:
            current = None
        elif words == ["postrotate"]:
            script = []
        else:
            name, argument = words[0], " ".join(words[1:])
            if name not in DIRECTIVES:
                raise ParseError(f"line {number}: {name} is unknown")
            if not re.fullmatch(DIRECTIVES[name], argument):
                raise ParseError(f"line {number}: {name} cannot be {argument!r}")
            if name in current:
                raise ParseError(f"line {number}: {name} is a duplicate")
            current[name] = argument
    if current is not None or script is not None:
        raise ParseError("the last rule or script does not end")
    return found
