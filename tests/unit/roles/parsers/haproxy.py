"""HAProxy's configuration. It knows the keywords that are used here, by their section."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from parsers.error import ParseError

SHARED = {"http-request", "option"}
KEYWORDS = {
    "global": {
        "chroot", "group", "log", "maxconn", "server-state-file", "ssl-default-bind-ciphers",
        "ssl-default-bind-options", "ssl-load-extra-files", "stats", "tune.ssl.default-dh-param",
        "user",
    },
    "defaults": SHARED | {
        "http-error", "load-server-state-from-file", "log", "log-format", "mode", "retries",
        "retry-on", "timeout",
    },
    "frontend": SHARED | {
        "acl", "bind", "default_backend", "http-after-response", "http-response", "stats",
        "use_backend",
    },
    "backend": SHARED | {"balance", "default-server", "http-check", "server"},
}  # fmt: skip
# Keywords whose second word tells what they set; the others without one occur once.
REPEATED = {
    "acl", "bind", "http-after-response", "http-check", "http-error", "http-request",
    "http-response", "option", "server", "stats", "timeout",
}  # fmt: skip


@dataclass(frozen=True)
class Section:
    """A section; each line is the list of its words."""

    kind: str
    name: str
    lines: list[list[str]] = field(default_factory=list)

    def all(self, *start: str) -> list[list[str]]:
        """Return what follows these words, of each line that begins with them."""
        return [one[len(start) :] for one in self.lines if tuple(one[: len(start)]) == start]


def haproxy(text: str) -> dict[str, Section]:
    """Return the sections by name; `global` and `defaults` have their kind as name."""
    found: dict[str, Section] = {}
    section = None
    for number, line in enumerate(text.splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise ParseError(f"line {number}: {error}") from None
        if not words:
            continue
        if not line.startswith(" "):
            section = _section(words, number, found)
            continue
        if section is None or words[0] not in KEYWORDS[section.kind]:
            raise ParseError(f"line {number}: {words[0]} is unknown here")
        if words in section.lines or (words[0] not in REPEATED and section.all(words[0])):
            raise ParseError(f"line {number}: {words[0]} is duplicate")
        section.lines.append(words)
    backends = {one.name for one in found.values() if one.kind == "backend"}
    for one in found.values():
        for name, *_ in one.all("default_backend") + one.all("use_backend"):
            if name not in backends:
                raise ParseError(f"{one.name} names the backend {name}, which is not defined")
        # `haproxy -c` only warns of them.
        if one.all("http-check") and ["option", "httpchk"] not in one.lines:
            raise ParseError(f"{one.name} has http-check rules without `option httpchk`")
    return found


def _section(words: list[str], number: int, found: dict[str, Section]) -> Section:
    kind, name = words[0], words[-1]
    if kind not in KEYWORDS or len(words) != (1 if kind in ("global", "defaults") else 2):
        raise ParseError(f"line {number}: {' '.join(words)} is not a section")
    if name in found:
        raise ParseError(f"line {number}: {name} is duplicate")
    found[name] = Section(kind, name)
    return found[name]
