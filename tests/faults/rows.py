"""The table: a row per fault with what was done, what clients saw, and whether that is right."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

from under_load import Seen

HEAD = ("fault", "what was done", "what the client saw", "time to healthy", "as required?")
WIDTHS = (26, 44, 50, 12, 14)


@dataclass
class Row:
    """One fault. `verdict`: None until its test has ended."""

    fault: str
    done: str
    seen: Seen = field(default_factory=lambda: Seen([]))
    remarks: list[str] = field(default_factory=list)
    healthy: float | None = None
    verdict: str | None = None

    def cells(self) -> tuple[str, ...]:
        saw = "; ".join([self.seen.summary(), *self.remarks])
        healthy = self.seen.downtime if self.healthy is None else self.healthy
        return (
            self.fault,
            self.done,
            saw,
            f"{healthy:.1f} s" if healthy else "never down",
            self.verdict or "NO: its test did not end",
        )


def table(rows: Sequence[Row]) -> list[str]:
    """Return the rows as lines."""
    lines = [*wrapped(HEAD), rule("=")]
    for row in rows:
        lines += [*wrapped(row.cells()), rule("-")]
    return [*lines, totals(rows)]


def rule(mark: str) -> str:
    return "-+-".join("-" * width for width in WIDTHS).replace("-", mark)


def wrapped(cells: Sequence[str]) -> list[str]:
    """Return cells side by side, each wrapped at its width."""
    columns = [
        textwrap.wrap(cell, width) or [""] for cell, width in zip(cells, WIDTHS, strict=True)
    ]
    height = max(map(len, columns))
    return [
        " | ".join(
            (column[line] if line < len(column) else "").ljust(width)
            for column, width in zip(columns, WIDTHS, strict=True)
        ).rstrip()
        for line in range(height)
    ]


def totals(rows: Sequence[Row]) -> str:
    """Return what all clients saw together."""
    seen = Seen([request for row in rows for request in row.seen.requests])
    good = sum(row.verdict == "yes" for row in rows)
    return f"{good} of {len(rows)} rows as required; requests: {seen.summary()}"
