"""`fab releases`: every model and app on the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.deploy import commands
from controller.deploy.dry_run import would_ask
from controller.deploy.server import Server
from controller.deploy.tasks.status import count, utc
from controller.progress import megabytes, table

__all__ = ["releases"]

HEADER = ("KIND", "NAME", "INSTALLED", "SIZE", "STATE", "WORD VECTORS")


def releases(server: Server, *, dry_run: bool = False) -> None:
    """Print every release on the server, the newest first."""
    if dry_run:
        would_ask(server, "releases", commands.toxctl("status"))
        return
    status = server.toxctl("status").result()
    entries = [*status["models"], *status["apps"]]
    server.say(f"{count(len(entries), 'release')}, {megabytes(status['free_bytes'])} free")
    rows = [
        (
            entry["kind"],
            entry["name"],
            utc(entry["installed"]),
            megabytes(entry["bytes"]),
            state(entry),
            str(entry.get("collection") or ""),
        )
        for entry in entries
    ]
    print(table(rows, HEADER))


def state(entry: Mapping[str, Any]) -> str:
    """Return what a release is used for."""
    words = [name for name in ("live", "previous", "running") if entry[name]]
    if "live" in words and "running" in words:
        words.remove("running")
    words += [] if entry["complete"] else ["incomplete"]
    words += ["damaged"] if entry.get("damaged") else []
    return ", ".join(words) or "kept"
