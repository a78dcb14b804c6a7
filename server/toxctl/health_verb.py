"""`toxctl health`: what `fab doctor` asks of a host without the service, so without server.json."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from toxctl import health, memory
from toxctl.version import __version__

__all__ = ["HEALTH", "add_options", "health_verb"]

HEALTH = "health"


def add_options(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    add(HEALTH, "show the facts of the machine that `fab doctor` judges")


def health_verb() -> tuple[dict[str, Any], str]:
    """Return the facts, and the same as text."""
    found = {"version": __version__, "memory": memory.report(), "health": health.report()}
    return found, json.dumps(found, indent=1)
