"""The results of `toxctl backup` as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toxctl.files import megabytes

__all__ = ["done", "drilled", "initialized", "listed", "restored", "status"]

Result = Mapping[str, Any]


def status(found: Result) -> str:
    """Return the line of `toxctl status`."""
    last, drill = found["last"], found["drill"]
    words = [f"backup: {last['at']} to {found['repository']}" if last else "backup: none yet"]
    words += [f"restore drill {drill['done']}, {drill['seconds']} s"] if drill else []
    return ", ".join([*words, *["LATE"] * found["late"], *["FAILED"] * bool(found["failed"])])


def done(found: Result) -> str:
    """Return `toxctl backup start` and `run`."""
    return (
        f"backup {found['snapshot']}: {found['documents']} documents in {found['collections']} "
        f"collections, {megabytes(found['bytes'])}, {megabytes(found['added_bytes'])} of them new, "
        f"{found['seconds']} s"
    )


def listed(found: Result) -> str:
    """Return `toxctl backup list`."""
    lines = [f"{one['id']}  {one['at']}" for one in found["backups"]]
    return "\n".join(lines) or f"no backup of {found['name']} in {found['repository']}"


def restored(found: Result) -> str:
    """Return `toxctl backup restore`."""
    models = ", ".join(found["models"]) or "no model"
    return (
        f"backup {found['snapshot']} of {found['at']}: {models}, {len(found['collections'])} "
        f"collections, {found['suggestions']} suggestions, {found['keys']} keys, "
        f"{found['seconds']} s; switch to the model with `toxctl activate --model`"
    )


def drilled(found: Result) -> str:
    """Return `toxctl backup drill`."""
    golden = found["golden_outputs"]
    answers = f"{golden} golden outputs match" if golden else "no model to ask"
    return (
        f"backup {found['snapshot']} of {found['at']} can be restored: {found['documents']} "
        f"documents in {found['collections']} collections, {found['models']} models, {answers}, "
        f"{found['seconds']} s"
    )


def initialized(found: Result) -> str:
    """Return `toxctl backup init`."""
    return f"the repository {found['id'][:8]} is {'made' if found['created'] else 'there'}"
