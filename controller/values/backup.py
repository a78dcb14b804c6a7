"""What is wrong with the options of role backup together, before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["backup_problems"]


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
    for name, words in needed.items():
        if not options.get(name):
            yield f"backup_repository is {repository}, but {name} is empty: set it to {words}"
