"""fab rollback: where it goes, and that it goes through the gate."""

from __future__ import annotations

import pytest
import tools_answers as good
from local_remote import LocalRemote, lines

from controller.deploy import rollback
from controller.deploy.errors import DeployError
from controller.deploy.servers import Server

NEW = "/srv/tox_com_det/models/new"
APP2 = "/opt/tox_com_det/releases/2.0-bbb"
BEFORE = {"app": good.APP, "model": good.OLD, "at": "2026-01-01T00:00:00Z"}
FOUND = good.releases(
    models=[good.entry("model", NEW), good.entry("model", good.OLD)],
    apps=[good.entry("app", APP2), good.entry("app", good.APP), good.entry("app", "/x/half")],
    confirmed=good.confirmed(NEW, APP2, BEFORE),
)
FOUND["apps"][2]["complete"] = False


@pytest.fixture
def server(remote: LocalRemote) -> Server:
    good.well(remote, good.OLD, FOUND)
    return Server(remote)


@pytest.mark.parametrize(
    ("name", "model", "app"),
    [
        (None, good.OLD, good.APP),
        ("old", good.OLD, APP2),
        ("1.0-aaa", NEW, good.APP),
    ],
)
def test_code_and_model_go_back_together_or_apart_through_the_gate(
    server: Server, remote: LocalRemote, name: str | None, model: str, app: str
) -> None:
    assert rollback.rollback(server, name) is True
    for tool in ("verify", "activate"):
        assert remote.called(tool)[0][4:8] == ["--model", model, "--app", app]
    assert remote.session.phases == ["prepare", "verify", "activate", "confirm", "clean"]
    assert remote.session.notes["from"] == {"app": APP2, "model": NEW}
    assert remote.session.heard[0]["task"] == "rollback"


@pytest.mark.parametrize(
    ("name", "words"),
    [("gone", "has no release gone: `fab releases`"), ("half", "half on nanode is not complete")],
)
def test_release_that_cannot_be_gone_to_is_named(
    server: Server, remote: LocalRemote, name: str, words: str
) -> None:
    with pytest.raises(DeployError, match=words):
        rollback.rollback(server, name)
    assert not remote.called("activate")


def test_release_that_is_live_changes_nothing(server: Server, remote: LocalRemote) -> None:
    remote.answers["activate"] = good.activated(NEW, APP2, changed=False)
    assert rollback.rollback(server, "new") is False
    assert not remote.called("verify")
    assert remote.session.end["result"] == "nothing"


@pytest.mark.parametrize(
    ("confirmed", "words"),
    [
        (None, "no model is live on nanode: type `fab deploy-model`"),
        (good.confirmed(), "nothing was live on nanode before model old with app 1.0-aaa"),
    ],
)
def test_nothing_to_go_back_to_is_told(
    server: Server, remote: LocalRemote, confirmed: dict | None, words: str
) -> None:
    remote.answers["releases"] = lines({"result": {**FOUND, "confirmed": confirmed}})
    with pytest.raises(DeployError, match=words):
        rollback.rollback(server, None)


def test_old_release_that_is_no_longer_good_is_not_switched_to(
    server: Server, remote: LocalRemote
) -> None:
    remote.answers["verify"] = lines({"error": "no such collection", "kind": "collection"}, code=1)
    with pytest.raises(DeployError, match="bring its word vectors with `fab restore-embeddings"):
        rollback.rollback(server, None)
    remote.answers["verify"] = lines({"error": "bad head", "kind": "head"}, code=1)
    with pytest.raises(DeployError, match=r"\(bad head\).*`fab releases` lists the others"):
        rollback.rollback(server, None)
    assert not remote.called("activate")


def test_dry_run_says_from_where_to_where(
    server: Server, remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    rollback.dry_run(server, None)
    out = capsys.readouterr().out
    assert "from model new with app 2.0-bbb to model old with app 1.0-aaa" in out
    rollback.dry_run(server, "new")
    assert "nothing: model new with app 2.0-bbb is live already" in capsys.readouterr().out
    assert remote.sessions == []
    assert not remote.called("verify")
