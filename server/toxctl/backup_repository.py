"""The repository of this server's backups: opened with the right password, or made; its backups."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import replace
from typing import Any

from toxctl import backup_state, files
from toxctl.backup_config import REPAIR, BackupConfig
from toxctl.config import Config
from toxctl.errors import ToxctlError
from toxctl.restic import Repository, Snapshot

__all__ = ["DAY", "chosen", "initialize", "is_ahead", "opened", "repository_of"]

DAY = 86_400


def repository_of(config: Config, backup: BackupConfig) -> Repository:
    """Return the repository of this server."""
    return Repository(backup, backup_state.work_dir(config))


def initialize(config: Config, backup: BackupConfig, password: str | None = None) -> dict[str, Any]:
    """Open the repository with the password, or make it.

    A repository that was there once is never made anew: its disk may not be mounted.

    Args:
        config: the server's.
        backup: its settings.
        password: the vault's. It replaces the server's own once it has opened or made the
            repository, and never before: the server may have the last copy of the right one.
            None: the server's own.

    Returns:
        {"created", "id", "password_written"}.

    Raises:
        ToxctlError: kinds `password`, `missing`, `connection` and others of `Repository.run`.
    """
    os.makedirs(backup_state.work_dir(config), mode=0o711, exist_ok=True)
    own = backup.password_file
    if password is None or password.strip() == _content(own):
        return {**_open_or_make(config, backup), "password_written": False}
    new = f"{own}.new"
    files.write_file(new, password, 0o600)
    try:
        found = _open_or_make(config, replace(backup, password_file=new))
        os.replace(new, own)
    except ToxctlError as error:
        if error.kind != "password":
            raise
        kept = f", which is still in {own} on this server" if _opens(config, backup) else ""
        raise ToxctlError(
            f"the repository {backup.repository} is not opened by the backup_password of the "
            f"inventory: set it to the one that the repository was made with{kept}, then {REPAIR}; "
            "without it no backup can be read",
            "password",
            error.details,
        ) from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
    return {**found, "password_written": True}


def _content(path: str) -> str | None:
    """Return a password file's password as restic reads it; None if there is no such file."""
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as file:
        return file.read().strip()
    return None


def _opens(config: Config, backup: BackupConfig) -> bool:
    """Return whether the repository is opened by the server's own password."""
    if _content(backup.password_file) is None:
        return False
    with contextlib.suppress(ToxctlError):
        return bool(repository_of(config, backup).identifier())
    return False


def _open_or_make(config: Config, backup: BackupConfig) -> dict[str, Any]:
    repository = repository_of(config, backup)
    try:
        return {"created": False, "id": opened(config, backup, repository)}
    except ToxctlError as error:
        if error.kind != "missing" or _known(config, backup):
            raise
    repository.run("init")
    return {"created": True, "id": opened(config, backup, repository)}


def _known(config: Config, backup: BackupConfig) -> str | None:
    """Return the identifier that the repository had when it was opened last."""
    known = backup_state.read(config).get("repository") or {}
    return known.get("id") if known.get("address") == backup.repository else None


def opened(config: Config, backup: BackupConfig, repository: Repository) -> str:
    """Open the repository and return its identifier; ToxctlError if it is another one by now."""
    found, known = repository.identifier(), _known(config, backup)
    if known and known != found:
        raise ToxctlError(
            f"{backup.repository} is not the repository that was there before ({found[:8]} in "
            f"place of {known[:8]}): check its disk or its server; if it was made anew on purpose, "
            f"remove `repository` from {config.state_dir}/{backup_state.FILE}, then {REPAIR}",
            "missing",
        )
    if not known:
        address = {"address": backup.repository, "id": found}
        backup_state.update(config, repository=address)
    return found


def is_ahead(snapshot: Snapshot) -> bool:
    """Return whether a backup is dated by a clock that was ahead of this server's, or is it now."""
    # By more than a slow clock makes.
    return snapshot.at > files.clock(time.time() + DAY)


def chosen(repository: Repository, name: str, which: str | None) -> Snapshot:
    """Return a server's complete backup: the newest, or the one whose identifier begins so.

    Raises ToxctlError: there is none, or the newest is dated in the future; kind `usage`.
    """
    found = repository.snapshots(name)
    if which is not None:
        found = [one for one in found if one.id.startswith(which)]
    if found and which is None and is_ahead(found[0]):
        raise ToxctlError(
            f"the newest backup {found[0].id[:8]} is dated {found[0].at}, this server's clock says "
            f"{files.clock()}: set the clock right, or name a backup with `--snapshot ID`, "
            "`fab backups` lists them; how to remove one with a wrong date is in docs/backup.md",
            "usage",
        )
    if found:
        return found[0]
    what = f"backup {which}" if which else "complete backup"
    advice = "`fab backups` lists them"
    if which is None:
        others = ", ".join(repository.names())
        advice = (
            f"it has those of {others}: `fab restore --of NAME` restores one"
            if others
            else f"it has none at all: check backup_repository, then {REPAIR}"
        )
    raise ToxctlError(
        f"there is no {what} of {name} in {repository.backup.repository}: {advice}", "usage"
    )
