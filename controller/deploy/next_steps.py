"""The next command for the kinds of failure that no release is at fault for."""

from __future__ import annotations

from toxctl.advice import STEPS

__all__ = ["ENVIRONMENT"]

# An older toxctl does not name them itself.
ENVIRONMENT = {kind: STEPS[kind] for kind in ("database", "disk", "systemd")}
