"""The results of `toxctl suggestions` as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toxctl.files import megabytes

__all__ = ["cleared", "report"]

Result = Mapping[str, Any]


def report(found: Result) -> str:
    """Return `toxctl suggestions`."""
    switch = "on" if found["on"] else "off"
    since = f", the oldest of {found['oldest']}" if found["oldest"] else ""
    days = f"removed after {found['days']} days" if found["days"] else "kept until they are cleared"
    size = f"{megabytes(found['bytes'])} of {found['max_mb']} MB"
    return (
        f"storing is {switch} (flask_app_perspective_store_suggestions)\n"
        f"{found['stored']} stored{since}, {size}, {days}"
    )


def cleared(found: Result) -> str:
    """Return `toxctl suggestions --clear`."""
    return f"{found['cleared']} removed"
