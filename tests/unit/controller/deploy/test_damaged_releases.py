"""Releases that are damaged on the server: what is said, and the command that repairs it.

The tasks run against the real toxctl.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import small_app
from real_toxctl import VERIFIED, RealRemote, ServingBundles

from controller.deploy import predict
from controller.deploy.attempt import Interrupted, attempt
from controller.deploy.bundle import Bundle, load_bundle
from controller.deploy.errors import DeferredError, DeployError
from controller.deploy.server import Server
from controller.deploy.tasks.deploy_app import deploy_app
from controller.deploy.tasks.deploy_model import deploy_model
from controller.deploy.tasks.rollback import rollback
from controller.deploy.tasks.status import status

VERSION = small_app.VERSION


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServingBundles]:
    made = ServingBundles(tmp_path / "server")
    made.answers("verify", f"echo '{json.dumps(VERIFIED)}'")
    made.answers("collections", "echo '{\"collections\": []}'")
    monkeypatch.setattr(predict, "ask", lambda url, text, pin=None: predict.Scores("m", {}))
    yield made
    made.close()


@pytest.fixture
def server(fake: ServingBundles, built_bundle: Path) -> Server:
    """A server on which the sample model is live."""
    connected = Server(RealRemote(fake))
    assert deploy_model(connected, load_bundle(built_bundle)) is True
    return connected


@pytest.fixture
def bundle(built_bundle: Path) -> Bundle:
    return load_bundle(built_bundle)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This checkout's app is a small tar."""
    small_app.replace(monkeypatch, tmp_path)


def verified(server: Server, capsys: pytest.CaptureFixture[str]) -> str:
    """The line that `fab status --verify` fails with; "" if it succeeds."""
    capsys.readouterr()
    try:
        status(server, verify=True)
    except DeferredError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("file", ["head.onnx", "manifest.json", ".files.json"])
def test_damaged_live_model_is_named_and_deployed_beside_itself(
    server: Server,
    fake: ServingBundles,
    bundle: Bundle,
    file: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    damaged = fake.root / "models" / bundle.version
    (damaged / file).write_bytes(b"damaged")
    inode = (damaged / file).stat().st_ino
    words = verified(server, capsys)
    assert f"the model {bundle.version} is damaged ({file} differs): run `fab deploy-mod" in words
    capsys.readouterr()
    deploy_model(server, bundle, dry_run=True)
    assert "is already live" not in capsys.readouterr().out
    assert (damaged / file).stat().st_ino == inode

    assert deploy_model(server, bundle) is True
    live = fake.live_model()
    assert live is not None
    assert live.startswith(f"{bundle.version}-")
    assert not damaged.exists(), "nothing runs it any more"
    assert verified(server, capsys) == ""
    assert deploy_model(server, bundle) is False


def test_live_model_that_lost_its_mark_is_marked_again(
    server: Server, fake: ServingBundles, bundle: Bundle
) -> None:
    release = fake.root / "models" / bundle.version
    (release / ".complete").unlink()
    assert deploy_model(server, bundle) is False
    assert (release / ".complete").exists()
    assert fake.live_model() == bundle.version


@pytest.mark.parametrize("kind", ["memory", "head", "hash"])
def test_live_model_that_lost_its_mark_is_not_removed_whatever_its_verification_says(
    server: Server, fake: ServingBundles, bundle: Bundle, kind: str
) -> None:
    release = fake.root / "models" / bundle.version
    for name in (".complete", ".files.json"):
        (release / name).unlink()
    fake.answers("verify", f"""echo '{{"error": "no", "kind": "{kind}"}}'; exit 1""")
    with pytest.raises(DeployError, match=r"\(no\); the previous release stays live"):
        deploy_model(server, bundle)
    assert (release / "head.onnx").exists()
    fake.answers("verify", f"echo '{json.dumps(VERIFIED)}'")
    assert deploy_model(server, bundle) is False
    assert (release / ".complete").exists()


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("file", ["tox_com_det/http/routes.py", "venv/bin/python"])
def test_damaged_live_app_is_named_and_installed_beside_itself(
    server: Server,
    fake: ServingBundles,
    file: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert deploy_app(server) is True
    assert deploy_app(server) is False
    damaged = fake.root / "apps" / VERSION
    with (damaged / file).open("a") as opened:
        opened.write("#")
    words = verified(server, capsys)
    assert f"the app {VERSION} is damaged ({file} differs): run `fab deploy-app`" in words

    with pytest.raises(DeployError, match=r"is damaged \(.* differs\): run `fab deploy-app`$"):
        server.toxctl("activate", "--force").result()
    capsys.readouterr()
    deploy_app(server, dry_run=True)
    assert f"{VERSION}: {file} differs: app {VERSION} would be installed anew" in (
        capsys.readouterr().out
    )
    assert deploy_app(server) is True
    confirmed = fake.confirmed() or {}
    assert confirmed["app"] == f"{damaged}.2"
    assert confirmed["previous"]["app"].endswith("/1.0")
    assert not damaged.exists(), "nothing runs it any more"
    assert verified(server, capsys) == ""
    assert deploy_app(server) is False


@pytest.mark.usefixtures("app")
def test_model_that_is_deployed_beside_a_damaged_app_names_the_app(
    server: Server, fake: ServingBundles, built_bundle: Path, tmp_path: Path
) -> None:
    deploy_app(server)
    with (fake.root / "apps" / VERSION / "requirements.txt").open("a") as opened:
        opened.write("#")
    second = tmp_path / "second"
    second.mkdir()
    for name in ("head.onnx", "manifest.json"):
        second.joinpath(name).write_bytes((built_bundle / name).read_bytes())
    manifest = json.loads((second / "manifest.json").read_text())
    manifest["golden_outputs"]["cases"].pop()
    (second / "manifest.json").write_text(json.dumps(manifest))
    words = r"previous release stays live: the app release .* is damaged .*: run `fab deploy-app`$"
    with pytest.raises(DeployError, match=words):
        deploy_model(server, load_bundle(second))
    assert deploy_app(server) is True
    assert deploy_model(server, load_bundle(second)) is True


def test_damaged_previous_release_is_no_target_of_a_rollback(
    server: Server, fake: ServingBundles, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    (fake.root / "models" / bundle.version / "head.onnx").write_bytes(b"damaged")
    deploy_model(server, bundle)
    with pytest.raises(DeployError, match="has no release before model"):
        rollback(server)
    assert verified(server, capsys) == ""


def test_interrupted_switch_says_what_is_live_and_names_the_exact_way_back(
    server: Server, fake: ServingBundles, bundle: Bundle
) -> None:
    live = str(fake.root / "models" / bundle.version)
    before = {"app": str(fake.root / "apps/1.0"), "model": live}

    def interrupt(before: dict[str, str], to: str) -> None:
        with attempt(server, "deploy-model", "v") as now:
            now.note(**{"from": before}, to={"app": None, "model": to})
            now.enter("activate")
            raise KeyboardInterrupt

    def interrupted(before: dict[str, str], to: str) -> str:
        with pytest.raises(Interrupted) as caught:
            interrupt(before, to)
        return str(caught.value)

    words = interrupted(before, "/srv/new")
    assert f"model {bundle.version} with app 1.0 is live and no switch is running: see" in words
    assert "fab rollback" not in words
    words = interrupted({**before, "model": "/srv/old"}, live)
    assert f"the switch is complete, model {bundle.version} with app 1.0 is live: if the" in words
    assert "`fab rollback --release old` returns to the one before" in words
