"""Who holds the locks of a package manager, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["LOCKS", "holder_words", "left_over", "still_locked"]

# For each package manager the files that it locks with fcntl, those with its process's ID, and
# those that are there as long as it runs.
LOCKS: dict[str, dict[str, list[str]]] = {
    "apt": {
        "record_locks": [
            "/var/lib/dpkg/lock-frontend",
            "/var/lib/dpkg/lock",
            "/var/lib/apt/lists/lock",
            "/var/cache/apt/archives/lock",
        ],
    },
    "dnf": {
        "record_locks": ["/var/lib/rpm/.rpm.lock"],
        "pid_files": [
            "/var/cache/dnf/metadata_lock.pid",
            "/var/cache/dnf/download_lock.pid",
            "/var/lib/dnf/rpmdb_lock.pid",
        ],
    },
    "pacman": {"lock_files": ["/var/lib/pacman/db.lck"]},
    "yum": {"record_locks": ["/var/lib/rpm/.rpm.lock"], "pid_files": ["/var/run/yum.pid"]},
}


def holder_words(holders: Iterable[Mapping[str, Any]]) -> str:
    """Return the holders of locks in words, each process once.

    Args:
        holders: what module package_lock returns.

    Returns:
        For example "unattended-upgrade (pid 812, started by apt.systemd.daily)".
    """
    found = []
    for one in holders:
        if not one["pid"]:
            found.append(f"a process that this system does not show ({one['path']})")
            continue
        started = f", started by {one['starter']}" if one["starter"] else ""
        found.append(f"{one['process'] or 'a process'} (pid {one['pid']}{started})")
    return " and ".join(dict.fromkeys(found))


def left_over(manager: str, host: str, holders: Iterable[Mapping[str, Any]]) -> str:
    """Return one line for a lock file that no process has open, with the next command."""
    path = next(one["path"] for one in holders if one.get("left_over"))
    return (
        f"{manager} on {host} left {path} behind when it was killed: check with `ps -C {manager}` "
        f"that it does not run, then remove the file with `sudo rm {path}` and rerun the playbook"
    )


def still_locked(
    manager: str, host: str, holders: Iterable[Mapping[str, Any]], seconds: int
) -> str:
    """Return one line for a lock that was not released in time, with the next command."""
    known = list(holders)
    pids = ",".join(dict.fromkeys(str(one["pid"]) for one in known if one["pid"]))
    look = f"`sudo ps -fp {pids}`" if pids else f"`sudo fuser -v {known[0]['path']}`"
    return (
        f"{manager} on {host} is still locked after {seconds} s by {holder_words(known)}: {look} "
        "on the server shows what it does. Rerun the playbook when it has ended, or set "
        "package_lists_lock_timeout to wait longer"
    )
