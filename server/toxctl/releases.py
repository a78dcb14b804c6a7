"""What is installed on the server: models, apps, uploads, and the free disk space."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from toxctl import damage, files, usable
from toxctl.config import Config
from toxctl.manifest import collection_of, normalization_of, path_of, settings_of, windows_of
from toxctl.protection import Protection
from toxctl.slots import Slots

__all__ = [
    "app_for_modules",
    "complete_names",
    "free_bytes",
    "installed",
    "protected_names",
    "uploads",
]

Entry = dict[str, Any]


def app_for_modules(config: Config, given: str | None = None) -> str:
    """Return the app whose modules are run: as given, else the live one, else app_link's.

    Raises:
        ToxctlError: it is missing or not complete.
    """
    confirmed = Slots(config).confirmed() or {}
    path = config.app_path(given or confirmed.get("app") or config.app_link)
    usable.require_complete(config, "app", path)
    return path


def free_bytes(config: Config) -> int:
    """Return the free bytes of the disks that hold releases."""
    return files.free_bytes(config.models_dir, config.releases_dir)


def complete_names(config: Config) -> list[str]:
    """Return the names of all complete releases, models first."""
    paths = files.directories(config.models_dir) + files.directories(config.releases_dir)
    return [os.path.basename(path) for path in paths if files.is_complete(path)]


def protected_names(config: Config) -> dict[str, str]:
    """Return the names of the models that may not be written to, each with the reason."""
    protection = Protection(config)
    found = {path: protection.why(path) for path in files.directories(config.models_dir)}
    return {os.path.basename(path): why for path, why in found.items() if why}


def installed(
    config: Config, slots: Mapping[str, Mapping[str, Any]], live: str | None
) -> tuple[list[Entry], list[Entry]]:
    """Return models and apps, the newest first.

    Args:
        slots: what each slot is set to run, and whether its unit is active (`toxctl status`).
        live: the live slot.
    """
    confirmed = Slots(config).confirmed() or {}
    previous = confirmed.get("previous") or {}
    damaged, protection = damage.known(config), Protection(config)
    found: dict[str, list[Entry]] = {}
    for kind, directory in (("model", config.models_dir), ("app", config.releases_dir)):
        live_path = slots[live][kind] if live else None
        running = {slot[kind] for slot in slots.values() if slot["active"] != "inactive"}
        aged = [_entry(kind, path) for path in files.directories(directory)]
        found[kind] = [entry for _, entry in sorted(aged, key=lambda one: one[0], reverse=True)]
        for entry in found[kind]:
            path = entry["path"]
            entry["live"] = path == live_path
            entry["previous"] = path == previous.get(kind) != live_path
            entry["running"] = path in running
            entry["damaged"] = damaged.get(path, "")
            entry["protected"] = protection.why(path, damaged=path in damaged)
    return found["model"], found["app"]


def _entry(kind: str, path: str) -> tuple[int, Entry]:
    """Return when a release was installed, in nanoseconds, and what its own files say."""
    entry: Entry = {
        "kind": kind,
        "name": os.path.basename(path),
        "path": path,
        "bytes": files.bytes_below(path),
        "complete": files.is_complete(path),
    }
    stamp = os.stat(os.path.join(path, ".complete" if entry["complete"] else ""))
    entry["installed"] = files.clock(stamp.st_mtime)
    if kind == "model":
        manifest = files.read_json(path_of(path))
        manifest = manifest if isinstance(manifest, dict) else {}
        entry["version"], entry["model"] = manifest.get("model_version"), manifest.get("name")
        entry["collection"] = collection_of(manifest)
        entry["normalization"] = normalization_of(manifest)
        entry["windows"] = windows_of(manifest)
        entry["settings"] = settings_of(manifest)
    return stamp.st_mtime_ns, entry


def uploads(config: Config) -> list[tuple[str, int]]:
    """Return (path, bytes) of what was uploaded and is not in use: partial files, and dumps.

    Nothing deeper than the files of an uploader's directory: below it the path itself belongs to
    the uploader.
    """
    incoming = os.path.realpath(config.incoming_dir)
    found = []
    for directory in (incoming, *files.directories(incoming)):
        with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    found.append((entry.path, entry.stat(follow_symlinks=False).st_size))
    dumps = files.directories(config.dumps_dir)
    return found + [(path, files.bytes_below(path)) for path in dumps]
