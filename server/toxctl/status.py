"""`toxctl status`: what is live, how the slots are, what is installed."""

from __future__ import annotations

from typing import Any

from toxctl import (
    alarms,
    backup_state,
    certificate,
    health,
    memory,
    releases,
    systemd,
    tls_config,
    verification,
)
from toxctl.config import Config
from toxctl.deploy_lock import holder_now
from toxctl.errors import NotReady
from toxctl.files import read_json
from toxctl.locks import activation_holder
from toxctl.manifest import path_of
from toxctl.probe import ask
from toxctl.slots import Slots
from toxctl.version import __version__

__all__ = ["report", "slot_report"]

# The settings of server.json that the laptop uses.
SHOWN = (
    "user",
    "unit",
    "models_dir",
    "dumps_dir",
    "incoming_dir",
    "releases_dir",
    "wheel_target",
    "http_port",
    "https_port",
    "public_url",
    "keep_releases",
    "keep_free_mb",
    "memory_max",
)


def report(
    config: Config,
    quick: bool = False,
    manifest: bool = False,
    verify: bool = False,
    machine: bool = False,
) -> dict[str, Any]:
    """Return the whole report.

    Args:
        quick: without /readyz, and without releases, sizes and memory.
        manifest: with the live model's manifest.
        verify: with the files of all releases compared with what was recorded of them.
        machine: with the facts that `fab doctor` judges.
    """
    slots = Slots(config)
    live, confirmed = slots.live(), slots.confirmed()
    found: dict[str, Any] = {
        "version": __version__,
        "config": {key: getattr(config, key) for key in SHOWN},
        "live": live,
        "confirmed": confirmed,
        "unfinished": confirmed is not None and confirmed["slot"] != live,
        "activation": activation_holder(config.lock_file),
        "lock": holder_now(config),
        "slots": slot_report(slots, ask_ready=not quick),
    }
    tls = tls_config.load(tls_config.beside(config.path))
    found["certificate"] = certificate.report(tls) if tls else None
    found["backup"] = backup_state.report(config)
    if verify:
        found["verified"] = verification.verify_all(config)
    if not quick:
        models, apps = releases.installed(config, found["slots"], live)
        uploads = releases.uploads(config)
        found |= {
            "models": models,
            "apps": apps,
            "uploads": {"files": len(uploads), "bytes": sum(size for _, size in uploads)},
            "free_bytes": releases.free_bytes(config),
            "memory": memory.report(),
            "warnings": alarms.warnings(config, live, found["slots"]),
        }
    if machine:
        found["health"] = health.report(
            (config.models_dir, config.incoming_dir, config.releases_dir)
        )
    if manifest:
        release = slots.pinned(live)
        found["manifest"] = read_json(path_of(release.model)) if release else None
    return found


def slot_report(slots: Slots, ask_ready: bool) -> dict[str, dict[str, Any]]:
    """Return each slot's unit, memory and release, and what its /readyz answers."""
    found = {}
    for slot in slots.names:
        state, release = systemd.unit_state(slots.unit(slot)), slots.pinned(slot)
        entry: dict[str, Any] = {
            "unit": slots.unit(slot),
            "active": state.active,
            "sub": state.sub,
            "enabled": systemd.is_enabled(slots.unit(slot)),
            "memory_bytes": state.memory_bytes,
            "app": release.app if release else None,
            "model": release.model if release else None,
            "ready": None,
        }
        if ask_ready and state.active == "active":
            try:
                code, answer = ask(slots.url(slot) + "/readyz")
                entry["ready"] = {"status": code, "answer": answer}
            except NotReady as error:
                entry["ready"] = {"status": None, "answer": str(error)}
        found[slot] = entry
    return found
