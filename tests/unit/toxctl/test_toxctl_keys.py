"""`toxctl keys`: adds, lists and revokes keys, which it stores as hashes for the service."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import re
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_server import FakeServer

from tox_com_det.keys import key_file
from tox_com_det.keys.key_file import KeyFile
from toxctl import keys

FAR = "2999-12-31"


@pytest.fixture
def server(server: FakeServer) -> FakeServer:
    """A fake server whose service user is the user of this test."""
    server.config["user"] = getpass.getuser()
    server.write_config()
    return server


def path_of(server: FakeServer) -> Path:
    return server.root / "keys.json"


def day(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


def test_a_key_is_shown_once_and_stored_as_a_hash(server: FakeServer) -> None:
    added = server.json("keys", "--add", "shop", "--rate", "7", "--ends", FAR).result
    assert re.fullmatch(keys.KEY_FORM, added["key"])
    assert (added["name"], added["requests_per_second"], added["ends"]) == ("shop", 7, FAR)
    stored = path_of(server).read_text()
    assert added["key"] not in stored
    (entry,) = json.loads(stored)["keys"]
    assert entry["sha256"] == hashlib.sha256(added["key"].encode()).hexdigest()
    (listed,) = server.json("keys").result["keys"]
    assert listed == {name: value for name, value in entry.items() if name != "sha256"}
    assert (KeyFile(path_of(server)).find([added["key"]]) or listed).id == listed["id"]


def test_no_key_is_in_another_file_of_the_server(server: FakeServer) -> None:
    key = server.json("keys", "--add", "shop").result["key"]
    for path in server.root.rglob("*"):
        assert not path.is_file() or key.encode() not in path.read_bytes(), path


def test_only_root_and_the_service_may_read_the_file(server: FakeServer) -> None:
    server.json("keys", "--add", "shop")
    assert stat.S_IMODE(os.stat(path_of(server)).st_mode) == 0o640


def test_two_keys_differ(server: FakeServer) -> None:
    one, two = (server.json("keys", "--add", name).result for name in ("a", "b"))
    assert one["key"] != two["key"]
    assert one["id"] != two["id"]


@pytest.mark.parametrize("by", ["id", "name"])
def test_a_revoked_key_is_gone_and_the_others_stay(server: FakeServer, by: str) -> None:
    one, two = (server.json("keys", "--add", name).result for name in ("a", "b"))
    assert server.json("keys", "--revoke", one[by]).result["revoked"]["id"] == one["id"]
    assert [entry["id"] for entry in server.json("keys").result["keys"]] == [two["id"]]
    file = KeyFile(path_of(server))
    assert file.find([one["key"]]) is None
    assert file.find([two["key"]])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--add", "a b"], "a key's name has 1 to 64"),
        (["--add", "x" * 65], "a key's name has 1 to 64"),
        (["--add", "x", "--rate", "0"], "the rate is 0"),
        (["--add", "x", "--ends", "2027-13-01"], "is no day such as"),
        (["--add", "x", "--ends", "9999-12-31"], "is no day such as"),
        (["--add", "x", "--ends", day(-2)], "is over"),
        (["--add", "taken"], "there is a key taken already"),
        (["--revoke", "nobody"], "there is no key 'nobody': see `fab list-keys`"),
    ],
)
def test_what_is_wrong_changes_nothing(server: FakeServer, options: list[str], words: str) -> None:
    server.json("keys", "--add", "taken")
    before = path_of(server).read_bytes()
    error = server.json("keys", *options).error
    assert words in error["error"]
    assert error["kind"] == "usage"
    assert path_of(server).read_bytes() == before


@pytest.mark.parametrize(
    "given",
    [
        *(None, {}, ["x"], [{"id": "a", "name": "b"}]),
        *({"entries": []}, {"entries": [], "revoked": ["x"]}, {"entries": [], "revoked": "x"}),
    ],
)
def test_only_exported_entries_are_imported(server: FakeServer, given: object) -> None:
    server.json("keys", "--add", "here")
    before = path_of(server).read_bytes()
    error = server.json("keys", "--import", stdin=given).error
    assert "standard input" in error["error"]
    assert error["kind"] == "usage"
    assert path_of(server).read_bytes() == before


def test_an_imported_key_works(server: FakeServer) -> None:
    key = server.json("keys", "--add", "shop").result["key"]
    entries = server.json("keys", "--export").result["entries"]
    path_of(server).unlink()
    assert KeyFile(path_of(server)).find([key]) is None
    (added,) = server.json("keys", "--import", stdin=entries).result["added"]
    assert added["name"] == "shop"
    assert "sha256" not in added
    assert KeyFile(path_of(server)).find([key])


def test_a_revoked_key_is_not_imported_again(server: FakeServer) -> None:
    key = server.json("keys", "--add", "shop").result["key"]
    server.json("keys", "--add", "other")
    exported = server.json("keys", "--export").result
    assert exported["revoked"] == []
    server.json("keys", "--revoke", "shop")
    server.json("keys", "--add", "third")
    revoked = server.json("keys", "--export").result["revoked"]
    assert revoked == [hashlib.sha256(key.encode()).hexdigest()]
    found = server.json("keys", "--import", stdin=exported["entries"]).result
    assert [one["name"] for one in found["skipped"]] == ["shop"]
    assert found["added"] == []
    assert "sha256" not in found["skipped"][0]
    assert KeyFile(path_of(server)).find([key]) is None


def test_the_newest_hashes_of_revoked_keys_are_kept(server: FakeServer) -> None:
    server.json("keys", "--add", "shop")
    content = json.loads(path_of(server).read_text())
    content["revoked"] = [f"{number:064x}" for number in range(keys.MOST_REVOKED)]
    path_of(server).write_text(json.dumps(content))
    server.json("keys", "--revoke", "shop")
    revoked = json.loads(path_of(server).read_text())["revoked"]
    assert revoked == [*content["revoked"][1:], content["keys"][0]["sha256"]]


def test_a_file_of_before_hashes_were_kept_is_read(server: FakeServer) -> None:
    server.json("keys", "--add", "shop")
    content = json.loads(path_of(server).read_text())
    del content["revoked"]
    path_of(server).write_text(json.dumps(content))
    assert server.json("keys", "--revoke", "shop").result["revoked"]["name"] == "shop"


def test_two_keys_of_one_name_are_not_imported_together(server: FakeServer) -> None:
    entries = []
    for _ in range(2):
        server.json("keys", "--add", "shop")
        entries += server.json("keys", "--export").result["entries"]
        path_of(server).unlink()
    error = server.json("keys", "--import", stdin=entries).error["error"]
    assert "another key has the name shop here" in error
    assert not path_of(server).exists()


def test_a_key_may_end_today(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    noon = datetime.now(UTC).replace(hour=12)  # midnight does not come in between
    monkeypatch.setattr(keys, "datetime", SimpleNamespace(now=lambda _: noon))
    monkeypatch.setattr(key_file, "time", SimpleNamespace(time=noon.timestamp))
    added = server.json("keys", "--add", "x", "--ends", noon.date().isoformat()).result
    assert KeyFile(path_of(server)).find([added["key"]])


@pytest.mark.parametrize(
    "options", [["--rate", "1"], ["--ends", FAR], ["--add", "a", "--revoke", "b"]]
)
def test_options_that_do_not_belong_together_are_wrong_usage(
    server: FakeServer, options: list[str]
) -> None:
    assert server.run("keys", *options).returncode == 2


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"version": 2, "keys": []}',
        '{"version": 1, "keys": {}}',
        '{"version": 1, "keys": [{"id": "a"}]}',
        '{"version": 1, "keys": [], "revoked": ["a"]}',
        '{"version": 1, "keys": [], "revoked": {}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_file_stays_as_it_is_and_is_a_warning(server: FakeServer, content: str) -> None:
    path_of(server).write_text(content)
    for options in ([], ["--add", "a"], ["--revoke", "a"]):
        error = server.json("keys", *options).error["error"]
        assert "is damaged, so no key can be added or revoked" in error
        assert "`fab add-key`" in error
    assert path_of(server).read_text() == content
    assert any("keys.json is damaged" in one for one in server.json("status").result["warnings"])


def test_a_server_without_its_user_is_one_line(server: FakeServer) -> None:
    server.config["user"] = "nobody-of-this-name"
    server.write_config()
    error = server.json("keys", "--add", "a").error["error"]
    assert "`ansible-playbook site.yml --tags flask_app`" in error
    assert not path_of(server).exists()


def test_keys_that_are_added_at_the_same_time_are_all_kept(server: FakeServer) -> None:
    def add(number: int) -> subprocess.Popen[str]:
        return server.start("keys", "--add", f"client{number}", talks=True)

    with ThreadPoolExecutor(8) as pool:
        running = list(pool.map(add, range(8)))
        assert all(not one.communicate()[1] for one in running)
    names = {entry["name"] for entry in server.json("keys").result["keys"]}
    assert names == {f"client{number}" for number in range(8)}


def test_the_text_form_shows_the_key_and_the_table_does_not(server: FakeServer) -> None:
    assert server.run("keys").stdout == "no keys\n"
    shown = server.run("keys", "--add", "shop", "--rate", "2").stdout
    found = re.search(keys.KEY_FORM, shown)
    assert found
    listed = server.run("keys").stdout
    assert "shop, 2 requests per second, no end" in listed
    assert found[0] not in listed
    assert server.run("keys", "--revoke", "shop").stdout.startswith("revoked key ")
