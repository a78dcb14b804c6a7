"""`fab add-key`, `copy-keys` and `revoke-key` on the app hosts of a cluster, some unreachable."""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer
from from_file import from_file
from invoke import Context
from real_toxctl import RealRemote

from controller.deploy import reach
from controller.deploy.errors import DeployError
from controller.deploy.inventory import Host
from controller.deploy.server import Server
from controller.deploy.tasks import keys
from toxctl.keys import KEY_FORM

REVOKE = reach.Reach(left=keys.STILL_VALID)


@dataclass
class Cluster:
    """App hosts, some of which do not answer."""

    servers: dict[str, Server]
    down: set[str] = field(default_factory=set)

    def run(self, action: Any, of: reach.Reach = reach.EACH, limit: str | None = None) -> None:
        """Run a task on them, or on those of `limit`."""
        reach.run_on_hosts(action, "task", of, None, limit, False, False)

    def add(self, name: str) -> None:
        self.run(keys.AddKey(keys.new_key(name, 0, None)))

    def revoke(self, key: str, limit: str | None = None) -> None:
        self.run(partial(keys.revoke_key, key=key), REVOKE, limit)

    def copy(self) -> None:
        self.run(keys.CopyKeys())

    def names(self) -> list[list[object]]:
        """The names of each host's keys."""
        return [[one["name"] for one in stored(server)] for server in self.servers.values()]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    fakes = [FakeServer(tmp_path / name) for name in ("app1", "app2", "app3")]
    made = Cluster({})
    for fake in fakes:
        fake.config["user"] = getpass.getuser()
        fake.write_config()
        remote = RealRemote(fake)
        remote.host = replace(remote.host, name=fake.root.name, in_cluster=True, parts=("app",))
        made.servers[fake.root.name] = Server(remote)

    @contextmanager
    def opened(host: Host) -> Iterator[Server]:
        if host.name in made.down:
            raise DeployError(f"{host.name} cannot be reached")
        yield made.servers[host.name]

    def hosts(_: str | None, limit: str | None) -> list[Host]:
        names = limit.split(",") if limit else list(made.servers)
        return [made.servers[name].remote.host for name in names]

    monkeypatch.setattr(reach, "opened", opened)
    monkeypatch.setattr(reach, "read_hosts", hosts)
    yield made
    for fake in fakes:
        fake.close()


def stored(server: Server) -> list[dict[str, object]]:
    """The entries in a server's file, with their hashes."""
    return list(server.toxctl("keys", "--export").result()["entries"])


def forget(cluster: Cluster, name: str) -> None:
    """Rebuild a host: it has no keys."""
    remote = cluster.servers[name].remote
    assert isinstance(remote, RealRemote)
    (remote.fake.root / "keys.json").unlink()


def test_the_app_hosts_of_a_cluster_get_the_same_key(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.run(keys.AddKey(keys.new_key("shop", 5, None)))
    assert len(re.findall(KEY_FORM, capsys.readouterr().out)) == 1
    one, *others = (stored(server) for server in cluster.servers.values())
    assert others == [one, one]
    assert [entry["name"] for entry in one] == ["shop"]


@pytest.mark.parametrize("new", ["app1", "app3"])
def test_a_new_app_host_gets_the_keys_of_the_others(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], new: str
) -> None:
    cluster.add("shop")
    cluster.add("other")
    forget(cluster, new)
    capsys.readouterr()
    cluster.copy()
    out = capsys.readouterr().out
    assert re.search(rf"{new}: added .*\(shop\), .*\(other\)", out)
    assert out.count(": 2 keys") == 3
    cluster.copy()
    assert capsys.readouterr().out.count(": added no key") == 3
    one, *others = (stored(server) for server in cluster.servers.values())
    assert others == [one, one]


def test_two_keys_of_the_same_name_are_refused_and_nothing_is_copied(cluster: Cluster) -> None:
    keys.AddKey(keys.new_key("one", 0, None))(cluster.servers["app2"])
    for name in ("app2", "app3"):
        keys.AddKey(keys.new_key("shop", 0, None))(cluster.servers[name])
    words = r"two keys have the name shop, one on app2 and one on app3: .* --limit HOST`"
    with pytest.raises(DeployError, match=words):
        cluster.copy()
    assert cluster.names() == [[], ["one", "shop"], ["shop"]]


def test_keys_are_copied_only_if_every_host_was_asked(cluster: Cluster) -> None:
    cluster.add("shop")
    forget(cluster, "app1")
    cluster.down.add("app3")
    with pytest.raises(DeployError, match="app3 cannot be reached"):
        cluster.copy()
    assert cluster.names() == [[], ["shop"], ["shop"]]


def test_a_key_is_revoked_on_every_host_that_answers(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.add("leaked")
    cluster.down.add("app1")
    revoke = from_file("fabfile.py").revoke_key
    options = {"key": "leaked", "dry_run": False, "inventory": None}
    with pytest.raises(SystemExit):
        revoke(Context(), limit=None, **options)
    said = capsys.readouterr().err
    assert "app1 cannot be reached; the key is still valid on app1: rerun `fab revoke" in said
    assert cluster.names() == [["leaked"], [], []]
    cluster.down.clear()
    revoke(Context(), limit="app1", **options)
    assert cluster.names() == [[], [], []]


def test_a_host_whose_file_is_damaged_is_named(cluster: Cluster) -> None:
    cluster.add("leaked")
    remote = cluster.servers["app2"].remote
    assert isinstance(remote, RealRemote)
    (remote.fake.root / "keys.json").write_text("{")
    with pytest.raises(DeployError, match=r"app2: .* is damaged.* still valid on app2: rerun"):
        cluster.revoke("leaked")
    assert [stored(cluster.servers[name]) for name in ("app1", "app3")] == [[], []]


def test_a_host_without_the_key_is_not_one_where_it_is_valid(cluster: Cluster) -> None:
    cluster.add("leaked")
    forget(cluster, "app1")
    with pytest.raises(DeployError, match="app1: there is no key 'leaked'") as refused:
        cluster.revoke("leaked")
    assert "still valid" not in str(refused.value)
    assert cluster.names() == [[], [], []]


def test_a_revoked_key_stays_revoked_when_the_hosts_that_knew_it_are_gone(cluster: Cluster) -> None:
    cluster.add("leaked")
    cluster.down.add("app2")
    with pytest.raises(DeployError, match="still valid on app2"):
        cluster.revoke("leaked")
    cluster.down.clear()
    for rebuilt in ("app1", "app3"):
        forget(cluster, rebuilt)
        cluster.copy()
        assert cluster.names() == [[], ["leaked"], []]


def test_a_revoked_key_is_not_copied_back(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.add("leaked")
    cluster.revoke("leaked", "app2")
    forget(cluster, "app3")  # rebuilt, so it knows nothing of it
    capsys.readouterr()
    cluster.copy()
    out = capsys.readouterr().out
    assert re.search(r"app1: the key \w{8} \(leaked\) was revoked on app2 and is valid here", out)
    assert "--limit app1`" in out
    assert cluster.names() == [["leaked"], [], []]
