"""Asks and commands systemd: 219 (CentOS 7) and newer."""

from __future__ import annotations

import re
from typing import NamedTuple

from toxctl.errors import ToxctlError
from toxctl.programs import last_line, run

__all__ = [
    "JOURNAL_LINES",
    "UnitState",
    "is_enabled",
    "journal",
    "memory_options",
    "systemctl",
    "systemctl_if_possible",
    "unit_failure",
    "unit_state",
    "version",
]

JOURNAL_LINES = 50


class UnitState(NamedTuple):
    """What systemd reports about a unit.

    Attributes:
        group: its control group; "" while it has none.
    """

    active: str
    sub: str
    main_pid: int
    memory_bytes: int | None
    group: str = ""

    @property
    def running(self) -> bool:
        """Whether the unit has processes, or is about to."""
        return self.active in ("active", "activating", "reloading", "deactivating")


def systemctl(*arguments: str) -> str:
    """Run systemctl and return its output; ToxctlError with its own words if it fails."""
    done = run(["systemctl", *arguments])
    if done.returncode:
        words = " ".join((done.stderr or done.stdout).split())
        raise ToxctlError(f"systemctl {' '.join(arguments)} failed: {words}", "systemd")
    return done.stdout


def systemctl_if_possible(*arguments: str) -> str:
    """Run systemctl where its exit code carries no information, and return its output."""
    return run(["systemctl", *arguments]).stdout


def unit_state(unit: str) -> UnitState:
    """Return the state of a unit."""
    names = ["ActiveState", "SubState"]
    # systemd 219 fails when it is asked for a property that a timer has not.
    if unit.endswith(".service"):
        names += ["MainPID", "MemoryCurrent", "ControlGroup"]
    options = [word for name in names for word in ("-p", name)]
    lines = systemctl("show", unit, *options).splitlines()
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    memory = values.get("MemoryCurrent", "")
    return UnitState(
        active=values.get("ActiveState", "unknown"),
        sub=values.get("SubState", "unknown"),
        main_pid=int(values.get("MainPID") or 0),
        # Without memory accounting systemd prints 2^64-1 or words.
        memory_bytes=int(memory) if memory.isdigit() and int(memory) < 1 << 60 else None,
        group=values.get("ControlGroup", ""),
    )


def unit_failure(state: UnitState, first_pid: int | None) -> str | None:
    """Return why the candidate's unit has failed for good; None if it has not.

    Restart=always hides a crash behind a new start, so a second main process counts as a crash.
    systemd 219 has no NRestarts to read.
    """
    if state.active == "failed":
        return "its unit failed"
    if state.sub == "auto-restart":
        return "it ended and systemd is about to start it again"
    if first_pid and state.main_pid and state.main_pid != first_pid:
        return "it crashed and was started again"
    if first_pid and not state.main_pid and state.active in ("inactive", "deactivating"):
        return "it ended"
    return None


def is_enabled(unit: str) -> bool:
    """Return whether the unit starts at boot."""
    return systemctl_if_possible("is-enabled", unit).strip() == "enabled"


def journal(unit: str, since: float) -> str:
    """Return the unit's last journal lines since a time (seconds since 1970)."""
    # Not -n: together with --since some versions of journalctl take it for the first lines.
    arguments = ["-u", unit, "--no-pager", "--since", f"@{int(since)}"]
    try:
        done = run(["journalctl", *arguments], seconds=20)
    except ToxctlError as error:
        return str(error)
    lines = (done.stdout or done.stderr).rstrip().splitlines()
    return "\n".join(lines[-JOURNAL_LINES:]) or "(no lines)"


def version() -> int:
    """Return systemd's version."""
    done = run(["systemctl", "--version"], 30)
    match = re.match(r"systemd (\d+)", done.stdout)
    if not match:
        raise ToxctlError(f"systemctl --version printed no version: {last_line(done)}")
    return int(match[1])


def memory_options(systemd: int, limit: int) -> list[str]:
    """Return the options of systemd-run that limit a scope's memory, for that systemd's version."""
    if systemd < 231:
        return ["-p", f"MemoryLimit={limit}"]
    swap = ["-p", "MemorySwapMax=0"] if systemd >= 232 else []
    return ["-p", f"MemoryMax={limit}", *swap]
