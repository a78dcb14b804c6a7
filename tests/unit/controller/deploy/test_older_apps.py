"""Apps that are older than a bundle: refused before the switch, with the command that helps.

The app that verifies is this checkout's, made to know no optional keys of a manifest.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import small_app
from real_toxctl import VERIFIED, RealRemote, ServingBundles

from controller.deploy.bundle import Bundle, load_bundle
from controller.deploy.errors import DeployError
from controller.deploy.paths import APP_PACKAGE
from controller.deploy.server import Server
from controller.deploy.tasks.deploy_app import deploy_app
from controller.deploy.tasks.deploy_model import deploy_model
from controller.model_build.score_maps import set_maps
from tox_com_det.model.score_map import ScoreMap

OPTIONAL = 'optional="languages score_maps"'


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[ServingBundles]:
    made = ServingBundles(tmp_path / "server")
    made.answers("verify", f"echo '{json.dumps(VERIFIED)}'")
    made.answers("collections", "echo '{\"collections\": []}'")
    yield made
    made.close()


@pytest.fixture
def server(fake: ServingBundles) -> Server:
    return Server(RealRemote(fake))


@pytest.fixture
def mapped(built_bundle: Path, tmp_path: Path) -> Bundle:
    """A bundle with score maps."""
    directory = Path(shutil.copytree(built_bundle, tmp_path / "mapped"))
    set_maps(directory, {"TOXICITY": ScoreMap((0.0, 1.0), (0.0, 1.0))})
    return load_bundle(directory)


def verify_with_an_older_app(fake: ServingBundles, directory: Path) -> None:
    """Let the server's app be an older one whenever it verifies a model."""
    # Python moves files in __pycache__ while other tests import.
    compiled = shutil.ignore_patterns("__pycache__")
    copy = shutil.copytree(APP_PACKAGE, directory / "older" / "tox_com_det", ignore=compiled)
    package = Path(copy)
    manifest = package / "model" / "manifest.py"
    text = manifest.read_text()
    assert text.count(OPTIONAL) == 1
    manifest.write_text(text.replace(OPTIONAL, 'optional=""'))
    environment = f"PYTHONPATH={package.parent} TOX_COM_DET_MONGODB_URI=mongodb://127.0.0.1:9"
    fake.answers("verify", f'{environment} exec {sys.executable} "$@"')


def test_a_bundle_with_keys_that_the_live_app_does_not_read_is_refused_before_the_switch(
    server: Server, fake: ServingBundles, built_bundle: Path, mapped: Bundle, tmp_path: Path
) -> None:
    first = load_bundle(built_bundle)
    deploy_model(server, first)
    verify_with_an_older_app(fake, tmp_path)
    with pytest.raises(DeployError) as caught:
        deploy_model(server, mapped)
    words = str(caught.value)
    assert "unknown key" in words
    assert "the previous release stays live" in words
    assert words.endswith("run `fab deploy-app`, whose app reads it, then rerun `fab deploy-model`")
    assert words.count("`fab deploy-model`") == 1
    assert fake.live_model() == first.version
    assert not (fake.root / "models" / mapped.version).exists()


def test_an_app_that_does_not_read_the_live_bundle_is_refused_before_the_switch(
    server: Server,
    fake: ServingBundles,
    mapped: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deploy_model(server, mapped)
    before = fake.confirmed()
    small_app.replace(monkeypatch, tmp_path)
    verify_with_an_older_app(fake, tmp_path)
    with pytest.raises(DeployError) as caught:
        deploy_app(server)
    words = str(caught.value)
    assert words.startswith(f"app {small_app.VERSION} did not go live on nanode (")
    assert "unknown key" in words
    assert "the previous release stays live: use the checkout that built the live model" in words
    assert words.endswith("run `fab deploy-model` first")
    assert words.count("`fab deploy-model`") == 1
    assert fake.confirmed() == before
    assert fake.live_model() == mapped.version


def test_a_head_that_the_live_app_does_not_take_leads_to_a_newer_app(
    server: Server, fake: ServingBundles, built_bundle: Path, mapped: Bundle
) -> None:
    """A head with sequences of any length (`least_padding`), and an app of before."""
    first = load_bundle(built_bundle)
    deploy_model(server, first)
    words = "head.onnx and manifest.json disagree: its input is batch x length"
    refusal = json.dumps({"error": words, "kind": "head"})
    fake.answers("verify", f"echo '{refusal}'; exit 1")
    with pytest.raises(DeployError) as caught:
        deploy_model(server, mapped)
    said = str(caught.value)
    assert words in said
    assert "the previous release stays live" in said
    assert said.index("`fab deploy-app`") < said.index("`fab build-model`")
    assert fake.live_model() == first.version
