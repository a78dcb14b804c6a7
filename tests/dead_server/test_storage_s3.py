"""S3-compatible storage: SeaweedFS on the storage host."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Laptop
from kept import kept
from machines import HANG_SECONDS, WORK, Machine, wait
from vault_and_vars import settings, vault

KEY_ID = "KEYOFTHETESTS"
PORT = 8333
UNIT = "tox_com_det-backup.service"
KEYS = "/etc/tox_com_det/keys.json"
DATA = "/srv/weed"
# With one key, and without reports to its maker.
START = f"""
systemd-run --quiet --collect --unit=weed --property=LimitNOFILE=16384 \
    --setenv=GOMEMLIMIT=300MiB /usr/local/bin/weed server \
    -dir={DATA} -ip=127.0.0.1 -ip.bind=0.0.0.0 -s3 -s3.port={PORT} -s3.config=/etc/weed.json \
    -s3.port.iceberg=0 -s3.port.lance=0 -volume.max=50 -master.volumeSizeLimitMB=64 \
    -s3.readerCacheSizeMB=64 -volume.preStopSeconds=0 -master.telemetry=false
"""
STOP = """
systemctl kill --signal=KILL weed
while systemctl status weed > /dev/null 2>&1; do sleep 0.05; done
"""
# SeaweedFS is gone once the first piece of the ballast has arrived.
CUT = f"""
size() {{ du --summarize --block-size=1M {DATA} | cut -f1; }}
before=$(size)
touch /run/waiting
until [ "$(size)" -gt "$((before + 4))" ]; do sleep 0.02; done
{STOP}
"""
pytestmark = pytest.mark.usefixtures("unchanged")


@pytest.fixture(scope="module")
def s3(laptop: Laptop, storage: Machine, secret: dict[str, str]) -> Iterator[str]:
    """The storage host serves S3; the address of a repository in it."""
    storage.put(WORK / "seaweedfs/bin/weed", "/usr/local/bin/weed")
    key = {"accessKey": KEY_ID, "secretKey": secret["vault_s3_secret"]}
    identity = {"name": "backups", "credentials": [key], "actions": ["Admin"]}
    settings_file = json.dumps({"identities": [identity]})
    storage.run(f'umask 077; mkdir -p {DATA}; printf %s "$1" > /etc/weed.json', settings_file)
    start(storage)
    yield f"s3:http://{storage.address()}:{PORT}/toxic"
    storage.run(STOP)


def start(storage: Machine) -> None:
    """Start SeaweedFS, and wait until it answers: 403, as the question has no key."""
    storage.run(START)
    asked = "curl --silent --output /dev/null --write-out '%{http_code}' --max-time 5"
    address = f"http://127.0.0.1:{PORT}/"
    wait(lambda: storage.run(f"{asked} {address}", check=False) == "403", "SeaweedFS answers")


def set_up(repository: str) -> None:
    """Write vars.yml for S3."""
    keys = {"backup_s3_key_id": KEY_ID, "backup_s3_secret": "{{ vault_s3_secret }}"}
    settings(repository, **keys)


def test_a_key_that_the_storage_refuses_is_said(
    laptop: Laptop, s3: str, secret: dict[str, str]
) -> None:
    set_up(s3)
    vault(**{**secret, "vault_s3_secret": "another-secret"})
    try:
        said = laptop.refused_site()
    finally:
        vault(**secret)
    assert "refuses this server's key" in said
    assert "backup_s3_key_id and backup_s3_secret" in said


def test_what_was_lost_is_restored_from_s3(
    laptop: Laptop, server: Machine, s3: str, before: dict[str, Any]
) -> None:
    set_up(s3)
    laptop.site()
    assert laptop.backups() == []
    laptop.fab("backup")
    assert len(laptop.backups()) == 1
    assert "can be restored" in laptop.fab("restore-drill")
    laptop.fab("clear-suggestions", "--yes")
    server.run(f"rm {KEYS}")
    assert f"{len(before['suggestions'])} suggestions, 2 keys" in laptop.fab("restore")
    assert kept() == before


def test_a_server_of_s3_that_is_down_is_said(laptop: Laptop, s3: str, storage: Machine) -> None:
    storage.run(STOP)
    try:
        said = laptop.refusal("backup")
    finally:
        start(storage)
    assert "cannot be reached: check its server" in said


def test_a_backup_goes_on_when_the_server_of_s3_is_back(
    laptop: Laptop, storage: Machine, s3: str, ballast: None
) -> None:
    known = laptop.backups()
    going = cut(laptop, storage)
    went_on = going.poll() is None
    start(storage)
    out, _ = going.communicate()
    assert went_on, out
    assert going.returncode == 0, out
    assert laptop.backups() == [laptop.backups()[0], *known]
    assert "can be restored" in laptop.fab("restore-drill")


def test_a_half_backup_is_never_taken_for_good(
    laptop: Laptop, server: Machine, storage: Machine, s3: str, ballast: None
) -> None:
    known = laptop.backups()
    going = cut(laptop, storage)
    # restic would try again for a while; the server is rebooted meanwhile.
    try:
        server.run(f"systemctl kill --signal=KILL {UNIT}")
        out, _ = going.communicate()
    finally:
        start(storage)
    assert going.returncode != 0, out
    assert laptop.backups() == known
    laptop.fab("backup")
    assert laptop.backups() == [laptop.backups()[0], *known]
    assert "can be restored" in laptop.fab("restore-drill")


def cut(laptop: Laptop, storage: Machine) -> subprocess.Popen[str]:
    """Start a backup, and kill the server of S3 in the midst of it; return the backup."""
    storage.run("rm -f /run/waiting")
    knife = storage.start(CUT)
    wait(lambda: storage.run("ls /run/waiting", check=False), "the knife waits")
    going = laptop.start("fab", "backup")
    assert knife.wait(HANG_SECONDS) == 0
    return going
