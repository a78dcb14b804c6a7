"""Reads /etc/tox_com_det/backup.json, which role backup writes. Nothing else reads it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from toxctl import settings_file
from toxctl.config import Config
from toxctl.errors import ToxctlError

__all__ = ["REPAIR", "BackupConfig", "beside", "load", "require"]

FORMAT = 1
REPAIR = "run `ansible-playbook site.yml --tags backup`"


@dataclass(frozen=True)
class BackupConfig:
    """Where backups go, and how long they stay.

    Attributes:
        path: the backup.json itself.
        repository: a directory, `sftp:...` or `s3:...`, as restic takes it.
        name: under which this server's backups are in the repository.
        password_file: holds the repository's password, readable for root only.
        environment_file: `NAME=value` lines for restic, such as S3 keys; "" for none.
        ssh_key_file, ssh_known_hosts_file: for SFTP; "" for none.
        keep_daily, keep_weekly, keep_monthly: how many backups stay.
        max_age_hours: after which the newest backup is late.
        check_days: days between two checks of the repository.
    """

    path: str
    repository: str
    name: str
    password_file: str
    environment_file: str
    ssh_key_file: str
    ssh_known_hosts_file: str
    keep_daily: int
    keep_weekly: int
    keep_monthly: int
    max_age_hours: int
    check_days: int

    @property
    def is_directory(self) -> bool:
        """Whether the repository is a directory of this server."""
        return self.repository.startswith("/")


MAY_BE_EMPTY = ("environment_file", "ssh_key_file", "ssh_known_hosts_file")


def beside(config: Config) -> str:
    """Return the path of backup.json, which lies beside server.json."""
    return settings_file.beside(config.path, "backup.json")


def load(path: str) -> BackupConfig | None:
    """Return the content of backup.json; None if there is none, or no repository: backups are off.

    Raises:
        ToxctlError: kind `config`; it names every key that is missing or wrong.
    """
    data = settings_file.read(path, FORMAT, REPAIR)
    if data is None or data.get("repository") == "":
        return None
    names = [field.name for field in fields(BackupConfig) if field.name != "path"]
    wrong = [name for name in names if not _is_valid(name, data.get(name))]
    if wrong:
        raise ToxctlError(f"{path} has no valid {', '.join(wrong)}: {REPAIR}", "config")
    return BackupConfig(path=path, **{name: data[name] for name in names})


def require(config: Config) -> BackupConfig:
    """Return the content of backup.json; ToxctlError, kind `config`, if backups are off."""
    found = load(beside(config))
    if found is None:
        raise ToxctlError(
            f"backups are off on this server: set backup_repository and backup_password, then "
            f"{REPAIR}",
            "config",
        )
    return found


def _is_valid(name: str, value: Any) -> bool:
    if name.startswith("keep_") or name in ("max_age_hours", "check_days"):
        return type(value) is int and value >= 0
    return isinstance(value, str) and (bool(value) or name in MAY_BE_EMPTY)
