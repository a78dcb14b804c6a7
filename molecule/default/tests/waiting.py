"""Waiting for a state of the server."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 300.0  # only a failure waits for so long


def until(condition: Callable[[], bool]) -> None:
    """Wait for the condition."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "the expected state was not reached"
        time.sleep(0.5)
