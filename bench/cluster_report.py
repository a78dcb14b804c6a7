"""The table of `bench.cluster`: what was measured, and what is computed from it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from bench.serving import BenchError

BEGIN, END = "<!-- bench.cluster: begin -->", "<!-- bench.cluster: end -->"
PARTS = ("service", "nginx", "balancer", "database")
# The share of a processor that a server should use at most, so that requests do not wait long.
BUSY = 0.7


@dataclass(frozen=True)
class Case:
    """What a load measured.

    Attributes:
        name: `warm` or `cold`.
        hosts: app hosts behind the balancer.
        connections: of the client, at once.
        per_second: requests that were answered.
        p99: ms.
        cost: by part, ms of processor for a request.
    """

    name: str
    hosts: int
    connections: int
    per_second: float
    p99: float
    cost: dict[str, float]

    def line(self) -> str:
        """One row for the terminal."""
        parts = "  ".join(f"{part} {self.cost[part]:.2f}" for part in PARTS)
        rate = f"{self.per_second:7.0f}/s  p99 {self.p99:6.1f} ms"
        return f"{self.name} {self.hosts} hosts: {rate}  {parts}"


def table(cases: Sequence[Case], when: date, processors: int) -> str:
    """Both tables in Markdown."""
    return "\n".join((*_measured(cases, when, processors), "", *_computed(cases)))


def _of(cases: Sequence[Case], name: str, hosts: int | None = None) -> list[Case]:
    return [one for one in cases if one.name == name and hosts in (None, one.hosts)]


def _middle(cases: Sequence[Case], part: str) -> float:
    return statistics.median(one.cost[part] for one in cases)


def _measured(cases: Sequence[Case], when: date, processors: int) -> list[str]:
    lines = [
        f"Measured on {when}: all hosts are containers of a machine with {processors} processors,",
        "which they, the balancer, the database (SecantusDB) and the client share, so more hosts",
        "cannot answer more here. The columns behind p99 are ms of processor for a request.",
        "",
        "| app hosts | words | requests/s | p99, ms | service | nginx | HAProxy | database |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in ("warm", "cold"):
        for hosts in sorted({one.hosts for one in cases}):
            found = _of(cases, name, hosts)
            rate = statistics.median(one.per_second for one in found)
            p99 = statistics.median(one.p99 for one in found)
            parts = " | ".join(f"{_middle(found, part):.2f}" for part in PARTS)
            lines.append(f"| {hosts} | {name} | {rate:,.0f} | {p99:.0f} | {parts} |")
    return lines


def _computed(cases: Sequence[Case]) -> list[str]:
    lines = [
        "Computed from these costs, not measured: requests a second of app hosts with one",
        f"processor each, busy for {BUSY:.0%}, behind a balancer and a database that have one each",
        "too.",
        "",
        "| app hosts | warm words | cold words | what is used up first |",
        "|---|---|---|---|",
    ]
    for hosts in (1, 2, 3):
        shown, first = [], []
        for name in ("warm", "cold"):
            found = _of(cases, name)
            limits = {
                "app hosts": hosts / (_middle(found, "service") + _middle(found, "nginx")),
                "balancer": 1 / max(_middle(found, "balancer"), 1e-3),
                "database": 1 / max(_middle(found, "database"), 1e-3),
            }
            part = min(limits, key=limits.__getitem__)
            shown.append(f"{1000 * BUSY * limits[part]:,.0f}")
            first.append(part)
        lines.append(f"| {hosts} | {shown[0]} | {shown[1]} | {first[0]}; {first[1]} |")
    return lines


def write(page: Path, shown: str) -> None:
    """Put the tables between the marks of a page; BenchError if it has none."""
    text = page.read_text()
    before, found, rest = text.partition(BEGIN)
    _, also, after = rest.partition(END)
    if not (found and also):
        raise BenchError(f"{page} has no marks {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n{shown}\n{END}{after}")
