"""Backups on a server: under load, after a kill, with a wrong password, restored after a wipe."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from conftest import HANG_SECONDS, Client
from test_edge import laptop
from waiting import until

UNIT = "tox_com_det-backup.service"
PASSWORD = "/etc/tox_com_det/backup/password"  # noqa: S105 (a path)
KEYS = "/etc/tox_com_det/keys.json"
DUMPED = "/srv/tox_com_det/backup/dump/contents.json"
ASIDE = "/root/aside"
PAUSE = 0.2  # seconds between two requests, below every limit of nginx
TEXT = "you are great, thank you"
# Drops the word vectors as a lost disk would: the app's own Python, as nothing else has a driver.
DROP = (
    "import os, pymongo; uri = os.environ['TOX_COM_DET_MONGODB_URI'];"
    " pymongo.MongoClient(uri).drop_database('word_embeddings')"
)


def fab(*words: str) -> str:
    """Run a task that succeeds; its output."""
    done = laptop("fab", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def backups() -> list[str]:
    """Identifiers of the complete backups, the newest first."""
    return re.findall(r"^ +([0-9a-f]{8}) +2", fab("backups"), re.MULTILINE)


@pytest.fixture(scope="module", autouse=True)
def backups_are_on(variables) -> None:
    """Where no package has restic, a scenario makes backups only if its inventory says so."""
    if not variables.get("backup_repository"):
        pytest.skip("the inventory names no backup_repository")


@pytest.fixture(scope="module")
def made() -> None:
    """Make a backup, if there is none."""
    if not backups():
        fab("backup")


@contextmanager
def load(url: str) -> Iterator[list[Any]]:
    """Ask for scores all the time; the answers."""
    answers: list[Any] = []
    ended = threading.Event()

    def ask() -> None:
        http = Client()
        while not ended.wait(PAUSE):
            try:
                answer = http.post(f"{url}/predict", json={"text": TEXT})
                answers.append((answer.status_code, answer.json().get("scores")))
            except requests.RequestException as error:
                answers.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        ended.set()
        thread.join()


def scores(http: requests.Session, url: str) -> dict[str, float]:
    answer = http.post(f"{url}/predict", json={"text": TEXT})
    assert answer.status_code == 200, answer.text
    return answer.json()["scores"]


def test_a_backup_costs_no_request_and_stays_within_its_memory(host, http, url, systemd):
    limit = "MemoryMax" if systemd >= 231 else "MemoryLimit"
    expected = scores(http, url)
    with load(url) as answers:
        said = fab("backup")
        until(lambda: len(answers) > 3)
    assert re.search(r"backup [0-9a-f]{8}: \d+ documents", said)
    assert {code for code, _ in answers} == {200}
    assert all(found == expected for _, found in answers)
    with host.sudo():
        shown = host.check_output(f"systemctl show {UNIT} -p {limit} -p Result")
    assert sorted(shown.splitlines()) == [f"{limit}={150 << 20}", "Result=success"]
    # A second one stores only what changed.
    whole, new = re.findall(r"([0-9.]+) ([kM]B)", fab("backup"))[:2]
    assert whole[1] == "MB"
    assert new[1] == "kB" or float(new[0]) < float(whole[0]) / 10


@pytest.mark.usefixtures("made")
def test_the_password_is_in_one_file_of_root(host):
    with host.sudo():
        assert host.file(PASSWORD).mode == 0o600
        assert host.file("/etc/tox_com_det/backup").mode == 0o700
        word = "[p]assword of the tests"
        where = "/var/log /run /tmp /etc/tox_com_det /var/lib/tox_com_det"
        found = host.run(f"grep -rlaE '{word}' {where} 2>/dev/null").stdout.split()
    assert found == [PASSWORD]


@pytest.mark.usefixtures("made")
def test_a_drill_proves_that_the_newest_backup_can_be_restored(host):
    newest = backups()[0]
    said = fab("restore-drill")
    assert re.search(
        rf"backup {newest} .* can be restored: \d+ documents .* golden outputs match, in", said
    )
    with host.sudo():
        assert not host.file("/srv/tox_com_det/backup/drill").exists
    assert "restore drill 2" in fab("status")


@pytest.mark.usefixtures("made")
def test_a_killed_backup_counts_for_nothing(host):
    before = backups()
    try:
        with host.sudo():
            # In one shell: between two commands over SSH the whole backup may be over.
            host.check_output(
                f"systemctl start --no-block {UNIT};"
                f" timeout {HANG_SECONDS} sh -c 'until [ -e {DUMPED} ]; do sleep 0.02; done';"
                f" systemctl kill --signal=KILL {UNIT}"
            )
            state = f"systemctl show {UNIT} -p ActiveState"
            until(lambda: host.check_output(state).endswith("failed"))
        assert backups() == before
        assert f"warning: {UNIT} failed" in fab("status")
        fab("backup")
        assert len(backups()) == len(before) + 1
        assert f"warning: {UNIT}" not in fab("status")
    finally:
        with host.sudo():
            host.run(f"systemctl reset-failed {UNIT}")


@pytest.mark.usefixtures("made")
def test_a_wrong_password_is_said_when_the_server_is_provisioned(host):
    with host.sudo():
        # Moved, not written: sudo logs the command lines of its callers.
        kept = f"{PASSWORD}.kept"
        host.check_output(f"cp --preserve {PASSWORD} {kept}")
        try:
            host.check_output(f"printf wrong > {PASSWORD}")
            done = host.run("toxctl --json backup init")
            answer = json.loads(done.stdout.splitlines()[-1])
        finally:
            host.check_output(f"mv {kept} {PASSWORD}")
    assert answer["kind"] == "password"
    assert "is not opened by the password" in answer["error"]


@pytest.fixture
def key(host) -> Iterator[str]:
    """The name of a key, which is gone afterwards."""
    name = f"kept{time.time_ns()}"
    with host.sudo():
        had_keys = host.file(KEYS).exists
    try:
        with host.sudo():
            host.check_output(f"toxctl keys --add {name}")
        yield name
    finally:
        with host.sudo():
            host.run(f"toxctl keys --revoke {name}")
            if not had_keys:
                host.run(f"rm -f {KEYS}")


@contextmanager
def lost(host, server: dict[str, Any]) -> Iterator[None]:
    """Models, word vectors, keys and what was live are gone; they come back if the body fails."""
    paths = [f"{server['models_dir']}/*", f"{server['slots_dir']}/*", server["live_link"]]
    paths += [f"{server['state_dir']}/confirmed.json", KEYS]
    # Without the slash: the same below / and below the directory that keeps them.
    places = " ".join(path.removeprefix("/") for path in paths)
    remove = f"cd / && rm -rf {places}"
    with host.sudo():
        host.check_output(f"rm -rf {ASIDE}; mkdir -m 700 {ASIDE}")
        host.check_output(f"cd / && cp -a --parents {places} {ASIDE}")
    try:
        with host.sudo():
            environment = "set -a; . /etc/tox_com_det/app.env; set +a"
            host.check_output("systemctl stop 'tox_com_det@*'")
            host.check_output(f'{environment}; {server["app_link"]}/venv/bin/python -c "{DROP}"')
            host.check_output(remove)
        yield
    except BaseException:
        with host.sudo():
            back = f'for one in {places}; do cp -a "$one" "/$one"; done'
            host.run(f"{remove}; cd {ASIDE} && {back}")
        laptop("fab", "restore-embeddings")
        with host.sudo():
            host.run("toxctl activate --force")
        raise
    finally:
        with host.sudo():
            host.run(f"rm -rf {ASIDE}")


def test_a_server_that_lost_everything_is_restored(host, server, http, url, key):
    """Models, word vectors, keys and what was live are gone; the scores are equal afterwards."""
    expected = scores(http, url)
    fab("backup")
    with lost(host, server):
        assert http.post(f"{url}/predict", json={"text": TEXT}).status_code in (502, 503)
        said = fab("restore")
        assert re.search(
            r"1 model, 1 collection of word vectors, \d+ suggestions?, [1-9]\d* keys?", said
        )
        assert scores(http, url) == expected
        assert key in fab("list-keys")
        assert laptop("fab", "test-model").returncode == 0
