"""`toxctl backup run`: a backup of this server into the repository, complete or not at all.

The database is dumped by the app's own module, as the service's user. Models, keys, certificates,
configuration and the audit log are read where they are. What runs is not stopped for it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from typing import Any

from toxctl import backup_state, events, facts, files, programs, restic, signals, systemd, usable
from toxctl.backup_config import BackupConfig
from toxctl.backup_repository import DAY, is_ahead, opened, repository_of
from toxctl.config import Config
from toxctl.errors import ToxctlError
from toxctl.releases import app_for_modules
from toxctl.restic import COMPLETE, TAG, UNFINISHED, Repository
from toxctl.slots import Slots
from toxctl.version import __version__

__all__ = ["CONTENTS", "as_service", "run", "start"]

UNIT = "tox_com_det-backup.service"
START_SECONDS = 6 * 3600.0
CONTENTS = "contents.json"
# A check reads one of these parts of the repository's data, the next check the next one.
PARTS = 10


def start(config: Config) -> dict[str, Any]:
    """Run the backup's unit, with its limits of memory; return what is known of the backup.

    It goes on if the laptop's connection is lost. Raises ToxctlError: what the backup failed for.
    """
    begun = time.time()
    done = programs.run(["systemctl", "start", UNIT], START_SECONDS)
    state = backup_state.read(config)
    if done.returncode:
        failed = state.get("failed") or {}
        if failed.get("at", "") < files.clock(begun):  # of an earlier run: this one was killed
            failed = {}
        words = failed.get("error") or f"{UNIT} failed: {programs.last_line(done)}"
        kind = str(failed.get("kind") or "other")
        raise ToxctlError(str(words), kind, systemd.journal(UNIT, begun))
    return dict(state["last"])


def run(config: Config, backup: BackupConfig) -> dict[str, Any]:
    """Back this server up; return {"snapshot", "at", "seconds", ...}.

    Raises ToxctlError: no backup, for the reason in the message; older ones are as they were.
    """
    signals.ignore_hangup()
    signals.raise_on_ending()
    with backup_state.exclusive(config, "failed"):
        began, repository = time.time(), repository_of(config, backup)
        # What was killed has left it in plain: also where no backup can be made.
        _clear(repository.work_dir)
        opened(config, backup, repository)
        _require_the_model(config, backup, repository)
        # Only of a restic that no longer runs, or is gone for half an hour.
        repository.run("unlock")
        try:
            contents = _dump(config, backup, repository.work_dir)
            last = _save(config, backup, repository)
        finally:
            _clear(repository.work_dir)
        last |= {
            "seconds": round(time.time() - began, 1),
            "seconds_since_1970": round(time.time()),
            "collections": len(contents["collections"]),
            "documents": sum(one["count"] for one in contents["collections"].values()),
        }
        backup_state.update(config, last=last)
        facts.record(os.path.dirname(config.path), backed_up=round(time.time()))
        _maintain(config, backup, repository)
        return last


def _require_the_model(config: Config, backup: BackupConfig, repository: Repository) -> None:
    """Refuse to let a backup without the live model become the newest one.

    As one of a server whose disk is not mounted, or of an empty server in place of another.
    """
    live = (Slots(config).confirmed() or {}).get("model")
    if live:
        usable.require_complete(config, "model", live)
    elif repository.snapshots(backup.name):
        raise ToxctlError(
            f"this server has no model yet, and {backup.repository} has backups of {backup.name} "
            "that are worth more: run `fab restore`, or deploy a model, then `fab backup`",
            "usage",
        )


def _clear(work_dir: str) -> None:
    """Remove the dump, and what a killed backup, drill or restore has left: it is not encrypted."""
    for name in ("dump", "drill", "restore"):
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(os.path.join(work_dir, name))


def as_service(config: Config, *arguments: str) -> dict[str, Any]:
    """Run the app's module `backup` as the service's user; return its answer.

    Raises ToxctlError: kind `database`, `disk` or `other`.
    """
    app = app_for_modules(config)
    if not os.path.isfile(os.path.join(app, "tox_com_det", "store", "backup.py")):
        raise ToxctlError(f"the app is too old for backups: {usable.newer_app(config)}")
    environment = programs.service_environment(config, app, perspective=True)
    command = programs.module(config, app, "backup", *arguments)
    code, lines, complaints = restic.followed(command, environment)
    done = programs.Done(command, code, "\n".join(lines), complaints)
    answer = programs.json_answer(done)
    if code or not answer or "error" in answer:
        words = str(answer.get("error") or programs.last_line(done))
        raise ToxctlError(words, str(answer.get("kind") or "other"), complaints[-4000:])
    return answer


def _dump(config: Config, backup: BackupConfig, work_dir: str) -> dict[str, Any]:
    """Dump the database, and write beside it what the backup holds."""
    events.say("dumping the database")
    directory = os.path.join(work_dir, "dump")
    os.mkdir(directory, 0o700)
    database = os.path.join(directory, "database")
    os.mkdir(database, 0o700)
    if os.geteuid() == 0:
        shutil.chown(directory, config.user, config.user)
        shutil.chown(database, config.user, config.user)
    answer = as_service(config, "--dump", database)
    if os.geteuid() == 0:
        shutil.chown(directory, "root", "root")
    confirmed = Slots(config).confirmed() or {}
    contents: dict[str, Any] = {
        "format": 1,
        "toxctl": __version__,
        "name": backup.name,
        "model": os.path.basename(confirmed.get("model") or "") or None,
        "collections": answer["collections"],
        "paths": {"models": os.path.realpath(config.models_dir), "dump": directory,
                  "etc": os.path.dirname(os.path.abspath(config.path))},
    }  # fmt: skip
    files.write_json(os.path.join(directory, CONTENTS), contents)
    return contents


def _save(config: Config, backup: BackupConfig, repository: Repository) -> dict[str, Any]:
    """Save the files, and tag the snapshot as complete once restic has read every one of them."""
    events.say(f"saving to {backup.repository}")
    etc = os.path.dirname(os.path.abspath(config.path))
    what = [os.path.join(repository.work_dir, "dump"), config.models_dir, etc, config.state_dir]
    secrets = os.path.dirname(backup.password_file)
    summary = repository.json(
        *("backup", "--host", backup.name, "--tag", TAG, "--tag", UNFINISHED),
        *(f"--exclude={secrets}", "--exclude-caches"),
        *(os.path.realpath(path) for path in what),
    )
    new = str(summary["snapshot_id"])
    repository.run("tag", "--set", f"{TAG},{COMPLETE}", new)
    found = repository.snapshots(backup.name)
    own = next((one for one in found if one.first.startswith(new)), None)
    if own is None:
        raise ToxctlError(
            f"the backup {new[:8]} is not in {backup.repository} any more: run `fab backup`",
            "damaged",
        )
    _forget_unfinished(backup, repository)
    return {
        "snapshot": own.id[:8],
        "at": own.at,
        "ahead": found[0].id[:8] if is_ahead(found[0]) else None,
        "bytes": int(summary.get("total_bytes_processed", 0)),
        "added_bytes": int(summary.get("data_added", 0)),
    }


def _forget_unfinished(backup: BackupConfig, repository: Repository) -> None:
    """Remove what interrupted backups have left; they never counted."""
    left = repository.snapshots(backup.name, UNFINISHED)
    if left:
        repository.run("forget", *(one.id for one in left))


def _maintain(config: Config, backup: BackupConfig, repository: Repository) -> None:
    """Every check_days: remove old backups and check the repository, a part of its data in full."""
    checked = backup_state.read(config).get("checked") or {"at": 0, "part": 0}
    # As far ahead of now counts as much: a clock was set back, by a moment or by years.
    passed = abs(time.time() - checked["at"])
    if passed < backup.check_days * DAY - DAY / 2:
        return
    events.say("removing old backups and checking the repository")
    repository.run(
        *("forget", "--host", backup.name, "--tag", f"{TAG},{COMPLETE}", "--group-by", "host"),
        *("--keep-last", "1", "--keep-daily", str(backup.keep_daily)),
        *("--keep-weekly", str(backup.keep_weekly), "--keep-monthly", str(backup.keep_monthly)),
        "--prune",
    )
    part = checked["part"] % PARTS + 1
    repository.run("check", f"--read-data-subset={part}/{PARTS}")
    backup_state.update(config, checked={"at": round(time.time()), "part": part})
