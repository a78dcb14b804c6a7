"""What a server is: files, users, groups, units, firewall rules, ports, crontabs.

Everything is a line of text, so that two states are compared as sets of lines.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["SECTIONS", "Snapshot", "difference", "take"]

Snapshot = dict[str, set[str]]
# Files of the system's own running: kernel, caches, logs of the system, identifiers of a boot.
SKIPPED = "/proc /sys /dev /run /tmp /var/tmp /var/cache /var/log/journal /root/.ansible"
SECTIONS = {
    # Type, mode, owner, group and path; of what is in /etc and /usr/local also the content.
    "files": (
        "find / -xdev \\( "
        + " -o ".join(f"-path {path}" for path in SKIPPED.split())
        + " \\) -prune -o -printf '%y %m %u:%g %p\\n'"
    ),
    "contents": "find /etc /usr/local /root/.ssh -xdev -type f -exec sha256sum {} +",
    "users": "getent passwd | cut -d: -f1,3-",
    "groups": "getent group",
    "units": (
        "systemctl list-unit-files --no-legend --no-pager --state=enabled,enabled-runtime,disabled"
        " | awk '{print $1, $2}'"
    ),
    "running": (
        "systemctl list-units --no-legend --no-pager --plain --state=active,failed "
        "--type=service,timer,socket,path | awk '{print $1, $3}'"
    ),
    "rules": "nft list ruleset 2>/dev/null; iptables-save 2>/dev/null | grep -v '^#'; true",
    "ports": "ss -Htuln | awk '{print $1, $5}'",
    "crontabs": "cat /etc/crontab /etc/cron.d/* /var/spool/cron/crontabs/* 2>/dev/null; true",
    "memory": "cat /proc/swaps | tail -n +2; sysctl -a 2>/dev/null | grep ^vm.swappiness; true",
}


def take(inside: Callable[[str], str]) -> Snapshot:
    """Return the state of the server; `inside` runs a shell script there and returns its output."""
    return {name: set(inside(script).splitlines()) for name, script in SECTIONS.items()}


def difference(before: Snapshot, after: Snapshot) -> list[str]:
    """Return what is there now and was not (+), and what was there and is not now (-)."""
    found = []
    for name in before:
        found += [f"{name} + {line}" for line in sorted(after[name] - before[name])]
        found += [f"{name} - {line}" for line in sorted(before[name] - after[name])]
    return found
