"""fab prune says first, then asks; fab unlock says whose lock it was."""

from __future__ import annotations

import io

import pytest
import tools_answers as good
from local_remote import LocalRemote, lines

from controller.deploy import prune, unlock
from controller.deploy.errors import DeployError
from controller.deploy.servers import Server

FOUND = {
    "remove": [
        {"kind": "model", "name": "a", "bytes": 2_000_000, "why": "beyond the newest 2"},
        {"kind": "collection", "name": "c", "bytes": None, "why": "no manifest names it"},
    ],
    "keep": [{"kind": "model", "name": "b", "why": "live"}],
    "removed": False,
    "free_bytes": 10**9,
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def server(remote: LocalRemote) -> Server:
    remote.answers["prune"] = lines({"result": FOUND})
    return Server(remote)


def test_what_would_go_is_said_before_it_is_asked_for(
    server: Server,
    remote: LocalRemote,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("\n"))
    assert prune.prune(server, 2, yes=False, dry_run=False) is False
    out = capsys.readouterr().out
    assert "remove  model a (2.0 MB): beyond the newest 2\n" in out
    assert "remove  collection c: no manifest names it\n" in out
    assert "keep    model b: live\n" in out
    assert out.index("remove  model a") < out.index("remove this? [y/N]")
    assert len(remote.called("prune")) == 1
    assert remote.sessions == []
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert prune.prune(server, 2, yes=False, dry_run=False) is True
    call = remote.called("prune")[-1]
    assert call[3:] == ["prune", "--keep", "2", "--session", remote.session.id_]
    assert remote.session.phases == ["prepare", "clean"]
    assert remote.session.notes == {"removed": ["model a", "collection c"]}


def test_nobody_to_ask_wants_yes(
    server: Server, remote: LocalRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(DeployError, match="`fab prune --yes`"):
        prune.prune(server, 0, yes=False, dry_run=False)
    assert remote.sessions == []
    assert prune.prune(server, 0, yes=True, dry_run=False) is True


def test_dry_run_and_nothing_to_remove_remove_nothing(
    server: Server, remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prune.prune(server, 0, yes=True, dry_run=True) is False
    remote.answers["prune"] = lines({"result": good.NOTHING_PRUNED})
    assert prune.prune(server, 0, yes=True, dry_run=False) is False
    assert "nothing to remove, 1000.0 MB are free" in capsys.readouterr().out
    assert remote.sessions == []
    assert all("--dry-run" in call for call in remote.called("prune"))


def test_keep_is_a_number_of_releases(server: Server) -> None:
    with pytest.raises(DeployError, match="--keep is -1, wanted 1 or more"):
        prune.prune(server, -1, yes=True, dry_run=False)


HOLDER = {"who": "anna@home", "task": "deploy-app", "since": "2026-01-02", "phase": "upload"}


def test_unlock_says_whose_lock_it_was(
    remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    server = Server(remote)
    remote.answers["lock"] = lines({"result": {"holder": HOLDER}})
    assert unlock.unlock(server, dry_run=True) is False
    assert "would take the lock from anna@home with deploy-app" in capsys.readouterr().out
    assert not remote.called("unlock")
    remote.answers["unlock"] = lines({"result": {"holder": HOLDER}})
    assert unlock.unlock(server, dry_run=False) is True
    assert "held by anna@home with deploy-app since 2026-01-02, phase upload" in (
        capsys.readouterr().out
    )
    assert remote.called("unlock")[0][4] == "--by"
    remote.answers["unlock"] = lines({"result": {"holder": None}})
    assert unlock.unlock(server, dry_run=False) is False


def test_switch_that_is_under_way_is_not_unlocked(remote: LocalRemote) -> None:
    remote.answers["unlock"] = lines({"error": "by anna, pid 1", "kind": "activating"}, code=1)
    with pytest.raises(DeployError, match="the lock on nanode stays: by anna"):
        unlock.unlock(Server(remote), dry_run=False)
    remote.answers["unlock"] = lines({"error": "odd", "kind": "other"}, code=1)
    with pytest.raises(DeployError, match="odd"):
        unlock.unlock(Server(remote), dry_run=False)
