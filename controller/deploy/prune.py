"""`fab prune`: remove releases, uploads and collections that nothing needs, and say so first."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from controller.deploy.attempt import attempt
from controller.deploy.errors import DeployError
from controller.deploy.progress import megabytes
from controller.deploy.servers import Server
from controller.deploy.tools import releasectl

__all__ = ["prune"]

TASK = "prune"


def prune(server: Server, keep: int, yes: bool, dry_run: bool) -> bool:
    """Say what would be removed, ask, and remove it; return whether anything was."""
    if keep < 0:
        raise DeployError(f"--keep is {keep}, wanted 1 or more")
    options = ["--keep", str(keep)] if keep else []
    found = releasectl(server, "prune", "--dry-run", *options).answer()
    show(server, found)
    if not found["remove"] or dry_run:
        return False
    if not yes and not agreed(server):
        server.say("nothing was removed")
        return False
    with attempt(server, TASK, "") as now:
        now.enter("clean")
        words = ["prune", *options, "--session", now.session.id]
        done = releasectl(server, *words).answer()
        now.note(removed=[f"{item['kind']} {item['name']}" for item in done["remove"]])
        server.say(f"{len(done['remove'])} removed, {megabytes(done['free_bytes'])} are free now")
    return True


def show(server: Server, found: Mapping[str, Any]) -> None:
    """Print what stays and what would go, each with its reason."""
    for item in found["keep"]:
        server.say(f"keep    {item['kind']} {item['name']}: {item['why']}")
    for item in found["remove"]:
        size = f" ({megabytes(item['bytes'])})" if item.get("bytes") else ""
        server.say(f"remove  {item['kind']} {item['name']}{size}: {item['why']}")
    if not found["remove"]:
        server.say(f"nothing to remove, {megabytes(found['free_bytes'])} are free")


def agreed(server: Server) -> bool:
    """Ask on a terminal; DeployError where there is nobody to ask."""
    if not sys.stdin.isatty():
        raise DeployError(
            f"nothing was removed on {server.name}: nobody is there to ask, so type "
            "`fab prune --yes`"
        )
    return input(f"{server.name}: remove this? [y/N] ").strip().lower() in ("y", "yes")
