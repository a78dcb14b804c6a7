"""`toxctl prune`: removes releases, uploads and collections that are no longer needed."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from toxctl import damage, events, files, releases, signals, word_vectors
from toxctl.config import Config
from toxctl.deploy_lock import deploy_lock
from toxctl.errors import ToxctlError
from toxctl.locks import is_held, open_lock, try_lock
from toxctl.slots import Slots
from toxctl.status import slot_report

__all__ = ["Wanted", "plan", "prune"]

OLD_SECONDS = 86400.0  # what is not complete by then will not be
MIB = 1 << 20
Entry = dict[str, Any]


class Wanted(NamedTuple):
    """What is asked of prune.

    Attributes:
        keep: newest releases of each kind that stay; None for server.json's.
        dry_run: only report.
        auto: of the collections only those of removed models, as after a deploy.
        session: id of the session that holds the deploy lock; None takes the lock.
        named: collections that releases of other app hosts name.
        leave_collections: drop none, for what other app hosts name is not known.
    """

    keep: int | None = None
    dry_run: bool = False
    auto: bool = False
    session: str | None = None
    named: Collection[str] = ()
    leave_collections: bool = False


def prune(config: Config, wanted: Wanted) -> dict[str, Any]:
    """Remove what is not needed; return what is removed and what is kept, each with its reason.

    Raises:
        ToxctlError: kinds `locked` and `activating`.
    """
    signals.ignore_hangup()
    if wanted.dry_run:
        return _pruned(config, wanted, busy=is_held(config.deploy_lock_file))
    with (
        deploy_lock(config, "prune", wanted.session),
        open_lock(config.lock_file) as file,
    ):
        if not try_lock(file):
            raise ToxctlError("an activation is running: wait until it has ended", "activating")
        # The caller holds the deploy lock: no other deploy uses what is not complete.
        return _pruned(config, wanted, busy=False)


def _pruned(config: Config, wanted: Wanted, busy: bool) -> dict[str, Any]:
    """Choose what is removed, remove it unless this is a dry run, and report it.

    Args:
        busy: a deploy is running, whose incomplete releases stay.
    """
    if not wanted.dry_run:
        for path in filter(files.is_complete, damage.known(config)):
            damage.inspect(config, path)  # a file may have been put back since it was found
    remove, stay = _choose(config, wanted, busy)
    named = None
    if not wanted.leave_collections:
        named = word_vectors.remaining(config, {entry["path"] for entry in remove})
    only = None
    if wanted.auto:
        of_removed = {entry.get("collection") for entry in remove if entry["kind"] == "model"}
        only = sorted({word_vectors.short(name) for name in of_removed if name})
    if not wanted.dry_run:
        for entry in remove:
            events.say(f"removing {entry['kind']} {entry['name']}")
            _erase(entry["path"])
            Slots(config).forget(entry["path"])
    keep = None if named is None else sorted({*named, *wanted.named})
    for one in word_vectors.drop_unused(config, keep, only, OLD_SECONDS, not wanted.dry_run):
        entry = {"kind": "collection", "name": one["name"], "bytes": one.get("bytes") or 0}
        if one["kept"]:
            why = word_vectors.why_kept(one["name"], named or [], wanted.named, only)
            stay.append({**entry, "why": why})
        else:
            remove.append({**entry, "why": "no release names it any more"})
    return {
        "remove": [_shown(entry) for entry in remove],
        "keep": [_shown(entry) for entry in stay],
        "removed": not wanted.dry_run,
        "free_bytes": releases.free_bytes(config),
    }


def _choose(config: Config, wanted: Wanted, busy: bool) -> tuple[list[Entry], list[Entry]]:
    """Return the releases and uploads (to remove, to keep), each with its reason."""
    slots = Slots(config)
    installed = releases.installed(config, slot_report(slots, ask_ready=False), slots.live())
    keep = config.keep_releases if wanted.keep is None else wanted.keep
    wanted_free = config.keep_free_mb * MIB
    freed: dict[int, int] = {}  # by the disk, which models and apps may share
    remove: list[Entry] = []
    stay: list[Entry] = []
    directories = (config.models_dir, config.releases_dir)
    for directory, entries in zip(directories, installed, strict=True):
        if not entries:  # the directory may be missing, as without its disk
            continue
        complete = [entry for entry in entries if entry["complete"]]
        disk = disk_of(directory)
        free = files.free_bytes(directory) + freed.get(disk, 0)
        surplus, kept = plan(complete, keep, free, wanted_free)
        freed[disk] = freed.get(disk, 0) + sum(entry["bytes"] for entry in surplus)
        remove += surplus
        stay += kept
        for entry in (entry for entry in entries if not entry["complete"]):
            why = entry["protected"]
            if not why and entry["damaged"]:
                remove.append({**entry, "why": f"it is damaged ({entry['damaged']})"})
            elif not why and not busy and files.age(entry["path"]) > OLD_SECONDS:
                remove.append({**entry, "why": "not complete, and older than a day"})
            else:
                stay.append({**entry, "why": why or "not complete, a deploy may continue it"})
    for path, size in releases.uploads(config):
        entry = {"kind": "upload", "name": os.path.basename(path), "path": path, "bytes": size}
        if files.age(path) > OLD_SECONDS:
            remove.append({**entry, "why": "older than a day"})
        else:
            stay.append({**entry, "why": "younger than a day, a deploy may continue it"})
    return remove, stay


def disk_of(directory: str) -> int:
    """Return the number of the file system that holds a directory."""
    return os.stat(directory).st_dev


def plan(
    entries: Sequence[Entry], keep: int, free: int, wanted_free: int
) -> tuple[list[Entry], list[Entry]]:
    """Divide complete releases of one kind into (remove, keep), each with its reason.

    Args:
        entries: the newest first; those to remove are returned the oldest first.
        keep: how many of the newest stay.
        free: free bytes of the disk.
        wanted_free: more are removed until so many bytes are free.
    """
    remove, kept = [], []
    for position, entry in enumerate(entries):
        why = entry["protected"]
        if entry["damaged"] and not why:
            remove.append({**entry, "why": f"it is damaged ({entry['damaged']})"})
        elif not why and position >= keep:
            remove.append({**entry, "why": f"more than the {keep} newest"})
        else:
            kept.append({**entry, "why": why or f"one of the {keep} newest"})
    remove.reverse()
    free += sum(entry["bytes"] for entry in remove)
    for entry in reversed(kept[:]):
        if free < wanted_free and not entry["protected"]:
            kept.remove(entry)
            words = f"less than {files.megabytes(wanted_free)} of disk are free"
            remove.append({**entry, "why": words})
            free += entry["bytes"]
    return remove, kept


def _erase(path: str) -> None:
    """Remove a release or an upload, which its uploader may have replaced by a link."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except IsADirectoryError:
        files.remove_release(path)


def _shown(entry: Entry) -> Entry:
    """Return what is reported about an entry that is removed or kept."""
    return {key: entry[key] for key in ("kind", "name", "bytes", "why")}
