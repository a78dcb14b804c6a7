"""Facts of the machine for `fab doctor`: `toxctl status --health`, and `toxctl health` elsewhere.

Nothing is judged here: the laptop knows the inventory, the time and the dates of versions. What
cannot be read is None or missing, because a broken machine is what this is asked about.
"""

from __future__ import annotations

import contextlib
import glob
import os
import platform
import re
import time
from collections.abc import Iterator, Sequence
from typing import Any

from toxctl.errors import ToxctlError
from toxctl.programs import run

__all__ = ["report"]

SECONDS = 20.0  # for each program
DAY = "-24h"
# Where a full file system stops something, where it is one of its own.
PLACES = ("/", "/boot", "/run", "/tmp", "/var", "/var/log", "/var/lib", "/var/lib/mongodb")  # noqa: S108 (read only)
# Units that have to run if they are enabled.
SERVICES = (
    *("nginx.service", "haproxy.service", "mongod.service", "secantusdb.service"),
    "firewalld.service",
)
KILLED = (
    re.compile(r"^(\S+): (?:Failed with result 'oom-kill'|A process of this unit has been killed)"),
    re.compile(r"Killed process \d+ \(([^)]+)\)"),
)
# A package's list is written when the package is unpacked.
CORE_LISTS = ("linux-image-*.list", "libc6:*.list", "systemd.list")
# With -C, because older versions reject -T alone if the configuration has a Match block.
SSHD = ("/usr/sbin/sshd", "-T", "-C", "user=root,host=localhost,addr=127.0.0.1")
BIN = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# systemctl, for a program.
PLAIN = ("--plain", "--no-legend", "--no-pager")


def report(places: Sequence[str] = (), root: str = "/") -> dict[str, Any]:
    """Return the facts.

    Args:
        places: more paths whose file systems count.
        root: the directory that holds /proc, /etc and /var, other than / in tests.
    """
    return {
        "time": time.time(),
        "failed": _failed(),
        "stopped": [unit for unit in SERVICES if _is_stopped(unit)],
        "disks": _disks((*PLACES, *places)),
        "swap": _swap(root),
        "killed": _killed(),
        "reboot": sorted(_updated_since_boot(root)),
        "versions": _versions(root),
        "firewall": _firewall(),
        "ssh_ports": re.findall(r"(?m)^port (\d+)$", _output(*SSHD) or ""),
    }


def _output(*command: str) -> str | None:
    """Return what a program prints, its errors included; None if it fails or is missing."""
    try:
        done = run(command, SECONDS, {"PATH": BIN, "LC_ALL": "C"})
    except ToxctlError:
        return None
    return None if done.returncode else done.stdout + done.stderr


def _failed() -> list[str] | None:
    # Between two starts of Restart=always a unit that always ends has not failed for systemd.
    text = _output("systemctl", "list-units", "--state=failed,auto-restart", *PLAIN)
    return None if text is None else [line.split()[0] for line in text.splitlines() if line.strip()]


def _is_stopped(unit: str) -> bool:
    text = _output("systemctl", "show", unit, "-p", "ActiveState", "-p", "UnitFileState") or ""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    state = values.get("ActiveState", "")
    return values.get("UnitFileState") == "enabled" and state in ("inactive", "deactivating")


def _disks(places: Sequence[str]) -> list[dict[str, Any]]:
    """Return each file system once, under the first of its places."""
    found: dict[int, dict[str, Any]] = {}
    for place in places:
        with contextlib.suppress(OSError):
            number, disk = os.stat(place).st_dev, os.statvfs(place)
            found.setdefault(
                number,
                {
                    "path": place,
                    "bytes": disk.f_blocks * disk.f_frsize,
                    "free": disk.f_bavail * disk.f_frsize,
                    "inodes": disk.f_files,
                    "inodes_free": disk.f_favail,
                },
            )
    return list(found.values())


def _text(root: str, path: str) -> str:
    """Return a file's text, "" if it cannot be read."""
    with contextlib.suppress(OSError), open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()
    return ""


def _swap(root: str) -> dict[str, int]:
    """Return the swap in bytes; in a container it is that of the machine."""
    sizes = dict(re.findall(r"^(\w+): +(\d+) kB$", _text(root, "proc/meminfo"), re.MULTILINE))
    return {
        "total": int(sizes.get("SwapTotal", 0)) * 1024,
        "free": int(sizes.get("SwapFree", 0)) * 1024,
    }


def _killed() -> list[str]:
    """Return the units and processes that the kernel killed for memory within a day."""
    text = _output(
        *("journalctl", "-q", "--no-pager", "-o", "cat", "-p", "notice", "--since", DAY),
        *("_PID=1", "+", "_TRANSPORT=kernel"),
    )
    names = [
        found[1]
        for line in (text or "").splitlines()
        for pattern in KILLED
        if (found := pattern.search(line))
    ]
    return list(dict.fromkeys(names))


def _updated_since_boot(root: str) -> Iterator[str]:
    """Yield the packages that only a reboot brings into effect."""
    if os.path.exists(os.path.join(root, "run/reboot-required")):
        yield "reboot-required"
    booted = _boot_time(root)
    for pattern in CORE_LISTS if booted else ():
        for path in glob.glob(os.path.join(root, "var/lib/dpkg/info", pattern)):
            with contextlib.suppress(OSError):
                if os.stat(path).st_mtime > booted:
                    yield os.path.basename(path).removesuffix(".list")
    # Exit code 1 with these words only; another failure says nothing.
    with contextlib.suppress(ToxctlError):
        done = run(["needs-restarting", "-r"], SECONDS, {"PATH": BIN, "LC_ALL": "C"})
        if done.returncode == 1 and "eboot is required" in done.stdout:
            yield from re.findall(r"(?m)^  (?:\* )?(\S+)", done.stdout)


def _boot_time(root: str) -> float:
    """Return when the first process started, also in a container; 0 if that cannot be read."""
    booted = re.search(r"(?m)^btime (\d+)$", _text(root, "proc/stat"))
    fields = _text(root, "proc/1/stat").rpartition(")")[2].split()
    if not booted or len(fields) < 20:
        return 0.0
    return int(booted[1]) + int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _versions(root: str) -> dict[str, str | None]:
    """Return the versions of what has an end of life; None for what is not installed."""
    names = dict(
        re.findall(r'^(ID|VERSION_ID|NAME)="?([^"\n]*)"?$', _text(root, "etc/os-release"), re.M)
    )
    return {
        "os": f"{names.get('ID', '')} {names.get('VERSION_ID', '')}".strip() or None,
        "os_name": names.get("NAME"),
        "python": platform.python_version(),
        "mongodb": _first(r"db version v(\S+)", _output("mongod", "--version")),
        "nginx": _first(r"nginx/(\S+)", _output("nginx", "-v")),
    }


def _first(pattern: str, text: str | None) -> str | None:
    found = re.search(pattern, text or "")
    return found[1] if found else None


def _firewall() -> dict[str, list[str]] | None:
    """Return what zone public lets in now; None if firewalld does not answer."""
    text = _output("firewall-cmd", "--zone=public", "--list-all")
    if text is None:
        return None
    lines = dict(re.findall(r"(?m)^ +([\w-]+): *(.*)$", text))
    return {name: lines.get(name, "").split() for name in ("services", "ports")}
