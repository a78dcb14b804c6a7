"""fab prune in a cluster, whose app hosts share a database: what another host names stays in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path

import pytest
import toxctl_answers as good
from local_remote import GONE, Answer, LocalRemote, error, result

from controller.deploy import gate, reach, word_vectors
from controller.deploy.attempt import attempt
from controller.deploy.errors import DeployError
from controller.deploy.inventory import Host, read_hosts
from controller.deploy.reach import Reach, run_on_hosts
from controller.deploy.server import Server
from controller.deploy.server_settings import ServerSettings
from controller.deploy.tasks.prune import prune

NAMES = ("app1", "app2", "app3")
LEFT = ["prune", "--dry-run", "--leave-collections"]
CONFIG = {setting.name: None for setting in fields(ServerSettings)}


def model(name: str, collection: str | None = "", **changes: object) -> good.Json:
    """A model in `toxctl status`."""
    found = f"word_embeddings.words_of_{name}" if collection == "" else collection
    base = {"collection": found, "damaged": "", "protected": ""}
    return good.entry("model", f"/srv/models/{name}", **{**base, **changes})


def serves(*models: good.Json, live: str | None = None) -> Answer:
    """What a host answers that has these models."""
    confirmed = good.confirmed(f"/srv/models/{live}") if live else None
    return result(good.status(CONFIG, confirmed, list(models)))


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, LocalRemote]:
    """Three app hosts: two serve m2 and keep m1, the third is new."""
    made = {}
    for name in NAMES:
        made[name] = remote = LocalRemote(tmp_path / name)
        remote.host = replace(
            remote.host, name=name, in_cluster=True, parts=("app",), app_hosts=NAMES
        )
        remote.answers["prune"] = result(good.NOTHING_PRUNED)
        remote.answers["status"] = serves(model("m1"), model("m2"), live="m2")
    made["app3"].answers["status"] = serves()

    @contextmanager
    def opened(host: Host) -> Iterator[Server]:
        if made[host.name].lost:
            raise DeployError(f"{host.name} cannot be reached: is it running?")
        yield Server(made[host.name])

    def read(_: str | None, limit: str | None) -> list[Host]:
        return [made[name].host for name in (limit.split(",") if limit else NAMES)]

    monkeypatch.setattr(reach, "opened", opened)
    monkeypatch.setattr(reach, "read_hosts", read)
    monkeypatch.setattr(word_vectors, "opened", opened)
    return made


def run(limit: str | None = None) -> None:
    """`fab prune`."""
    run_on_hosts(prune, "prune", Reach(others=True), None, limit, False, False)


@pytest.mark.parametrize("limit", [None, "app3"])
def test_a_new_host_keeps_what_the_others_name(hosts, limit):
    run(limit)
    (call,) = hosts["app3"].called("prune")
    assert call == ["prune", "--dry-run", "--named", "words_of_m1", "--named", "words_of_m2"]
    assert bool(hosts["app1"].called("prune")) is (limit is None)


def test_what_a_new_host_has_not_keeps_nothing(hosts):
    hosts["app2"].answers["status"] = serves()
    run("app1")
    assert hosts["app1"].called("prune") == [["prune", "--dry-run"]]


def test_the_others_are_asked_again_after_the_confirmation(hosts, monkeypatch):
    def agreed(_: Server) -> bool:
        hosts["app1"].answers["status"] = serves(model("m3"), live="m3")
        return True

    monkeypatch.setattr("controller.deploy.tasks.prune.agreed", agreed)
    old = {"kind": "model", "name": "a", "bytes": 1, "why": "old"}
    hosts["app3"].answers["prune"] = result({**good.NOTHING_PRUNED, "remove": [old]})
    run("app3")
    assert "words_of_m3" not in hosts["app3"].called("prune")[0]
    assert "words_of_m3" in hosts["app3"].called("prune")[1]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (GONE, "the connection to nanode was lost"),
        (error("server.json is damaged", "config"), "server.json is damaged"),
        (serves(model("m1", None)), "the manifest of its model m1 cannot be read"),
        (serves(model("m1", damaged="manifest.json differs")), "its model m1 cannot be read"),
        (serves(model("m1", None, complete=False, protected="it is live")), "m1 cannot be read"),
        (serves(model("m1"), live="m2"), "its model m2 is in use and missing"),
    ],
)
def test_a_host_that_cannot_say_what_it_needs_keeps_every_collection(hosts, capsys, answer, words):
    hosts["app2"].answers["status"] = answer
    run("app1")
    assert hosts["app1"].called("prune") == [LEFT]
    out = capsys.readouterr().out
    assert re.search(r"^app1: no collection is dropped, because app2 may need any of them \(", out)
    assert words in out
    assert "then rerun `fab prune`" in out


def test_an_upload_without_a_manifest_names_nothing(hosts):
    hosts["app2"].answers["status"] = serves(model("m2"), model("new", None, complete=False))
    run("app1")
    assert hosts["app1"].called("prune") == [["prune", "--dry-run", "--named", "words_of_m2"]]


def test_a_host_that_is_not_set_up_keeps_every_collection(hosts, capsys):
    hosts["app2"].lost = True
    run("app1")
    assert hosts["app1"].called("prune") == [LEFT]
    assert "app2 cannot be reached: is it running?" in capsys.readouterr().out


def test_servers_without_a_cluster_ask_no_other(hosts):
    for remote in hosts.values():
        remote.host = replace(remote.host, in_cluster=False, parts=Host.parts, app_hosts=())
    run()
    for remote in hosts.values():
        assert remote.called("prune") == [["prune", "--dry-run"]]


@pytest.mark.parametrize(
    ("app_hosts", "options"), [(NAMES, ["--leave-collections"]), (NAMES[:1], []), ((), [])]
)
def test_a_deploy_in_a_cluster_leaves_the_collections(hosts, app_hosts, options):
    remote = hosts["app1"]
    remote.host = replace(remote.host, app_hosts=app_hosts)
    with attempt(Server(remote), "deploy-model", "new") as now:
        gate.clean(now)
    session = remote.session.id_
    assert remote.called("prune") == [["prune", "--auto", *options, "--session", session]]


def test_the_app_hosts_come_from_the_groups_of_the_inventory(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yml"
    path.write_text(
        """
tox_com_det:
  children:
    app: {hosts: {app1: , app2: }}
    database: {hosts: {db1: }}
"""
    )
    assert {host.app_hosts for host in read_hosts(str(path))} == {("app1", "app2")}
    path.write_text("tox_com_det: {hosts: {one: , two: }}\napp: {hosts: {stranger: }}\n")
    assert {host.app_hosts for host in read_hosts(str(path))} == {()}
