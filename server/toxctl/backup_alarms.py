"""Warnings about backups: the last one failed, none is young enough, nothing starts them."""

from __future__ import annotations

from typing import Any

from toxctl import advice, backup_state, systemd, timers
from toxctl.backup import UNIT
from toxctl.backup_config import REPAIR
from toxctl.config import Config
from toxctl.errors import ToxctlError

__all__ = ["warnings"]

# Role backup installs both.
TIMERS = ("tox_com_det-backup.timer", "tox_com_det-backup-drill.timer")


def warnings(config: Config) -> list[str]:
    """Return the warnings, each with its next command."""
    try:
        found = backup_state.report(config)
    except ToxctlError as error:
        return [str(error)]
    if found is None:
        return []
    words = []
    failed, drill, last = found["failed"], found["drill_failed"], found["last"]
    if failed:
        why = _why(failed, "run `fab backup`")
        step = "" if "`" in why else ": run `fab backup`"
        words.append(f"the backup of {failed['at']} failed: {why}{step}")
    elif systemd.unit_state(UNIT).active == "failed":  # killed before it could write down why
        words.append(f"{UNIT} failed: see `journalctl -u {UNIT}`, then run `fab backup`")
    if found["late"]:
        words.append(
            f"the newest backup is of {last['at']}, which is too old: run `fab backup`"
            if last
            else "there is no backup yet: run `fab backup`"
        )
    if last and last.get("ahead"):
        words.append(
            f"the backup {last['ahead']} is dated after this server's clock, so it counts as the "
            "newest one: check the clock with `timedatectl`; docs/backup.md says how to remove it"
        )
    if drill:
        why = _why(drill, "run `fab restore-drill`")
        step = "" if "`fab restore-drill`" in why else "; run `fab restore-drill`"
        words.append(f"the restore drill of {drill['at']} failed: {why}{step}")
    words += [f"{one} is not active: {REPAIR}" for one in TIMERS if timers.stopped(one)]
    return words


def _why(failed: dict[str, Any], again: str) -> str:
    """Return what a run failed for, with the command that repairs it if there is one."""
    error = ToxctlError(failed["error"], str(failed.get("kind") or "other"))
    return str(advice.with_step(error, again))
