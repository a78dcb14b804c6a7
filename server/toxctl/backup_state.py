"""What is known of the backups: the last one, the last failure, the last drill.

It is in a file of state_dir, so that `toxctl status` needs no repository, which may be far away.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Any

from toxctl import advice
from toxctl.backup_config import beside, load
from toxctl.config import Config
from toxctl.errors import ToxctlError
from toxctl.files import clock, read_json, write_json
from toxctl.locks import open_lock, try_lock

__all__ = ["exclusive", "is_late", "read", "report", "update", "work_dir"]

FILE = "backup-state.json"


def work_dir(config: Config) -> str:
    """Return the directory for dumps, restored files and restic's cache.

    On the disk of the models, into whose directory restored ones are moved in one step.
    """
    return os.path.join(os.path.dirname(config.models_dir), "backup")


def read(config: Config) -> dict[str, Any]:
    """Return what is known: `repository`, `last`, `failed`, `checked`, `drill`, `drill_failed`."""
    found = read_json(os.path.join(config.state_dir, FILE))
    return found if isinstance(found, dict) else {}


def update(config: Config, **values: Any) -> None:
    """Replace some of what is known."""
    write_json(os.path.join(config.state_dir, FILE), {**read(config), **values})


@contextlib.contextmanager
def exclusive(config: Config, failed: str) -> Iterator[None]:
    """Let one backup, restore or drill run at a time; whatever ends it early is recorded.

    Args:
        config: the server's.
        failed: the key of the record; a run that ends well sets it to None.

    Raises:
        ToxctlError: another one runs, kind `locked`; or what ended this one.
    """
    directory = work_dir(config)
    os.makedirs(directory, mode=0o711, exist_ok=True)
    with open_lock(os.path.join(directory, "lock")) as file:
        if not try_lock(file):
            raise ToxctlError(
                "a backup, a restore or a drill is running: rerun the command when it has ended, "
                "see `systemctl status tox_com_det-backup`",
                "locked",
            )
        try:
            yield
        except BaseException as error:
            kind = advice.cause_of(error) if isinstance(error, ToxctlError | OSError) else "other"
            words = str(error) or type(error).__name__
            with contextlib.suppress(OSError):
                update(config, **{failed: {"at": clock(), "error": words, "kind": kind}})
            raise
        update(config, **{failed: None})


def is_late(config: Config, max_age_hours: int, state: dict[str, Any]) -> bool:
    """Return whether the newest backup is too old; before the first one, backup.json's age counts.

    The time is that of `at`, which this server's clock wrote.
    """
    since = state.get("last", {}).get("seconds_since_1970")
    if since is None:
        with contextlib.suppress(OSError):
            since = os.stat(beside(config)).st_mtime
    # As far ahead of now is as wrong: the clock was set back since.
    return since is not None and abs(time.time() - since) > max_age_hours * 3600


def report(config: Config) -> dict[str, Any] | None:
    """Return {"repository", "name", "last", "failed", "late", "drill", "drill_failed"}.

    None where backups are off.
    """
    backup = load(beside(config))
    if backup is None:
        return None
    state = read(config)
    return {
        "repository": backup.repository,
        "name": backup.name,
        "late": is_late(config, backup.max_age_hours, state),
        **{key: state.get(key) for key in ("last", "failed", "drill", "drill_failed")},
    }
