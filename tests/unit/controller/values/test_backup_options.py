"""The options of role backup together: what a repository needs is asked for before it is used."""

from __future__ import annotations

import pytest

from controller.values.backup import backup_problems

WHOLE = {
    "backup_password": "a long password",
    "backup_ssh_private_key": "-----BEGIN a -----END a",
    "backup_ssh_known_hosts": ["h ssh-ed25519 AAAA"],
    "backup_s3_key_id": "identifier",
    "backup_s3_secret": "a long secret",
}
DIRECTORY, SFTP, S3 = "/mnt/disk/toxic", "sftp:b@h:toxic", "s3:https://h/bucket"


@pytest.mark.parametrize("repository", [DIRECTORY, SFTP, S3])
def test_what_is_complete_has_no_problem(repository: str) -> None:
    assert list(backup_problems({"backup_repository": repository, **WHOLE})) == []


def test_without_a_repository_nothing_is_needed() -> None:
    assert list(backup_problems({"backup_repository": "", "backup_password": ""})) == []


@pytest.mark.parametrize(
    ("repository", "name"),
    [
        (DIRECTORY, "backup_password"),
        (SFTP, "backup_ssh_private_key"),
        (SFTP, "backup_ssh_known_hosts"),
        (S3, "backup_s3_key_id"),
        (S3, "backup_s3_secret"),
    ],
)
def test_what_is_missing_is_named(repository: str, name: str) -> None:
    options = {"backup_repository": repository, **WHOLE, name: ""}
    (line,) = backup_problems(options)
    assert line.startswith(f"backup_repository is {repository}, but {name} is empty: set it to ")
