"""What is wrong with the options of role backup together, before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from posixpath import normpath
from typing import Any

__all__ = ["backup_problems"]

# Directories of the project (roles/layout): what is in them is backed up, or removed with it.
OWN = ("/etc/tox_com_det", "/opt/tox_com_det", "/srv/tox_com_det", "/var/lib/tox_com_det")

# What ProtectHome= and PrivateTmp= hide from the backup's units.
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 (no file is made)


def backup_problems(options: Mapping[str, Any]) -> Iterator[str]:
    """Yield one line for each problem.

    Args:
        options: the options of role backup, templated.
    """
    repository = str(options.get("backup_repository") or "")
    needed = (
        {"backup_password": "the password that encrypts it, from a vault"} if repository else {}
    )
    if repository.startswith("sftp:"):
        needed["backup_ssh_private_key"] = "the private key for SFTP, from a vault"
        needed["backup_ssh_known_hosts"] = "the server's lines of `ssh-keyscan`"
    elif repository.startswith("s3:"):
        needed["backup_s3_key_id"] = "the identifier of the access key"
        needed["backup_s3_secret"] = "its secret, from a vault"  # noqa: S105 (a description)
    if repository.startswith("/") and any(_overlap(repository, one) for one in OWN):
        yield (
            f"backup_repository is {repository}, in or above a directory of the project, with "
            "which it would be removed: choose another one, such as /var/backups/tox_com_det"
        )
    elif repository.startswith("/") and any(_is_in(repository, one) for one in HIDDEN):
        yield (
            f"backup_repository is {repository}, which the backup's unit cannot see "
            "(ProtectHome=, PrivateTmp=): choose another one, such as /var/backups/tox_com_det"
        )
    for name, words in needed.items():
        if not options.get(name):
            yield f"backup_repository is {repository}, but {name} is empty: set it to {words}"


def _overlap(one: str, other: str) -> bool:
    """Return whether one of two directories is the other, or in it."""
    return _is_in(one, other) or _is_in(other, one)


def _is_in(one: str, other: str) -> bool:
    """Return whether the first of two directories is the other, or in it."""
    first, second = (f"/{normpath(path).strip('/')}/".replace("//", "/") for path in (one, other))
    return first.startswith(second)
