"""Whether a timer that the roles installed is active."""

from __future__ import annotations

import os

from toxctl import systemd

__all__ = ["stopped"]

UNITS = "/etc/systemd/system"


def stopped(timer: str) -> bool:
    """Whether the timer is installed and not active."""
    installed = os.path.exists(os.path.join(UNITS, timer))
    return installed and systemd.unit_state(timer).active != "active"
