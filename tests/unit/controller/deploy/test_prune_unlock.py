"""fab prune lists, then asks; fab unlock shows whose lock it was."""

from __future__ import annotations

import io

import pytest
import toxctl_answers as good
from local_remote import LocalRemote, error, result

from controller.deploy.errors import DeployError
from controller.deploy.server import Server
from controller.deploy.tasks.prune import prune
from controller.deploy.tasks.unlock import unlock

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
    remote.answers["prune"] = result(FOUND)
    return Server(remote)


def test_list_is_printed_before_the_confirmation(
    server: Server,
    remote: LocalRemote,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("\n"))
    assert prune(server, 2, yes=False) is False
    out = capsys.readouterr().out
    assert "remove  model a (2.0 MB): beyond the newest 2\n" in out
    assert "remove  collection c: no manifest names it\n" in out
    assert "keep    model b: live\n" in out
    assert out.index("remove  model a") < out.index("remove this? [y/N]")
    assert len(remote.called("prune")) == 1
    assert remote.sessions == []
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert prune(server, 2, yes=False) is True
    call = remote.called("prune")[-1]
    assert call == ["prune", "--keep", "2", "--session", remote.session.id_]
    assert remote.session.phases == ["prepare", "clean"]
    assert remote.session.notes == {"removed": ["model a", "collection c"]}


def test_without_a_terminal_yes_is_required(
    server: Server, remote: LocalRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(DeployError, match="no terminal to confirm on, run `fab prune --yes`"):
        prune(server, 0, yes=False)
    assert remote.sessions == []
    assert prune(server, 0, yes=True) is True


def test_dry_run_and_nothing_to_remove_remove_nothing(
    server: Server, remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prune(server, 0, yes=True, dry_run=True) is False
    remote.answers["prune"] = result(good.NOTHING_PRUNED)
    assert prune(server, 0, yes=True) is False
    assert "nothing to remove, 1000.0 MB are free" in capsys.readouterr().out
    assert remote.sessions == []
    assert all("--dry-run" in call for call in remote.called("prune"))


def test_keep_must_not_be_negative(server: Server) -> None:
    with pytest.raises(DeployError, match="--keep is -1, it must be 1 or more"):
        prune(server, -1, yes=True)


HOLDER = {"who": "anna@home", "task": "deploy-app", "since": "2026-01-02", "phase": "upload"}


def test_unlock_shows_who_held_the_lock(
    remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    server = Server(remote)
    remote.answers["lock"] = result({"holder": HOLDER})
    assert unlock(server, dry_run=True) is False
    assert (
        "the deploy lock would be taken from anna@home with deploy-app" in capsys.readouterr().out
    )
    assert not remote.called("unlock")
    remote.answers["unlock"] = result({"holder": HOLDER})
    assert unlock(server) is True
    assert "held by anna@home with deploy-app since 2026-01-02, phase upload" in (
        capsys.readouterr().out
    )
    assert remote.called("unlock")[0][1] == "--by"
    remote.answers["unlock"] = result({"holder": None})
    assert unlock(server) is False


def test_running_switch_is_not_unlocked(remote: LocalRemote) -> None:
    remote.answers["unlock"] = error("by anna, pid 1", "activating")
    with pytest.raises(DeployError, match="the deploy lock on nanode stays: by anna"):
        unlock(Server(remote))
    remote.answers["unlock"] = error("odd")
    with pytest.raises(DeployError, match="odd"):
        unlock(Server(remote))
