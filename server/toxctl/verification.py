"""`toxctl status --verify`: compares every release with what was recorded of it.

The timer tox_com_det-verify.timer runs it every day.
"""

from __future__ import annotations

import os
from typing import Any

from toxctl import damage, files, integrity, systemd, usable
from toxctl.config import Config
from toxctl.errors import ToxctlError
from toxctl.protection import Protection

__all__ = ["TIMER", "UNIT", "failure", "verify_all"]

UNIT = "tox_com_det-verify.service"
TIMER = "tox_com_det-verify.timer"


def verify_all(config: Config) -> list[dict[str, Any]]:
    """Compare all releases, those in use first; return one entry for each.

    Returns:
        {"kind", "name", "state", "problems", "why", "repair"}; `why` it is needed, "" if nothing
        needs it; `repair` is "" unless it is damaged.
    """
    protection = Protection(config)
    found = []
    for kind, directory in (("model", config.models_dir), ("app", config.releases_dir)):
        for path in files.directories(directory):
            rank = 0 if path in protection.in_use else 1 if path in protection.kept else 2
            found.append((rank, kind, path))
    entries = [_missing(config, path) for path in protection.gone()]
    entries += [_verified(config, kind, path, rank < 2) for rank, kind, path in sorted(found)]
    for entry in entries:
        entry["why"] = protection.why(entry.pop("path"))
    if not any(entry["state"] == integrity.DAMAGED for entry in entries):
        systemd.systemctl_if_possible("reset-failed", UNIT)
    return entries


def _verified(config: Config, kind: str, path: str, needed: bool) -> dict[str, Any]:
    """Return the entry of one release; what a deploy is still writing has state `incomplete`."""
    state, problems = "incomplete", list[str]()
    if integrity.completed(path):
        state, problems = damage.inspect(config, path)
    elif needed:
        state, problems = integrity.DAMAGED, [".complete is missing"]
        problems += integrity.inspect(path).problems
        damage.note(config, path, problems)
    return _entry(config, kind, path, integrity.Finding(state, problems))


def _missing(config: Config, path: str) -> dict[str, Any]:
    """Return the entry of a release that is in use, but not there."""
    finding = integrity.Finding(integrity.DAMAGED, [damage.GONE])
    return _entry(config, usable.kind_of(config, path), path, finding)


def _entry(config: Config, kind: str, path: str, finding: integrity.Finding) -> dict[str, Any]:
    repair = usable.repair(config, kind, path) if finding.state == integrity.DAMAGED else ""
    name = os.path.basename(path)
    return {"kind": kind, "name": name, "path": path, **finding._asdict(), "repair": repair}


def failure(entries: list[dict[str, Any]]) -> ToxctlError | None:
    """Return the error for damaged releases; None if there are none."""
    damaged = [entry for entry in entries if entry["state"] == integrity.DAMAGED]
    if not damaged:
        return None
    lines = [
        f"the {entry['kind']} {entry['name']} is damaged ({integrity.words(entry['problems'])}): "
        f"{entry['repair']}"
        for entry in damaged
    ]
    details = [f"{entry['name']}/{one}" for entry in damaged for one in entry["problems"]]
    return ToxctlError("; ".join(lines), "damaged", "\n".join(details))
