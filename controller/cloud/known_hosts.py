"""The host keys of servers, in a file beside the inventory that ssh, Ansible and fab read.

A line names its server by label and, once it has one, by address. Its comment says where the key
comes from: FIRST is handed over by cloud-init and is replaced in the first session, OWN was made on
the server.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FIRST", "OWN", "KnownHosts", "Pinned", "host_pattern"]

FIRST = "handed-over-by-cloud-init"
OWN = "made-on-the-server"


@dataclass(frozen=True)
class Pinned:
    """A host key. `public`: kind and key; `origin`: FIRST or OWN."""

    public: str
    origin: str


def host_pattern(address: str, port: int) -> str:
    """Return an address as known_hosts names it."""
    return address if port == 22 else f"[{address}]:{port}"


@dataclass(frozen=True)
class KnownHosts:
    """The file at `path`, which need not exist."""

    path: Path

    def keys(self, label: str) -> list[Pinned]:
        """Return the keys of a server."""
        found = []
        for line in self._lines():
            words = line.split()
            if len(words) >= 3 and words[0].split(",")[0] == label:
                found.append(Pinned(" ".join(words[1:3]), words[3] if len(words) > 3 else OWN))
        return found

    def pin(self, label: str, pattern: str | None, keys: Sequence[Pinned]) -> None:
        """Make these the only keys of a server. `pattern`: of its address, None before it has one.

        Lines of another server that had the address before are removed.
        """
        names = ",".join(name for name in (label, pattern) if name)
        lines = [line for line in self._lines() if not self._is_of(line, label, pattern)]
        self._write([*lines, *(f"{names} {key.public} {key.origin}" for key in keys)])

    def forget(self, label: str) -> bool:
        """Remove the keys of a server; return whether there were any."""
        lines = self._lines()
        left = [line for line in lines if not self._is_of(line, label, None)]
        if len(left) == len(lines):
            return False
        self._write(left)
        return True

    def _is_of(self, line: str, label: str, pattern: str | None) -> bool:
        names = line.split(maxsplit=1)[0].split(",") if line.strip() else []
        return bool(names) and (names[0] == label or (pattern is not None and pattern in names))

    def _lines(self) -> list[str]:
        try:
            return self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []

    def _write(self, lines: Sequence[str]) -> None:
        """Replace the file in one step: a cut-off command leaves the old or the new one."""
        handle, name = tempfile.mkstemp(prefix=".known_hosts.", dir=self.path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
        os.replace(name, self.path)
