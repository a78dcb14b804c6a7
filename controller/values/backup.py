"""What is wrong with the options of role backup together, before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from controller.values.paths import OWN, is_in, is_of_system, overlap

__all__ = ["backup_problems"]

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
    if repository.startswith("/") and any(overlap(repository, one) for one in OWN):
        yield (
            f"backup_repository is {repository}, in or above a directory of the project, with "
            "which it would be removed: choose another one, such as /var/backups/tox_com_det"
        )
    elif repository.startswith("/") and any(is_in(repository, one) for one in HIDDEN):
        yield (
            f"backup_repository is {repository}, which the backup's unit cannot see "
            "(ProtectHome=, PrivateTmp=): choose another one, such as /var/backups/tox_com_det"
        )
    elif repository.startswith("/") and is_of_system(repository):
        yield (
            f"backup_repository is {repository}, a directory of the system, which would be closed "
            "to all users but root: choose another one, such as /var/backups/tox_com_det"
        )
    for name, words in needed.items():
        if not options.get(name):
            yield f"backup_repository is {repository}, but {name} is empty: set it to {words}"
