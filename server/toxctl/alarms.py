"""What `toxctl status` warns about: each warning is a line that ends with the next command."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from toxctl import (
    backup_alarms,
    certificate_alarms,
    damage,
    files,
    keys,
    log_alarms,
    probe,
    systemd,
    timers,
    usable,
    verification,
)
from toxctl.config import REPAIR, Config
from toxctl.errors import NginxDown, NotReady, ToxctlError
from toxctl.protection import Protection

__all__ = ["warnings"]

MIB = 1 << 20
LEAST_FREE = 256 * MIB  # where keep_free_mb is smaller
LEAST_INODES = 10_000


def warnings(config: Config, live: str | None, slots: Mapping[str, Any]) -> list[str]:
    """Return what needs attention on this server.

    Args:
        config: the server's.
        live: the live slot.
        slots: each slot's state, with the answer of its /readyz (`toxctl status`).
    """
    return [
        *_nginx(config, live),
        *certificate_alarms.warnings(config),
        *backup_alarms.warnings(config),
        *_damage(config),
        *_keys(config),
        *_suggestions(slots.get(live or "", {})),
        *_disk(config),
        *log_alarms.warnings(),
    ]


def _nginx(config: Config, live: str | None) -> list[str]:
    if live is None:
        return []
    try:
        probe.ask(f"{config.probe_url.rstrip('/')}/live/livez", seconds=probe.LIVE_REQUEST_SECONDS)
    except NginxDown as error:
        return [f"nothing serves: {error}"]
    except NotReady:
        pass  # the slots' own lines say that
    return []


def _damage(config: Config) -> list[str]:
    found = []
    gone = dict.fromkeys(Protection(config).gone(), damage.GONE)
    for path, what in {**damage.known(config), **gone}.items():
        kind = usable.kind_of(config, path)
        step = usable.repair(config, kind, path)
        found.append(f"the {kind} {os.path.basename(path)} is damaged ({what}): {step}")
    if not found and systemd.unit_state(verification.UNIT).active == "failed":
        found.append("the daily verification of the releases failed: run `fab status --verify`")
    if timers.stopped(verification.TIMER):
        step = "run `ansible-playbook site.yml --tags toxctl`"
        found.append(f"{verification.TIMER} is not active, so nothing verifies releases: {step}")
    return found


def _keys(config: Config) -> list[str]:
    try:
        keys.entries(config)
    except (ToxctlError, OSError) as error:
        return [str(error)]
    return []


def _suggestions(slot: Mapping[str, Any]) -> list[str]:
    """Return the live slot's own words, if it does not store suggestions that it should store."""
    answer = (slot.get("ready") or {}).get("answer")
    found = answer.get("warnings") if isinstance(answer, dict) else None
    return [str(one) for one in found or [] if str(one).startswith("suggestions ")]


def _disk(config: Config) -> list[str]:
    """Return warnings for disks with little space or few inodes left."""
    found = []
    least = max(config.keep_free_mb * MIB, LEAST_FREE)
    free = files.free_bytes(config.models_dir, config.releases_dir, config.state_dir)
    if free < least:
        found.append(
            f"the disk has {files.megabytes(free)} free, less than {files.megabytes(least)}: make "
            "room with `fab prune`; on the server `du -xh / | sort -h | tail` shows what is large"
        )
    paths = (config.models_dir, config.releases_dir, config.state_dir)
    there = [path for path in paths if os.path.isdir(path)]
    found += [
        f"{path} is missing: mount its disk, or {REPAIR}" for path in paths if path not in there
    ]
    for path in there:
        disk = os.statvfs(path)
        if disk.f_files and disk.f_favail < LEAST_INODES:  # some file systems have no inodes
            found.append(f"the disk of {path} has {disk.f_favail} inodes left: run `fab prune`")
            break
    return found
