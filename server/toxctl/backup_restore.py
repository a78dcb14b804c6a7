"""`toxctl backup restore`: a backup into this server. Nothing that is there is replaced or removed.

Models are moved into their directory in one step each, word vectors are restored and compared by
`toxctl restore`, suggestions are added, and keys are taken where the server has none. What is live
stays live: `fab restore` switches afterwards, through the gate of every deploy. So an interrupted
run leaves a server that serves as before, and the next run goes on.
"""

from __future__ import annotations

import os
import shutil
import time
from typing import Any

from toxctl import backup_state, discard, events, files, integrity, keys, restore, signals
from toxctl.backup import as_service
from toxctl.backup_config import BackupConfig
from toxctl.backup_files import Files, fetched, lend
from toxctl.config import Config
from toxctl.errors import ToxctlError
from toxctl.manifest import collection_of, path_of
from toxctl.word_vectors import short

__all__ = ["fetch"]

SUGGESTIONS = "perspective.suggestions"


def fetch(
    config: Config, backup: BackupConfig, which: str | None = None, name: str | None = None
) -> dict[str, Any]:
    """Restore everything but what is live.

    Args:
        config: the server's.
        backup: its settings.
        which: beginning of the backup's identifier; None for the newest.
        name: of the server that the backup is of; None for this one.

    Returns:
        {"snapshot", "at", "model" (path of the one that was live, or None), "models",
        "collections", "suggestions", "keys", "seconds"}.

    Raises:
        ToxctlError: kinds of `Repository.run`, of `toxctl restore`, and `damaged`.
    """
    signals.ignore_hangup()
    signals.raise_on_ending()
    began = time.monotonic()
    with (
        backup_state.exclusive(config, "restore_failed"),
        fetched(config, backup, name or backup.name, which, "restore") as found,
    ):
        own_keys = keys.entries(config)
        models = found.models()
        for path in models:
            _require_whole(path)
        collections = _word_vectors(config, found, models)
        lend(config, found)
        added = 0
        if SUGGESTIONS in found.contents["collections"]:
            added = int(as_service(config, "--add", found.database)["added"])
            events.say(f"{added} suggestions added")
        restored_keys = _keys(config, found, len(own_keys))
        placed = [_model(config, found, path) for path in models]
        return {
            "snapshot": found.snapshot.id[:8],
            "at": found.snapshot.at,
            "model": placed[0] if found.contents["model"] else None,
            "models": [os.path.basename(path) for path in placed],
            "collections": collections,
            "suggestions": added,
            "keys": restored_keys,
            "seconds": round(time.monotonic() - began, 1),
        }


def _require_whole(path: str) -> None:
    finding = integrity.inspect(path)
    if finding.state == integrity.DAMAGED:
        what = integrity.words(finding.problems)
        raise ToxctlError(
            f"the model {os.path.basename(path)} of the backup is damaged ({what}): choose an "
            "older one, `fab backups` lists them",
            "damaged",
        )


def _word_vectors(config: Config, found: Files, models: list[str]) -> list[str]:
    """Restore the collections that the models name, each verified as after an upload."""
    done: list[str] = []
    for path in models:
        name = collection_of(files.read_json(path_of(path)))
        if name is None or short(name) in done or name not in found.contents["collections"]:
            continue
        database, _, collection = name.partition(".")
        discard.discard_dump(config, collection)
        dump = os.path.join(config.dumps_dir, collection)
        os.makedirs(os.path.join(dump, database))
        try:
            for suffix in (".bson", ".metadata.json"):
                target = os.path.join(dump, database, f"{collection}{suffix}")
                os.rename(os.path.join(found.database, database, f"{collection}{suffix}"), target)
                os.chmod(target, 0o644)
                if os.geteuid() == 0:
                    os.chown(target, 0, 0)
            shutil.copyfile(path_of(path), path_of(dump))
            restore.restore(config, collection)
        finally:
            discard.discard_dump(config, collection)
        done.append(collection)
    return done


def _model(config: Config, found: Files, path: str) -> str:
    """Put a model beside the others and return its path; one that is there and whole stays."""
    target = os.path.join(os.path.realpath(config.models_dir), os.path.basename(path))
    if os.path.lexists(target):
        if files.is_complete(target) and integrity.inspect(target).state != integrity.DAMAGED:
            return target
        # It may be live all the same, so it is left as it is.
        target = f"{target}-{found.snapshot.id[:8]}"
        if os.path.lexists(target):
            return target
    os.rename(path, target)
    files.sync_directory(os.path.dirname(target))
    events.say(f"model {os.path.basename(target)} is in place")
    return target


def _keys(config: Config, found: Files, own: int) -> int:
    """Take the backup's keys if the server has none of its own; return how many.

    Otherwise a key would be valid again that was revoked since then. One that is known to be so is
    left out.
    """
    path = os.path.join(found.below("etc"), os.path.basename(keys.path_of(config)))
    if not os.path.exists(path):
        return 0
    if own:
        events.say(f"the server's own {own} keys stay, those of the backup are left out")
        return 0
    try:
        given, gone = keys.read(path), keys.read_revoked(path)
    except ToxctlError:
        events.say("the keys of the backup are damaged and left out: `fab add-key` adds new ones")
        return 0
    added, skipped = keys.take(config, given, gone)
    if skipped:
        events.say(f"keys that were revoked are left out: {len(skipped)}")
    events.say(f"{len(added)} keys are valid again")
    return len(added)
