"""What processes use: processor time, and memory without counting shared pages twice (Linux)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


@dataclass(frozen=True)
class Memory:
    """Of one process, in MB: PSS now, and the largest resident size so far."""

    name: str
    pss: float
    peak: float


def group(leader: int) -> list[int]:
    """A process and its descendants, those with a session of their own among them."""
    parents = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(entry)):
            parents[int(entry.name)] = int(fields[1])
    found = [leader]
    for parent in found:
        found += sorted(child for child, above in parents.items() if above == parent)
    return found


def name(process: int) -> str:
    """The name of a process; empty if it has ended."""
    try:
        return (_PROC / str(process) / "comm").read_text().strip()
    except OSError:
        return ""


def processor_seconds(processes: list[int]) -> float:
    """User and system time of processes until now; 0 for those that have ended."""
    fields = (_stat(_PROC / str(process)) for process in processes)
    return sum((int(one[11]) + int(one[12])) / _TICKS for one in fields if one)


def memory(process: int) -> Memory:
    """The memory of one process."""
    directory = _PROC / str(process)
    status = (directory / "status").read_text()
    rollup = (directory / "smaps_rollup").read_text()
    return Memory(
        name(process),
        _megabytes(rollup, "Pss:"),
        _megabytes(status, "VmHWM:"),
    )


def _megabytes(text: str, name: str) -> float:
    for line in text.splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    return 0.0


def _stat(directory: Path) -> list[str]:
    """The fields of /proc/PID/stat from the state on, or [] if the process has ended."""
    try:
        text = (directory / "stat").read_text()
    except OSError:
        return []
    # The name before them may have blanks.
    return text.rpartition(")")[2].split()
