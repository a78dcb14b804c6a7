"""The exceptions that end a task: a single line that names the next command."""

from __future__ import annotations

__all__ = ["DeferredError", "DeployError"]


class DeployError(Exception):
    """What happened, where, and what to run next, in one line.

    `details` (a health check's answer, journal lines) are printed below the line.
    """

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(" ".join(message.split()))
        self.details = details


class DeferredError(DeployError):
    """A failure on one server that does not keep the task from the servers after it."""
