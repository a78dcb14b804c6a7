"""Faults of a repository on a storage host: one line each, and nothing half done is taken."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import Laptop
from machines import HANG_SECONDS, Machine, wait
from vault_and_vars import USER, sftp, vault

HOME = f"/home/{USER}"
# Smaller than a backup: its disk is full before the first one is written.
SMALL = f"mkdir {HOME}/other && mount -t tmpfs -o size=30m,mode=0700 tmpfs {HOME}/other"
LARGE = f"mount -o remount,size=600m {HOME}/other"
# The account's sessions end once the first piece of the ballast has arrived.
CUT = f"""
cd {HOME}/other/toxic/data
before=$(find . -type f | wc -l)
touch /run/waiting
until [ "$(find . -type f | wc -l)" -gt "$before" ]; do sleep 0.02; done
pkill -KILL -u {USER}
"""

pytestmark = pytest.mark.usefixtures("unchanged")


@pytest.fixture(scope="module", autouse=True)
def disk(storage: Machine) -> Iterator[None]:
    """Give the memory of the small disk back: the storage host has 1 GB."""
    yield
    storage.run(f"umount {HOME}/other")


def test_a_wrong_password_in_the_vault_is_said_and_the_right_one_stays(
    laptop: Laptop, server: Machine, secret: dict[str, str]
) -> None:
    (newest, *_) = laptop.backups()
    vault(**{**secret, "vault_backup_password": "not the password"})
    try:
        said = laptop.refused_site()
    finally:
        vault(**secret)
    assert "is not opened by the backup_password of the inventory" in said
    assert "which is still in /etc/tox_com_det/backup/password on this server" in said
    assert "run `ansible-playbook site.yml --tags backup`" in said
    laptop.fab("backup")
    assert laptop.backups()[0] != newest
    left = server.run("ls /etc/tox_com_det/backup").split()
    assert left == ["known_hosts", "password", "ssh_key"]


def test_a_lost_password_is_said_before_anything_is_done(
    laptop: Laptop, secret: dict[str, str]
) -> None:
    vault(**{**secret, "vault_backup_password": ""})
    try:
        said = laptop.refused_site()
    finally:
        vault(**secret)
    assert "backup_password is empty: set it to" in said


def test_another_server_is_named_by_the_backups_that_are_there(laptop: Laptop) -> None:
    assert "has those of toxic-1: `fab restore --of NAME`" in laptop.refusal(
        "restore", "--of", "toxic-2"
    )


def test_a_key_that_the_storage_host_refuses_is_said(laptop: Laptop, storage: Machine) -> None:
    keys = f"{HOME}/.ssh/authorized_keys"
    storage.run(f"mv {keys} {keys}.kept")
    try:
        said = laptop.refusal("backup")
    finally:
        storage.run(f"mv {keys}.kept {keys}")
    assert "refuses this server's key: check backup_ssh_private_key" in said


def test_a_storage_host_with_another_host_key_is_not_trusted(
    laptop: Laptop, storage: Machine
) -> None:
    storage.run(
        "cd /etc/ssh; mkdir kept; mv ssh_host_* kept; ssh-keygen -q -A; systemctl restart ssh"
    )
    try:
        said = laptop.refusal("backup")
    finally:
        storage.run("cd /etc/ssh; mv kept/* .; rmdir kept; systemctl restart ssh")
    assert "shows a host key that is not in backup_ssh_known_hosts" in said


def test_a_storage_host_that_does_not_answer_is_said(laptop: Laptop, storage: Machine) -> None:
    storage.run("systemctl stop ssh.socket ssh")
    try:
        said = laptop.refusal("backup")
        refused = laptop.refused_site()
    finally:
        storage.run("systemctl start ssh")
    assert "cannot be reached: check its server" in said
    assert "cannot be reached: check its server" in refused
    laptop.fab("backup")


def test_an_empty_repository_is_no_backup(laptop: Laptop, storage: Machine) -> None:
    """The path is wrong: nothing tells it from a first one, but there is nothing to restore."""
    storage.run(f"{SMALL}; chown {USER} {HOME}/other")
    sftp("other/toxic")
    laptop.site()
    assert "it has none at all: check backup_repository" in laptop.refusal("restore")


def test_a_full_disk_is_said_and_the_next_backup_works(
    laptop: Laptop, storage: Machine, ballast: None
) -> None:
    known = laptop.backups()
    assert "for want of disk space" in laptop.refusal("backup")
    assert laptop.backups() == known
    storage.run(LARGE)
    laptop.fab("backup")
    assert laptop.backups() != known


def test_a_cut_connection_leaves_nothing_that_counts(
    laptop: Laptop, storage: Machine, ballast: None
) -> None:
    known = laptop.backups()
    storage.run("rm -f /run/waiting")
    knife = storage.start(CUT)
    wait(lambda: storage.run("ls /run/waiting", check=False), "the knife waits")
    said = laptop.refusal("backup")
    assert knife.wait(HANG_SECONDS) == 0
    assert "cannot be reached" in said
    assert laptop.backups() == known
    assert "can be restored" in laptop.fab("restore-drill")
    laptop.fab("backup")
    assert laptop.backups() == [laptop.backups()[0], *known]
    assert "can be restored" in laptop.fab("restore-drill")
    assert storage.run(f"ls {HOME}/other/toxic/locks") == ""
