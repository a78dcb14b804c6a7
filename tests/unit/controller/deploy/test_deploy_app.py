"""fab deploy-app: the app passes the same gate as a model."""

from __future__ import annotations

from pathlib import Path

import pytest
import toxctl_answers as good
from local_remote import GONE, LocalRemote, error, lines, result, went_well

from controller.deploy import app_release
from controller.deploy.errors import DeployError
from controller.deploy.server import Server
from controller.deploy.tasks.deploy_app import deploy_app
from toxctl import integrity


@pytest.fixture
def tar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tar of release 2.0-bbb, which building makes."""
    path = tmp_path / "build" / "app" / "debian12" / "tox_com_det-2.0-bbb.tar"

    def build(_: object) -> app_release.AppRelease:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"tar" * 1000)
        return app_release.AppRelease("2.0-bbb", str(path), app_release.sha256_of(path), True)

    monkeypatch.setattr(app_release, "build", build)
    monkeypatch.setattr(app_release, "version_of", lambda *_: "2.0-bbb")
    monkeypatch.setattr(app_release, "tar_path", lambda *_: path)
    return path


@pytest.fixture
def new(remote: LocalRemote) -> str:
    """Where release 2.0-bbb belongs."""
    return str(remote.root / "releases" / "2.0-bbb")


def install(path: str) -> None:
    """Let the release be installed."""
    Path(path).mkdir(parents=True)
    integrity.mark(path)


@pytest.fixture
def server(remote: LocalRemote, tar: Path, new: str) -> Server:
    """A server on which a model is live, and whose toxctl answers as if all goes well."""
    remote.confirm(good.confirmed())
    went_well(remote, good.OLD, new)
    installed = {"path": new, "version": "2.0-bbb", "changed": True}
    remote.answers["install"] = lines({"say": "installing"}, {"result": installed})
    return Server(remote)


def test_app_is_sent_installed_verified_with_the_live_model_and_activated(
    server: Server, remote: LocalRemote, tar: Path, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deploy_app(server) is True
    phases = ["prepare", "upload", "verify", "activate", "confirm", "clean"]
    assert remote.session.phases == phases
    [install_call] = remote.called("install")
    part = Path(install_call[1])
    assert part.parent == remote.parts
    assert part.read_bytes() == tar.read_bytes()
    assert install_call[2:] == ["--sha256", app_release.sha256_of(tar)]
    for verb in ("verify", "activate"):
        assert remote.called(verb) == [[verb, "--model", good.OLD, "--app", new]]
    assert remote.session.notes["hashes"] == {tar.name: app_release.sha256_of(tar)}
    assert remote.session.notes["to"] == {"app": new, "model": good.OLD}
    out = capsys.readouterr().out
    assert "nanode: installing\n" in out
    assert "nanode: app 2.0-bbb is live (" in out


def test_interrupted_upload_of_the_tar_resumes(
    server: Server, remote: LocalRemote, tar: Path
) -> None:
    remote.cut_after = 1000
    with pytest.raises(DeployError, match="rerun the command, it resumes from there"):
        deploy_app(server)
    remote.cut_after = None
    assert deploy_app(server) is True
    assert remote.sent == tar.stat().st_size - 1000


def test_installed_app_is_not_sent_and_a_live_one_is_not_verified(
    server: Server, remote: LocalRemote, tar: Path, new: str
) -> None:
    install(new)
    deploy_app(server)
    assert not tar.exists()
    assert remote.called("verify")
    remote.calls.clear()
    remote.confirm(good.confirmed(app=new))
    remote.answers["activate"] = lines(*good.activated(good.OLD, new, changed=False))
    assert deploy_app(server) is False
    assert not remote.called("verify")
    assert remote.session.end == {"result": "nothing", "reason": None}


def test_app_cannot_be_verified_without_a_live_model(server: Server, remote: LocalRemote) -> None:
    remote.confirm(None)
    with pytest.raises(DeployError, match="run `fab restore-embeddings deploy-model` first"):
        deploy_app(server)
    assert remote.sent == 0


def test_app_that_fails_its_verification_is_not_activated(
    server: Server, remote: LocalRemote
) -> None:
    remote.answers["verify"] = error("wrong scores", "answers")
    words = r"app 2.0-bbb did not go live on nanode \(wrong scores\); the previous release stays"
    with pytest.raises(DeployError, match=words):
        deploy_app(server)
    remote.answers["verify"] = error("MongoDB does not answer", "database")
    with pytest.raises(DeployError, match="stays live: start the database with `ansible-playbook"):
        deploy_app(server)
    assert not remote.called("activate")


def test_failed_installation_is_reported_in_toxctls_words(
    server: Server, remote: LocalRemote
) -> None:
    remote.answers["install"] = error("it is for el9", "target")
    with pytest.raises(DeployError, match=r"\(it is for el9\).*fix it, then rerun `fab deploy-a"):
        deploy_app(server)
    remote.answers["install"] = GONE
    with pytest.raises(
        DeployError, match=r"in phase upload of deploy-app .*an installation that has begun"
    ):
        deploy_app(server)


def test_space_for_the_installed_release_is_required(server: Server, remote: LocalRemote) -> None:
    remote.free_bytes = 65 << 20
    deploy_app(server)
    remote.free_bytes = 64 << 20
    with pytest.raises(DeployError, match=r"too full for app 2\.0-bbb"):
        deploy_app(server)


def test_server_of_an_unsupported_system_is_reported(server: Server, remote: LocalRemote) -> None:
    remote.server_json["wheel_target"] = "beos"
    with pytest.raises(DeployError, match="needs wheels for beos, which this checkout does not"):
        deploy_app(Server(remote))


def test_dry_run_builds_and_sends_nothing(
    server: Server, remote: LocalRemote, tar: Path, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy_app(server, dry_run=True)
    out = capsys.readouterr().out
    assert not tar.exists()
    assert remote.sessions == []
    assert not remote.parts.exists()
    assert "build tox_com_det-2.0-bbb.tar with its wheels for debian12" in out
    assert "from model old with app 1.0-aaa to app 2.0-bbb, the model stays" in out
    app_release.build(None)  # type: ignore[arg-type]  # the fixture's
    deploy_app(server, dry_run=True)
    assert "upload: tox_com_det-2.0-bbb.tar (3.0 kB), then install" in capsys.readouterr().out
    install(new)
    deploy_app(server, dry_run=True)
    assert "upload: nothing, app 2.0-bbb is already installed" in capsys.readouterr().out
    remote.confirm(good.confirmed(app=new))
    deploy_app(server, dry_run=True)
    assert "is already live" in capsys.readouterr().out


def test_result_of_a_verification_is_shown(
    server: Server, remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    remote.answers["verify"] = result({**good.VERIFIED, "golden_outputs": 3})
    deploy_app(server)
    assert (
        "3 golden outputs match (largest difference 1.0e-07), 7 words in word_embeddings.c, "
        "90.0 MB of memory (limit 300.0 MB)"
    ) in capsys.readouterr().out
