"""Control groups and /proc, versions 1 and 2: free memory, a unit's processes, who is killed first.

In a container /proc/meminfo is the host's; the control group of its first process, or the one
above that, has the limit.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import Any, NamedTuple

__all__ = [
    "Group",
    "available",
    "group_memory",
    "processes",
    "report",
    "set_oom_score",
    "usable_by_units",
]

PROC = "/proc"


class Files(NamedTuple):
    """What the files of a version's memory controller are called.

    Attributes:
        controllers: the controllers of its line in /proc/PID/cgroup.
        base: below /sys/fs/cgroup.
        limit, used: file names.
        prefix: of the lines in memory.stat that include the groups below.
    """

    controllers: list[str]
    base: str
    limit: str
    used: str
    prefix: str


VERSIONS = (
    Files(["memory"], "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
    Files([""], "", "memory.max", "memory.current", ""),
)
HOT_FILES = 64 << 20  # of the cached files, those in use are not given back without a cost


class Group(NamedTuple):
    """The memory of a control group in bytes.

    Attributes:
        limit: what it may use.
        used: what it uses, cached files included.
        reclaimable: what of that it gives back when asked.
    """

    limit: int
    used: int
    reclaimable: int

    @property
    def available(self) -> int:
        """What can be had without taking it from a process."""
        return max(0, self.limit - max(0, self.used - self.reclaimable))


def group_memory(root: str = "/") -> Group | None:
    """Return the memory of a container's group; None if only the machine is the limit."""
    with open(os.path.join(root, "proc/1/cgroup"), encoding="utf-8") as file:
        lines = [line.rstrip("\n").split(":", 2) for line in file]
    for version in VERSIONS:
        base = os.path.join(root, "sys/fs/cgroup", version.base)
        paths = [
            path for _, controllers, path in lines if controllers.split(",") == version.controllers
        ]
        for path in [re.sub(r"/init\.scope$", "", path).lstrip("/") for path in paths] + [""]:
            # Not there, "max" instead of a number, or without statistics: another group counts.
            with contextlib.suppress(OSError, ValueError, KeyError):
                return _read_group(os.path.join(base, path), version)
    return None


def _read_group(directory: str, version: Files) -> Group:
    limit = _number_in(os.path.join(directory, version.limit))
    used = _number_in(os.path.join(directory, version.used))
    with open(os.path.join(directory, "memory.stat"), encoding="utf-8") as file:
        statistics = dict(line.split() for line in file)
    idle = int(statistics[f"{version.prefix}inactive_file"])
    hot = int(statistics[f"{version.prefix}active_file"])
    # As MemAvailable counts: what was uploaded and hashed stays cached until memory is needed.
    return Group(limit, used, idle + max(hot - HOT_FILES, hot // 2))


def _number_in(path: str) -> int:
    """Return the number in a file of the kernel; ValueError for "max"."""
    with open(path, encoding="ascii") as file:
        return int(file.read())


def _meminfo(root: str) -> dict[str, int]:
    """Return the machine's own numbers in bytes."""
    with open(os.path.join(root, "proc/meminfo"), encoding="ascii") as file:
        pairs = (line.split(":", 1) for line in file if ":" in line)
        return {name: int(value.split()[0]) * 1024 for name, value in pairs}


def available(root: str = "/") -> int:
    """Return the bytes that can be had without taking them from a process."""
    machine = _meminfo(root)
    # The first kernels of CentOS 7 have no MemAvailable.
    free = machine.get("MemAvailable") or machine["MemFree"]
    group = group_memory(root)
    return free if group is None else min(free, group.available)


def report(root: str = "/") -> dict[str, Any]:
    """Return {limit, used, available, total} in bytes.

    `limit` and `used` are those of a container, and None where only the machine is the limit.
    """
    total, group = _meminfo(root)["MemTotal"], group_memory(root)
    limited = group is not None and group.limit < total
    return {
        "limit": group.limit if group and limited else None,
        "used": group.used if group and limited else None,
        "available": available(root),
        "total": total,
    }


def usable_by_units(root: str = "/") -> int:
    """Return the bytes that all units together may use: the machine's, or a container's limit.

    For a unit that sees its own processes only (ProtectProc=): it goes up from the group above its
    own, whose limit is that of the unit.
    """
    limits = [_meminfo(root)["MemTotal"]]
    with open(os.path.join(root, "proc/self/cgroup"), encoding="utf-8") as file:
        lines = [line.rstrip("\n").split(":", 2) for line in file]
    for version in VERSIONS:
        base = os.path.join(root, "sys/fs/cgroup", version.base)
        for path in [path for _, names, path in lines if names.split(",") == version.controllers]:
            above = os.path.dirname(path)
            while True:
                # "max", or the root of the machine, which has no limit.
                with contextlib.suppress(OSError, ValueError):
                    limits.append(_number_in(os.path.join(base, above.lstrip("/"), version.limit)))
                if above in ("", "/"):
                    break
                above = os.path.dirname(above)
    return min(limits)


def processes(group: str) -> list[int]:
    """Return the processes of a unit's control group."""
    found = []
    for name in filter(str.isdigit, os.listdir(PROC) if group else []):
        with contextlib.suppress(OSError), open(f"{PROC}/{name}/cgroup", encoding="utf-8") as file:
            if any(line.rstrip("\n").split(":", 2)[-1] == group for line in file):
                found.append(int(name))
    return found


def set_oom_score(group: str, score: int) -> None:
    """Set how early the kernel kills the processes of a group when memory runs out."""
    for pid in processes(group):
        # It may have just ended, or a container may not be allowed to: nothing depends on it.
        path = f"{PROC}/{pid}/oom_score_adj"
        with contextlib.suppress(OSError), open(path, "w", encoding="ascii") as file:
            file.write(str(score))
