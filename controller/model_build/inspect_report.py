"""What an inspection found out about a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Report:
    """What a file is.

    Attributes:
        what: in one line, without the path.
        lines: further facts.
        obstacles: what is in the way of a build, one line each; none means that it fits.
        next: the command to type, or what to do.
    """

    what: str
    lines: list[str] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)
    next: str = ""

    @property
    def fits(self) -> bool:
        """Whether a build can use the file."""
        return not self.obstacles

    def text(self, path: Path) -> list[str]:
        """The lines to print."""
        ways = self.obstacles or ["nothing"]
        lines = [f"{path}: {self.what}", *self.lines, *(f"in the way: {one}" for one in ways)]
        return [*lines, f"next: {self.next}"] if self.next else lines


def without_path(error: Exception, path: Path) -> str:
    """An error's message without the path at its start, and without the list of layers."""
    message = str(error).removeprefix(f"{path}: ").removeprefix(f"{path} ")
    return message.partition("; list the supported layers")[0]
