"""`fab add-key`, `list-keys` and `revoke-key` with the real toxctl on a fake server."""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_server import FakeServer
from real_toxctl import RealRemote

from controller.deploy.errors import DeferredError, DeployError
from controller.deploy.remote import Remote
from controller.deploy.server import Server
from controller.deploy.tasks import keys
from toxctl.keys import KEY_FORM


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeServer]:
    fake = FakeServer(tmp_path / "server")
    fake.config["user"] = getpass.getuser()
    fake.write_config()
    yield fake
    fake.close()


@pytest.fixture
def server(fake: FakeServer) -> Server:
    remote: Remote = RealRemote(fake)
    return Server(remote)


def add(server: Server, name: str, rate: int = 0, ends: str | None = None) -> None:
    keys.AddKey(keys.new_key(name, rate, ends))(server)


def test_a_key_is_printed_once_listed_and_revoked(
    server: Server, fake: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    add(server, "shop", 5, "2999-12-31")
    said = capsys.readouterr().out
    found = re.findall(KEY_FORM, said)
    assert len(found) == 1
    assert said.splitlines()[-1] == found[0]
    assert "(shop), 5 requests per second, valid until the end of 2999-12-31 UTC" in said
    add(server, "other")
    capsys.readouterr()
    keys.list_keys(server)
    listed = capsys.readouterr().out
    assert "nanode: 2 keys" in listed
    assert re.search(r"^  ID +NAME +RATE +ENDS +CREATED$", listed, re.MULTILINE)
    assert re.search(r"^  [0-9a-f]{8}  shop +5/s +2999-12-31 +20..-", listed, re.MULTILINE)
    assert re.search(r"^  [0-9a-f]{8}  other +- +- ", listed, re.MULTILINE)
    assert found[0] not in listed
    keys.revoke_key(server, "shop")
    assert "revoked key" in capsys.readouterr().out
    assert [one["name"] for one in fake.json("keys").result["keys"]] == ["other"]


def test_a_key_is_in_no_file_and_no_audit_line(
    server: Server, fake: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    add(server, "shop")
    (key,) = re.findall(KEY_FORM, capsys.readouterr().out)
    keys.revoke_key(server, "shop")
    assert fake.json("history").result["attempts"] == []
    for path in fake.root.rglob("*"):
        assert not path.is_file() or key.encode() not in path.read_bytes(), path


def test_dry_runs_change_nothing(
    server: Server, fake: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    keys.AddKey(keys.new_key("shop", 2, None))(server, dry_run=True)
    assert "toxctl --json keys --add shop --rate 2" in capsys.readouterr().out
    keys.revoke_key(server, "shop", dry_run=True)
    keys.list_keys(server, dry_run=True)
    keys.CopyKeys()(server, dry_run=True)
    assert not (fake.root / "keys.json").exists()


@pytest.mark.parametrize(
    ("name", "ends", "words"),
    [
        (None, None, "`fab add-key --name NAME`"),
        ("a b", None, "--name is 'a b', expected 1 to 64 letters"),
        ("a", "tomorrow", "--ends is 'tomorrow', expected a day such as 2027-01-31"),
    ],
)
def test_wrong_options_are_refused_on_the_laptop(
    name: str | None, ends: str | None, words: str
) -> None:
    with pytest.raises(DeployError, match=re.escape(words)):
        keys.new_key(name, 0, ends)


def test_a_key_that_is_not_there_names_the_list(server: Server) -> None:
    with pytest.raises(DeployError, match="`fab revoke-key --key NAME`"):
        keys.chosen_key(None)
    for name in ("shop", "-x", "--add"):
        words = f"^nanode: there is no key '{name}': see `fab list-keys`"
        with pytest.raises(DeferredError, match=words):
            keys.revoke_key(server, name)


def test_a_key_that_is_over_is_marked() -> None:
    entry = {"id": "ab", "name": "a", "requests_per_second": None, "created": "2026-01-01"}
    assert keys.row({**entry, "ends": "2020-01-01"})[3] == "2020-01-01 (over)"
