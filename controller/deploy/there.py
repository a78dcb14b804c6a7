"""What is on a server already: a deploy's files, and what its slots run."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.deploy import commands
from controller.deploy.bundle import sha256_of
from controller.deploy.connection import Process
from controller.deploy.errors import DeployError
from controller.deploy.progress import megabytes
from controller.deploy.servers import Server
from controller.deploy.transfer import SPARE_BYTES, bring, free_bytes, must, part_path

__all__ = ["Item", "check_room", "look", "send", "sizes", "slot_report"]


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


@dataclass(frozen=True)
class Found:
    """What a look at a server found."""

    items: list[Item]
    complete: Collection[str]  # of the directories that were asked for
    confirmed: dict[str, Any] | None  # what the server's confirmed.json says


def look(
    server: Server, wanted: Sequence[tuple[Path, str]], directories: Sequence[str] = ()
) -> Found:
    """Return for each (file, place on the server) what is there, and what is confirmed."""
    slots = server.remote.start(commands.slotctl(server.config, "status", "--json"))
    items = [Item(local, final, sha256_of(local), local.stat().st_size) for local, final in wanted]
    parts = [part_path(server.remote, server.config, item.sha256) for item in items]
    markers = {f"{directory}/.complete": directory for directory in directories}
    paths = [*(item.final for item in items), *parts, *markers]
    words = commands.what_is_there(paths)
    done = must(server.remote, server.remote.run_as(words), "say what is there")
    there: dict[str, str] = {}
    for line in done.stdout.splitlines():
        word, _, path = line.partition("  ")
        there[path] = word
    found = [
        Item(
            item.local,
            item.final,
            item.sha256,
            item.size,
            there=min(int(there.get(part, "0")), item.size),
            placed=there.get(item.final) == item.sha256,
        )
        for item, part in zip(items, parts, strict=True)
    ]
    complete = {directory for marker, directory in markers.items() if marker in there}
    return Found(found, complete, slot_answer(server, slots)["confirmed"])


def slot_report(server: Server) -> dict[str, Any]:
    """Return slotctl's status as it prints it with --json."""
    words = commands.slotctl(server.config, "status", "--json")
    return slot_answer(server, server.remote.start(words))


def slot_answer(server: Server, process: Process) -> dict[str, Any]:
    """Return the status of a slotctl that was started."""
    with process:
        done = must(server.remote, process.wait(), "ask its slots")
    try:
        return dict(json.loads(done.stdout))
    except (ValueError, TypeError):
        raise DeployError(f"slotctl on {server.name} answers nonsense: {done.stdout!r}") from None


def sizes(items: Sequence[Item]) -> str:
    """Return what would be sent, in words."""
    return ", ".join(item.words() for item in items)


def check_room(server: Server, needed: int, directory: str, what: str) -> None:
    """Raise DeployError when the disk has no room for that many bytes and some to spare.

    What is on its way is in incoming_dir, which may be a disk of its own.
    """
    if not needed:
        return
    df = commands.free_kib(directory, server.config.incoming_dir)
    done = must(server.remote, server.remote.run(df), "say what is free")
    free = free_bytes(done.stdout)
    if free < needed + SPARE_BYTES:
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
