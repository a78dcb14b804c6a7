"""Facts about the server that this process cannot know: toxctl writes them to a file.

The file is JSON: {"deployed": seconds, "backed_up": seconds, "certificate_ends": seconds},
Unix times, each only if it is known.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

__all__ = ["EVENTS", "read_facts"]

# Each by the name of its event in the metrics.
EVENTS = {"deployed": "deploy", "backed_up": "backup"}
CERTIFICATE = "certificate_ends"
_LARGEST = 64 * 1024


def read_facts(path: Path | None) -> dict[str, float]:
    """The facts by name; none where the file is missing or damaged."""
    if path is None:
        return {}
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        name: float(found[name])
        for name in (*EVENTS, CERTIFICATE)
        if isinstance(found.get(name), int | float) and math.isfinite(found[name])
    }
