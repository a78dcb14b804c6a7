"""The one exception that ends a task: a single line that names the next command."""

from __future__ import annotations

__all__ = ["DeployError"]


class DeployError(Exception):
    """What happened, where, and what to type next, in one line.

    `details` (a probe's answer, journal lines) are printed below the line.
    """

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(" ".join(message.split()))
        self.details = details
