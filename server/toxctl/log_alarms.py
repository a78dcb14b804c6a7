"""Warnings about logs: they grow beyond what their rules leave, or nothing rotates them."""

from __future__ import annotations

import contextlib
import os
import re

from toxctl import files, systemd, timers

__all__ = ["warnings"]

MIB = 1 << 20
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
# Role log_rotation installs both.
TIMER = "tox_com_det-logrotate.timer"
SERVICE = "tox_com_det-logrotate.service"
ROTATE = "run `ansible-playbook site.yml --tags log_rotation`"
# Directories, each with its rule and the number of its logs.
ROTATED = (
    ("/var/log/nginx", "/etc/logrotate.d/nginx", 2),
    ("/var/log/mongodb", "/etc/logrotate.d/mongod", 1),
)
# The rule of the files into which rsyslog copies the journal. Their directory has others as well.
SYSLOG = "/etc/logrotate-syslog.conf"
UNBOUNDED = 256 * MIB  # where no rule limits the size
CURRENT = re.compile(r"\.log(\.(\d+)(\.gz)?)?$")
JOURNALS = ("/var/log/journal", "/run/log/journal")
JOURNAL_LIMITS = "/etc/systemd/journald.conf.d/tox_com_det.conf"


def warnings() -> list[str]:
    """Return the warnings, each with its next command."""
    found = _rotation()
    for directory, rule, logs in ROTATED:
        found += _directory(directory, rule, logs, bool(found))
    return found + _syslog(bool(found)) + _journal()


def _read(path: str) -> str:
    with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
        return file.read()
    return ""


def _bytes(number: str, unit: str) -> int:
    return int(number) * UNITS[unit.upper()]


def _rotation() -> list[str]:
    if timers.stopped(TIMER):
        return [f"{TIMER} is not active, so logs are not rotated by size: {ROTATE}"]
    if systemd.unit_state(SERVICE).active == "failed":
        return [f"the last run of {SERVICE} failed, so logs are not rotated by size: {ROTATE}"]
    return []


def _directory(directory: str, rule: str, logs: int, known: bool) -> list[str]:
    """Compare a directory with what its rule leaves: the log, the old ones, and what came since.

    Args:
        known: whether a warning names the rotation's next command already.
    """
    _, limit, kept = _rule(rule)
    limit = limit * logs or UNBOUNDED
    ruled = other = 0
    for path, status in files.files_below(directory):
        current = CURRENT.search(path)
        if current and int(current[2] or 0) <= kept:
            ruled += status.st_size
        else:
            other += status.st_size
    if ruled > limit and not known:
        return [_more(directory, ruled, limit) + ROTATE]
    if other > limit:
        command = f"find {directory} -type f -name '*.log?*' -mtime +7 -delete"
        old = _more(f"what no rule removes in {directory}", other, limit)
        return [f"{old}on the server `{command}` removes what is older than a week"]
    return []


def _rule(path: str) -> tuple[str, int, int]:
    """Return a rule's text, the bytes that it leaves of one log, and how many old ones stay."""
    text = _read(path)
    size = re.search(r"^\s*size (\d+)([kMG]?)$", text, re.MULTILINE)
    keep = re.search(r"^\s*rotate (\d+)$", text, re.MULTILINE)
    kept = int(keep[1]) if keep else 0
    return text, _bytes(size[1], size[2]) * (kept + 2) if size else 0, kept


def _syslog(known: bool) -> list[str]:
    """Compare each log that the rule of rsyslog's files names with what the rule leaves of it.

    Args:
        known: whether a warning names the rotation's next command already.
    """
    text, limit, kept = _rule(SYSLOG)
    limit = limit or UNBOUNDED
    found = []
    for log in re.findall(r"/\S+(?=.*\{$)", text, re.MULTILINE):
        size = 0
        for name in (log, *(f"{log}.{n}{end}" for n in range(1, kept + 1) for end in ("", ".gz"))):
            with contextlib.suppress(OSError):
                size += os.lstat(name).st_size
        if size > limit and not known:
            found.append(_more(log, size, limit) + ROTATE)
    return found


def _journal() -> list[str]:
    found = re.search(r"^SystemMaxUse=(\d+)([KMG]?)$", _read(JOURNAL_LIMITS), re.MULTILINE)
    allowed, words = (_bytes(*found.groups()), found[0]) if found else (512 * MIB, "=200M")
    size = sum(files.bytes_below(path) for path in JOURNALS)
    limit = 2 * allowed
    if size <= limit:
        return []
    command = f"journalctl --vacuum-size={words.partition('=')[2]}"
    return [_more(JOURNALS[0], size, limit) + f"run `{command}` on the server"]


def _more(what: str, size: int, limit: int) -> str:
    return f"{what} has {files.megabytes(size)}, more than {files.megabytes(limit)}: "
