"""`fab add-key`, `list-keys` and `revoke-key` with the real toxctl on a fake server."""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fake_server import FakeServer
from real_toxctl import RealRemote

from controller.deploy.errors import DeferredError, DeployError
from controller.deploy.remote import Remote
from controller.deploy.remote_toxctl import ToxctlError
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
    with pytest.raises(DeferredError, match="nanode: there is no key 'shop': see `fab list-keys`"):
        keys.revoke_key(server, "shop")


def test_a_key_that_is_over_is_marked() -> None:
    entry = {"id": "ab", "name": "a", "requests_per_second": None, "created": "2026-01-01"}
    assert keys.row({**entry, "ends": "2020-01-01"})[3] == "2020-01-01 (over)"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[list[Server]]:
    """Two app hosts of a cluster."""
    fakes = [FakeServer(tmp_path / name) for name in ("app1", "app2")]
    servers = []
    for fake in fakes:
        fake.config["user"] = getpass.getuser()
        fake.write_config()
        remote = RealRemote(fake)
        remote.host = replace(remote.host, name=fake.root.name, in_cluster=True, parts=("app",))
        servers.append(Server(remote))
    yield servers
    for fake in fakes:
        fake.close()


def stored(server: Server) -> list[dict[str, object]]:
    """The entries in a server's file, with their hashes."""
    return list(server.toxctl("keys", "--export").result()["entries"])


def test_the_app_hosts_of_a_cluster_get_the_same_key(
    cluster: list[Server], capsys: pytest.CaptureFixture[str]
) -> None:
    add_key = keys.AddKey(keys.new_key("shop", 5, None))
    for server in cluster:
        add_key(server)
    assert len(re.findall(KEY_FORM, capsys.readouterr().out)) == 1
    assert stored(cluster[0]) == stored(cluster[1])
    assert [one["name"] for one in stored(cluster[1])] == ["shop"]


def test_a_new_app_host_gets_the_keys_of_the_others(
    cluster: list[Server], capsys: pytest.CaptureFixture[str]
) -> None:
    add(cluster[0], "shop")
    add(cluster[0], "other")
    for _ in range(2):  # the second time there is nothing to add
        copy = keys.CopyKeys()
        for server in cluster:
            copy(server)
    out = capsys.readouterr().out
    assert out.count("(shop)") == 2  # when it was made, and when it was copied
    assert "app2: added no key" in out
    assert stored(cluster[0]) == stored(cluster[1])


def test_another_key_of_the_same_name_is_refused_and_nothing_is_copied(
    cluster: list[Server],
) -> None:
    add(cluster[0], "one")
    add(cluster[0], "shop")
    add(cluster[1], "shop")
    copy = keys.CopyKeys()
    copy(cluster[0])
    with pytest.raises(ToxctlError, match="another key has the name shop here: revoke one of"):
        copy(cluster[1])
    assert [one["name"] for one in stored(cluster[1])] == ["shop"]
