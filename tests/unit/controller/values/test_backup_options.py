"""The options of role backup together: what a repository needs is asked for before it is used."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from rendered_files import BACKUP, DRILL, directives
from rendering import SYSTEMS

from controller.values import backup
from controller.values.backup import backup_problems

ROOT = Path(__file__).resolve().parents[4]

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


@pytest.mark.parametrize(
    "repository",
    [
        "/srv/tox_com_det/backups",
        "/srv/tox_com_det/backup/restic",
        "/var/lib/tox_com_det/backups",
        "/etc/tox_com_det",
        "/srv/./tox_com_det/",
        "//opt/tox_com_det/a",
        "/srv",
        *("/", "//", "/."),
    ],
)
def test_a_directory_that_is_backed_up_or_removed_with_the_project_is_refused(
    repository: str,
) -> None:
    (line,) = backup_problems({"backup_repository": repository, **WHOLE})
    assert line.startswith(f"backup_repository is {repository}, in or above a directory of the ")
    assert "choose another one" in line


@pytest.mark.parametrize("repository", ["/srv/tox_com_det-backups", "/srv/backups", "/opt/restic"])
def test_a_directory_beside_those_of_the_project_is_not(repository: str) -> None:
    assert list(backup_problems({"backup_repository": repository, **WHOLE})) == []


def test_the_directories_of_the_project_are_those_of_role_layout() -> None:
    layout = yaml.safe_load((ROOT / "roles/layout/vars/main.yml").read_text())
    found = {layout[f"__layout_{name}"] for name in ("etc", "opt", "srv", "state")}
    assert set(backup.OWN) == found


@pytest.mark.parametrize(
    "repository",
    [*backup.HIDDEN, *(f"{one}/a" for one in backup.HIDDEN), "//root/./a/", "/run/user/0/a"],
)
def test_a_directory_that_the_unit_cannot_see_is_refused(repository: str) -> None:
    (line,) = backup_problems({"backup_repository": repository, **WHOLE})
    assert line == (
        f"backup_repository is {repository}, which the backup's unit cannot see (ProtectHome=, "
        "PrivateTmp=): choose another one, such as /var/backups/tox_com_det"
    )


@pytest.mark.parametrize(
    "repository",
    # What is in /run is gone with the next boot.
    [*(f"{one}s" for one in backup.HIDDEN if "/run/" not in one), "/mnt/tmp", "/mnt/run/a"],
)
def test_a_directory_that_the_unit_sees_is_not(repository: str) -> None:
    assert list(backup_problems({"backup_repository": repository, **WHOLE})) == []


@pytest.mark.parametrize("template", [BACKUP, DRILL])
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_hidden_directories_are_those_of_the_units(template: str, system: str) -> None:
    unit = directives(template, system, "backups_in_a_directory")
    hides = {
        "ProtectHome": ("/home", "/root", "/run/user"),
        "PrivateTmp": ("/tmp", "/var/tmp"),  # noqa: S108 (no file is made)
    }
    hidden = {one for name, paths in hides.items() if unit.get(name) == "true" for one in paths}
    assert set(backup.HIDDEN) == hidden
