"""`fab prune`: remove releases, uploads and collections that are no longer needed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from controller.deploy.attempt import attempt
from controller.deploy.errors import DeployError
from controller.deploy.server import Server
from controller.deploy.word_vectors import keeping
from controller.progress import megabytes

__all__ = ["prune"]

TASK = "prune"


def prune(server: Server, keep: int = 0, yes: bool = False, *, dry_run: bool = False) -> bool:
    """List what would be removed, ask, and remove it; return whether anything was.

    `keep`: how many releases of each kind stay; 0 for the server's own setting.
    """
    if keep < 0:
        raise DeployError(f"--keep is {keep}, it must be 1 or more")
    options = ["--keep", str(keep)] if keep else []
    kept = keeping(server)
    found = server.toxctl("prune", "--dry-run", *options, *kept).result()
    show(server, found)
    if not found["remove"] or dry_run:
        return False
    if not yes:
        if not agreed(server):
            server.say("nothing was removed")
            return False
        kept = keeping(server)  # hours may have passed
    with attempt(server, TASK, "") as now:
        now.enter("clean")
        done = server.toxctl("prune", *options, *kept, "--session", now.session.id).result()
        now.note(removed=[f"{item['kind']} {item['name']}" for item in done["remove"]])
        server.say(f"{len(done['remove'])} removed, {megabytes(done['free_bytes'])} are free now")
    return True


def show(server: Server, found: Mapping[str, Any]) -> None:
    """Print what stays and what would be removed, each with the reason."""
    for item in found["keep"]:
        server.say(f"keep    {item['kind']} {item['name']}: {item['why']}")
    for item in found["remove"]:
        size = f" ({megabytes(item['bytes'])})" if item.get("bytes") else ""
        server.say(f"remove  {item['kind']} {item['name']}{size}: {item['why']}")
    if not found["remove"]:
        server.say(f"nothing to remove, {megabytes(found['free_bytes'])} are free")


def agreed(server: Server) -> bool:
    """Ask on a terminal; DeployError without one."""
    if not sys.stdin.isatty():
        raise DeployError(
            f"nothing was removed on {server.name}: there is no terminal to confirm on, run "
            "`fab prune --yes`"
        )
    return input(f"{server.name}: remove this? [y/N] ").strip().lower() in ("y", "yes")
