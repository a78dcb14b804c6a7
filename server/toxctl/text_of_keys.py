"""The results of `toxctl keys` as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["added", "revoked", "table", "taken"]

Result = Mapping[str, Any]


def added(found: Result) -> str:
    """Return `toxctl keys --add`: the only place where a key is shown."""
    return f"{_line(found)}\n{found['key']}\nThe key is shown only now and stored nowhere."


def taken(found: Result) -> str:
    """Return `toxctl keys --import`."""
    lines = [f"added {_line(entry)}" for entry in found["added"]]
    lines += [f"left out, as it was revoked here: {_line(one)}" for one in found["skipped"]]
    return "\n".join(lines) or "nothing to add"


def revoked(found: Result) -> str:
    """Return `toxctl keys --revoke`."""
    return f"revoked {_line(found['revoked'])}"


def table(found: Result) -> str:
    """Return `toxctl keys`."""
    return "\n".join(_line(entry) for entry in found["keys"]) or "no keys"


def _line(entry: Result) -> str:
    rate, ends = entry["requests_per_second"], entry["ends"]
    words = [
        f"key {entry['id']} {entry['name']}",
        f"{rate} requests per second" if rate else "no rate of its own",
        f"ends {ends}" if ends else "no end",
        f"created {entry['created']}",
    ]
    return ", ".join(words)
