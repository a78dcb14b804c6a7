"""fab rollback: which release it returns to, and that it passes the gate."""

from __future__ import annotations

from typing import Any

import pytest
import toxctl_answers as good
from local_remote import LocalRemote, error, lines, result, went_well

from controller.deploy.errors import DeployError
from controller.deploy.server import Server
from controller.deploy.tasks.rollback import rollback

NEW = "/srv/tox_com_det/models/new"
APP2 = "/opt/tox_com_det/releases/2.0-bbb"
BEFORE = {"app": good.APP, "model": good.OLD, "at": "2026-01-01T00:00:00Z"}
CONFIRMED = good.confirmed(NEW, APP2, BEFORE)
INSTALLED = {
    "models": [good.entry("model", NEW), good.entry("model", good.OLD)],
    "apps": [
        good.entry("app", APP2),
        good.entry("app", good.APP),
        good.entry("app", "/x/half", complete=False),
    ],
}


@pytest.fixture
def server(remote: LocalRemote) -> Server:
    remote.answers["status"] = result(remote.status(confirmed=CONFIRMED, **INSTALLED))
    went_well(remote, good.OLD)
    return Server(remote)


@pytest.mark.parametrize(
    ("name", "model", "app"),
    [
        (None, good.OLD, good.APP),
        ("old", good.OLD, APP2),
        ("1.0-aaa", NEW, good.APP),
    ],
)
def test_app_and_model_return_together_or_apart_through_the_gate(
    server: Server, remote: LocalRemote, name: str | None, model: str, app: str
) -> None:
    assert rollback(server, name) is True
    for verb in ("verify", "activate"):
        assert remote.called(verb) == [[verb, "--model", model, "--app", app]]
    assert remote.session.phases == ["prepare", "verify", "activate", "confirm", "clean"]
    assert remote.session.notes["from"] == {"app": APP2, "model": NEW}
    assert remote.session.heard[0]["task"] == "rollback"


@pytest.mark.parametrize(
    ("name", "words"),
    [("gone", "has no release gone: `fab releases`"), ("half", "half on nanode is incomplete")],
)
def test_release_that_cannot_be_used_is_named(
    server: Server, remote: LocalRemote, name: str, words: str
) -> None:
    with pytest.raises(DeployError, match=words):
        rollback(server, name)
    assert not remote.called("activate")


def test_release_that_is_live_changes_nothing(server: Server, remote: LocalRemote) -> None:
    remote.answers["activate"] = lines(*good.activated(NEW, APP2, changed=False))
    assert rollback(server, "new") is False
    assert not remote.called("verify")
    assert remote.session.end == {"result": "nothing", "reason": None}


@pytest.mark.parametrize(
    ("confirmed", "words"),
    [
        (None, "no model is live on nanode: run `fab deploy-model`"),
        (good.confirmed(), "nanode has no release before model old with app 1.0-aaa"),
    ],
)
def test_server_without_a_previous_release_is_reported(
    server: Server, remote: LocalRemote, confirmed: dict[str, Any] | None, words: str
) -> None:
    remote.answers["status"] = result(remote.status(confirmed=confirmed, **INSTALLED))
    with pytest.raises(DeployError, match=words):
        rollback(server)


def test_old_release_that_no_longer_passes_is_not_activated(
    server: Server, remote: LocalRemote
) -> None:
    remote.answers["verify"] = error("no such collection", "collection")
    with pytest.raises(DeployError, match="with `fab restore-embeddings --bundle DIRECTORY`, the"):
        rollback(server)
    remote.answers["verify"] = error("MongoDB does not answer", "database")
    with pytest.raises(DeployError, match="stays live: start the database with `ansible-playbook"):
        rollback(server)
    remote.answers["verify"] = error("bad head", "head")
    words = r"\(bad head\); model new with app 2.0-bbb stays live: `fab releases` lists the others"
    with pytest.raises(DeployError, match=words):
        rollback(server)
    assert not remote.called("activate")


def test_dry_run_says_from_which_release_to_which(
    server: Server, remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    rollback(server, dry_run=True)
    out = capsys.readouterr().out
    assert "from model new with app 2.0-bbb to model old with app 1.0-aaa" in out
    rollback(server, "new", dry_run=True)
    words = "nothing to do: model new with app 2.0-bbb is already live"
    assert words in capsys.readouterr().out
    assert remote.sessions == []
    assert not remote.called("verify")
