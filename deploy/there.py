"""What of a deploy's files is on a server already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy import commands
from deploy.bundle import sha256_of
from deploy.errors import DeployError
from deploy.progress import megabytes
from deploy.servers import Server
from deploy.transfer import SPARE_BYTES, bring, must, part_path

__all__ = ["Item", "check_room", "look", "send", "sizes"]


@dataclass(frozen=True)
class Item:
    """A file of the laptop, where it belongs on the server, and how much of it is there."""

    local: Path
    final: str
    sha256: str
    size: int
    there: int = 0
    placed: bool = False

    @property
    def missing(self) -> int:
        """Bytes that have to be sent."""
        return 0 if self.placed else self.size - self.there

    def words(self) -> str:
        """Return the file and what is there of it, for people."""
        name = f"{self.local.name} ({megabytes(self.size)}"
        if self.placed:
            return f"{name}, there already)"
        return f"{name}, {megabytes(self.there)} of it there already)" if self.there else f"{name})"


def look(server: Server, wanted: Sequence[tuple[Path, str]]) -> list[Item]:
    """Return for each (file, place on the server) what is there, with one question."""
    items = [Item(local, final, sha256_of(local), local.stat().st_size) for local, final in wanted]
    parts = [part_path(server.remote, server.config, item.sha256) for item in items]
    words = commands.what_is_there([*(item.final for item in items), *parts])
    done = must(server.remote, server.remote.run_as(words), "say what is there")
    found: dict[str, str] = {}
    for line in done.stdout.splitlines():
        word, _, path = line.partition("  ")
        found[path] = word
    return [
        Item(
            item.local,
            item.final,
            item.sha256,
            item.size,
            there=min(int(found.get(part, "0")), item.size),
            placed=found.get(item.final) == item.sha256,
        )
        for item, part in zip(items, parts, strict=True)
    ]


def sizes(items: Sequence[Item]) -> str:
    """Return what would be sent, in words."""
    return ", ".join(item.words() for item in items)


def check_room(server: Server, needed: int, free: int, what: str) -> None:
    """Raise DeployError when the disk has no room for that many bytes and some to spare."""
    if needed and free < needed + SPARE_BYTES:
        raise DeployError(
            f"the disk of {server.name} is too full for {what}: {megabytes(needed)} and "
            f"{megabytes(SPARE_BYTES)} spare are needed, {megabytes(free)} are free: type "
            "`fab prune`"
        )


def send(server: Server, items: Sequence[Item]) -> int:
    """Send what is missing and put it in its place; return how many files were sent."""
    sent = 0
    for item in items:
        if item.placed:
            continue
        part = bring(server.remote, server.config, item.local)
        words = commands.place(part, item.final)
        must(server.remote, server.remote.run_as(words), f"put {item.final} in its place")
        sent += 1
    return sent
