"""fab deploy-app: the app goes through the same gate as a model."""

from __future__ import annotations

from pathlib import Path

import pytest
import tools_answers as good
from local_remote import GONE, LocalRemote, lines

from controller.deploy import app_deploy, app_release
from controller.deploy.errors import DeployError
from controller.deploy.servers import Server


@pytest.fixture
def tar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tar of release 2.0-bbb, which building makes."""
    path = tmp_path / "build" / "app" / "debian12" / "tox_com_det-2.0-bbb.tar"

    def build(system: object) -> app_release.AppRelease:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"tar" * 1000)
        return app_release.AppRelease("2.0-bbb", str(path), app_release.sha256_of(path), True)

    monkeypatch.setattr(app_release, "build", build)
    monkeypatch.setattr(app_release, "version_of", lambda *_: "2.0-bbb")
    monkeypatch.setattr(app_deploy, "BUILD", tmp_path / "build")
    return path


@pytest.fixture
def new(remote: LocalRemote) -> str:
    """Where release 2.0-bbb belongs."""
    return str(remote.root / "releases" / "2.0-bbb")


def install(path: str) -> None:
    """Let the release be there and complete."""
    Path(path).mkdir(parents=True)
    (Path(path) / ".complete").touch()


@pytest.fixture
def server(remote: LocalRemote, tar: Path, new: str) -> Server:
    good.well(remote, good.OLD, good.releases(confirmed=good.confirmed()))
    remote.answers["activate"] = good.activated(good.OLD, new)
    installed = {"path": new, "version": "2.0-bbb", "changed": True}
    remote.answers["install-app"] = lines({"say": "venv"}, {"result": installed})
    return Server(remote)


def test_app_is_sent_installed_proven_with_the_live_model_and_switched_to(
    server: Server, remote: LocalRemote, tar: Path, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app_deploy.deploy_app(server) is True
    phases = ["prepare", "upload", "verify", "activate", "confirm", "clean"]
    assert remote.session.phases == phases
    install = remote.called("install-app")[0]
    part = Path(install[4])
    assert part.parent == remote.root / "incoming" / "deploy"
    assert install[5:] == ["--sha256", app_release.sha256_of(tar)]
    assert not part.exists()
    for tool in ("verify", "activate"):
        assert remote.called(tool)[0][4:8] == ["--model", good.OLD, "--app", new]
    assert remote.session.notes["hashes"] == {tar.name: app_release.sha256_of(tar)}
    assert remote.session.notes["to"] == {"app": new, "model": good.OLD}
    out = capsys.readouterr().out
    assert "nanode: venv\n" in out
    assert "nanode: app 2.0-bbb is live (" in out


def test_app_that_is_installed_is_not_sent_and_a_live_one_not_verified(
    server: Server, remote: LocalRemote, tar: Path, new: str
) -> None:
    install(new)
    app_deploy.deploy_app(server)
    assert not tar.exists()
    assert remote.called("verify")
    remote.calls.clear()
    remote.answers["status"] = good.slots(good.confirmed(app=new))
    remote.answers["activate"] = good.activated(good.OLD, new, changed=False)
    assert app_deploy.deploy_app(server) is False
    assert not remote.called("verify")
    assert remote.session.end["result"] == "nothing"


def test_without_a_live_model_no_app_can_prove_itself(server: Server, remote: LocalRemote) -> None:
    remote.answers["status"] = good.slots(None)
    with pytest.raises(DeployError, match="type `fab restore-embeddings deploy-model` first"):
        app_deploy.deploy_app(server)
    assert remote.sent == 0


def test_app_that_fails_its_gate_is_not_activated(server: Server, remote: LocalRemote) -> None:
    remote.answers["verify"] = lines({"error": "wrong scores", "kind": "answers"}, code=1)
    with pytest.raises(DeployError, match=r"app 2.0-bbb was not put into .*\(wrong scores\)"):
        app_deploy.deploy_app(server)
    assert not remote.called("activate")


def test_failed_installation_is_told_in_the_servers_words(
    server: Server, remote: LocalRemote
) -> None:
    remote.answers["install-app"] = lines({"error": "it is for el9", "kind": "target"}, code=1)
    with pytest.raises(DeployError, match=r"\(it is for el9\).* type `fab deploy-app` again"):
        app_deploy.deploy_app(server)
    remote.answers["install-app"] = GONE
    with pytest.raises(
        DeployError, match=r"in phase upload of deploy-app .*an installation that has begun"
    ):
        app_deploy.deploy_app(server)


def test_room_for_the_unpacked_release_is_asked_for(server: Server, remote: LocalRemote) -> None:
    remote.free_kib = 65 << 10
    app_deploy.deploy_app(server)
    remote.free_kib = 64 << 10
    with pytest.raises(DeployError, match=r"too full for app 2\.0-bbb"):
        app_deploy.deploy_app(server)


def test_server_of_an_unknown_system_is_told(server: Server, remote: LocalRemote) -> None:
    remote.server_json["wheel_target"] = "beos"
    with pytest.raises(DeployError, match="wants wheels for beos"):
        app_deploy.deploy_app(Server(remote))


def test_dry_run_builds_and_sends_nothing(
    server: Server, remote: LocalRemote, tar: Path, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    app_deploy.dry_run(server)
    out = capsys.readouterr().out
    assert not tar.exists()
    assert remote.sessions == []
    assert "build tox_com_det-2.0-bbb.tar with its wheels for debian12" in out
    assert "from model old with app 1.0-aaa to app 2.0-bbb, the model stays" in out
    app_release.build(None)
    app_deploy.dry_run(server)
    assert "upload: tox_com_det-2.0-bbb.tar (3.0 kB), then install" in capsys.readouterr().out
    install(new)
    app_deploy.dry_run(server)
    assert "upload: nothing, app 2.0-bbb is installed" in capsys.readouterr().out
    remote.answers["status"] = good.slots(good.confirmed(app=new))
    app_deploy.dry_run(server)
    assert "is live already" in capsys.readouterr().out
