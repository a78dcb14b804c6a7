"""The results of the verbs as text for a terminal; the laptop reads them as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from toxctl import text_of_backups
from toxctl.files import megabytes

__all__ = [
    "certificate",
    "check",
    "discard",
    "history",
    "install",
    "lock",
    "place",
    "plan",
    "prune",
    "status",
    "unlock",
    "verify",
]

Result = Mapping[str, Any]


def status(found: Result) -> str:
    """Return `toxctl status`."""
    lines = [f"live: {found['live'] or 'nothing yet (fab deploy-model)'}"]
    if found["activation"]:
        words = "by {who}, pid {pid}, since {since}".format(**found["activation"])
        lines.append(f"an activation is running {words}")
    elif found["unfinished"]:
        words = f"an activation was interrupted, slot {found['confirmed']['slot']} is confirmed"
        lines.append(f"{words}: `toxctl recover`, or the next deploy, returns to it")
    if found.get("certificate"):
        lines += certificate({**found["certificate"], "problem": None}).splitlines()
    if found.get("backup"):
        lines.append(text_of_backups.status(found["backup"]))
    lines += (_slot(slot, entry, slot == found["live"]) for slot, entry in found["slots"].items())
    if found["lock"]:
        lines.append(f"deploy lock: {_holder(found['lock'])}")
    if "models" in found:
        lines += _installed(found)
    lines += (_verified(entry) for entry in found.get("verified", []))
    lines += (f"warning: {warning}" for warning in found.get("warnings", []))
    if found.get("manifest"):
        lines.append(json.dumps(found["manifest"], indent=1))
    return "\n".join(lines)


def _slot(slot: str, entry: Result, is_live: bool) -> str:
    """Return a slot in one line."""
    words = [
        f"{'*' if is_live else ' '} {slot:<6} {entry['active']}/{entry['sub']}",
        "enabled" if entry["enabled"] else "disabled",
        f"model {os.path.basename(entry['model'] or '-')}",
        f"app {os.path.basename(entry['app'] or '-')}",
    ]
    memory_bytes, ready = entry["memory_bytes"], entry["ready"]
    if memory_bytes is not None and entry["active"] == "active":
        words.append(megabytes(memory_bytes))
    if ready:
        is_ready = ready["status"] == 200
        words.append("ready" if is_ready else f"NOT READY: {json.dumps(ready['answer'])[:300]}")
    return ", ".join(words)


def _installed(found: Result) -> Iterator[str]:
    """Yield releases, disk and memory as lines."""
    for entry in (*found["models"], *found["apps"]):
        states = [name for name in ("live", "previous", "running") if entry[name]]
        states += [] if entry["complete"] else ["not complete"]
        words = f"{entry['kind']} {entry['name']}, {megabytes(entry['bytes'])}"
        if entry.get("normalization", "keras") != "keras":
            states.append(f"normalization {entry['normalization']}")
        if entry.get("windows"):
            states.append(f"up to {entry['windows']} windows")
        yield ", ".join([words, *states])
    uploads, used = found["uploads"], found["memory"]
    limit = used["limit"] or used["total"]
    yield f"uploads: {uploads['files']}, {megabytes(uploads['bytes'])}"
    yield f"disk: {megabytes(found['free_bytes'])} free"
    yield f"memory: {megabytes(used['available'])} available of {megabytes(limit)}"


def _verified(entry: Result) -> str:
    """Return how the files of a release compare with what was recorded of them."""
    state = "no hashes recorded" if entry["state"] == "unrecorded" else entry["state"]
    words = f"{entry['kind']} {entry['name']}: {state}"
    return words + (f" ({', '.join(entry['problems'])})" if entry["problems"] else "")


def certificate(found: Result) -> str:
    """Return `toxctl certificate`: what nginx serves, and what is wrong with it."""
    lines = []
    if found["name"]:
        names = ", ".join(found["names"]) or "no name"
        lines.append(
            f"certificate: {found['source']}, for {names}, until {found['not_after']}, "
            f"{max(found['left'], 0):.0%} of its life is left"
        )
    if found["problem"]:
        lines.append(f"warning: {found['problem']}")
    return "\n".join(lines)


def _holder(holder: Result) -> str:
    return "held by {} with {} since {}, phase {}".format(
        *(holder.get(key) for key in ("who", "task", "since", "phase"))
    )


def lock(found: Result) -> str:
    """Return `toxctl lock`."""
    return _holder(found["holder"]) if found["holder"] else "free"


def unlock(found: Result) -> str:
    """Return `toxctl unlock`."""
    if not found["holder"]:
        return "nobody holds the lock"
    return f"unlocked; it was {_holder(found['holder'])}"


def history(found: Result) -> str:
    """Return `toxctl history`."""
    lines = []
    for attempt in found["attempts"]:
        words = [str(attempt.get(key)) for key in ("begin", "task", "who", "result")]
        words += [f"({attempt['reason']})"] if attempt.get("reason") else []
        lines.append("  ".join(words))
    return "\n".join(lines) or "no attempts yet"


def verify(found: Result) -> str:
    """Return `toxctl verify`."""
    return (
        f"{found['golden_outputs']} golden outputs match (largest difference "
        f"{found.get('worst')}), {found.get('count')} words in {found.get('collection')}"
    )


def plan(found: Result) -> str:
    """Return `toxctl place --plan`."""
    lines = [
        f"{file['path'] or file['part']}: "
        + ("in place" if file["placed"] else f"{megabytes(file['part_bytes'])} uploaded")
        for file in found["files"]
    ]
    return "\n".join([*lines, f"{megabytes(found['free_bytes'])} free"])


def place(found: Result) -> str:
    """Return `toxctl place`."""
    return f"{found['placed']} files are in place"


def install(found: Result) -> str:
    """Return `toxctl install`."""
    return f"{found['path']} is {'installed' if found['changed'] else 'installed already'}"


def discard(found: Result) -> str:
    """Return `toxctl discard`."""
    return "removed" if found["removed"] else "there was nothing to remove"


def check(found: Result) -> str:
    """Return `toxctl restore --check`."""
    return "restored and verified" if found["restored"] else str(found["problem"])


def prune(found: Result) -> str:
    """Return `toxctl prune`."""
    verb = "removed" if found["removed"] else "would remove"
    lines = [f"keep {entry['kind']} {entry['name']}: {entry['why']}" for entry in found["keep"]]
    lines += [
        f"{verb} {entry['kind']} {entry['name']} ({megabytes(entry['bytes'])}): {entry['why']}"
        for entry in found["remove"]
    ]
    return "\n".join([*lines, f"{megabytes(found['free_bytes'])} free"])
