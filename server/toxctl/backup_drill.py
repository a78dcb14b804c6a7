"""`toxctl backup drill`: proves that a backup can be restored, without touching what is live.

The word vectors and suggestions go into scratch databases and are read back and compared with what
was dumped; the model's files are compared with their hashes; and the restored model answers its
golden outputs with the vectors of the scratch database.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from typing import Any

from toxctl import backup_state, events, integrity, signals, verify
from toxctl.backup import as_service
from toxctl.backup_config import BackupConfig
from toxctl.backup_files import Files, fetched, lend
from toxctl.config import Config
from toxctl.errors import ToxctlError
from toxctl.files import clock, read_json
from toxctl.manifest import collection_of, path_of

__all__ = ["drill"]

SUFFIX = "_drill"
AGAIN = "make another backup with `fab backup`, then rerun `fab restore-drill`"


def drill(config: Config, backup: BackupConfig, which: str | None = None) -> dict[str, Any]:
    """Restore a backup beside what is live, compare it, and remove it again.

    Returns:
        {"snapshot", "at", "collections", "documents", "models", "golden_outputs" (None if no
        model was live), "worst", "seconds"}.

    Raises:
        ToxctlError: kind `damaged`, what was restored differs; and those of `Repository.run`, of
            the database and of `toxctl verify`.
    """
    signals.ignore_hangup()
    signals.raise_on_ending()
    began = time.monotonic()
    with backup_state.exclusive(config, "drill_failed"):
        with fetched(config, backup, backup.name, which, "drill") as found:
            models = found.models()
            _compare_models(models)
            lend(config, found)
            try:
                golden = _database(config, found, models)
            finally:
                with contextlib.suppress(ToxctlError):  # the next drill drops them first
                    as_service(config, "--drop", "--suffix", SUFFIX)
            result = {
                "snapshot": found.snapshot.id[:8],
                "at": found.snapshot.at,
                "collections": len(found.contents["collections"]),
                "documents": sum(one["count"] for one in found.contents["collections"].values()),
                "models": len(models),
                "golden_outputs": golden.get("golden_outputs"),
                "worst": golden.get("worst"),
            }
        result["seconds"] = round(time.monotonic() - began, 1)
        backup_state.update(config, drill={**result, "done": clock()})
    return result


def _compare_models(models: list[str]) -> None:
    for path in models:
        finding = integrity.inspect(path)
        if finding.state == integrity.DAMAGED:
            what = integrity.words(finding.problems)
            name = os.path.basename(path)
            raise ToxctlError(
                f"the restored model {name} is damaged ({what}): `fab status --verify` says "
                f"whether the server's own is; {AGAIN}",
                "damaged",
            )
        events.say(f"model {os.path.basename(path)}: its files are as they were recorded")


def _database(config: Config, found: Files, models: list[str]) -> Mapping[str, Any]:
    """Compare the restored database, then ask the model that was live; what it answered."""
    events.say("restoring the database into scratch databases")
    restored = as_service(config, "--load", found.database, "--suffix", SUFFIX)["collections"]
    for name, expected in found.contents["collections"].items():
        if restored.get(name) != expected:
            raise ToxctlError(
                f"{name} was restored as {restored.get(name)}, it was dumped as {expected}: "
                f"{AGAIN}",
                "damaged",
            )
        events.say(f"{name}: {expected['count']} documents, count and checksum are equal")
    if not found.contents["model"]:
        events.say("no model was live, so none is asked")
        return {}
    name = collection_of(read_json(path_of(models[0]))) or ""
    database = f"{name.partition('.')[0]}{SUFFIX}"
    return verify.verify(config, models[0], database=database)
