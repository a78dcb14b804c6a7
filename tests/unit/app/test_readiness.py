"""/readyz: ready only if head, manifest and collection agree and the golden outputs match."""

import json

import pytest
from fake_database import FakeDatabase
from tiny_bundle import TinyBundle

from tox_com_det import __version__
from tox_com_det.http.routes import create_app
from tox_com_det.model.bundle import BundleError
from tox_com_det.model.head import HeadError
from tox_com_det.model.manifest import ManifestError
from tox_com_det.settings import Settings

OK = dict.fromkeys(("manifest", "head", "collection", "golden_outputs"), "ok")


def failed(client, check):
    """The message of the one check that failed."""
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json["status"] == "not ready"
    assert response.json["error"]["code"] == "not_ready"
    names = list(response.json["checks"])
    behind = names[names.index(check) + 1 :]
    assert all(response.json["checks"][name] == "not checked" for name in behind)
    words = response.json["checks"][check]
    assert response.json["error"]["message"] == f"{check}: {words}"
    return words


def test_ready_when_everything_matches(client, bundle):
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json == {
        "status": "ready",
        "model": bundle.load().model_version,
        "checks": OK,
        "app": __version__,
    }


def test_not_ready_while_the_database_is_down(client, database):
    database.away = True
    assert "does not answer" in failed(client, "collection")
    database.away = False
    assert client.get("/readyz").status_code == 200


def test_not_ready_with_another_collection_and_the_cache_is_emptied(client, database):
    client.post("/predict", json={"text": "you"})
    database.problem = "checksum differs"
    assert failed(client, "collection") == "checksum differs"
    assert client.post("/predict", json={"text": "you"}).status_code == 503


def test_not_ready_when_another_embedding_gives_other_scores(model):
    client = create_app(Settings(model=model), FakeDatabase(TinyBundle(seed=8))).test_client()
    assert failed(client, "golden_outputs").startswith("golden output 0: ")


def test_not_ready_when_a_word_of_a_golden_output_is_missing(model):
    database = FakeDatabase(TinyBundle())
    del database.rows["awful"]
    client = create_app(Settings(model=model), database).test_client()
    assert failed(client, "golden_outputs").startswith("golden output 1: ")


def test_not_ready_when_the_head_on_disk_changed(client, model):
    (model / "head.onnx").write_bytes(b"other")
    assert "sha256" in failed(client, "head")
    (model / "head.onnx").unlink()
    assert "No such file" in failed(client, "head")
    assert "run `fab deploy-model`" in failed(client, "head")


def test_not_ready_when_the_manifest_on_disk_changed(client, model):
    data = json.loads((model / "manifest.json").read_text())
    data["name"] = "other"
    (model / "manifest.json").write_text(json.dumps(data))
    assert "changed after it was loaded" in failed(client, "manifest")
    assert "run `fab deploy-model`" in failed(client, "manifest")
    (model / "manifest.json").write_text("{")
    assert "not JSON" in failed(client, "manifest")
    assert "run `fab deploy-model`" in failed(client, "manifest")
    (model / "manifest.json").unlink()
    assert "run `fab deploy-model`" in failed(client, "manifest")


def test_a_head_that_is_not_the_manifests_is_not_loaded(model, database):
    (model / "head.onnx").write_bytes(TinyBundle(seed=9).head())
    with pytest.raises(BundleError, match="fab deploy-model"):
        create_app(Settings(model=model), database)


def test_a_head_built_with_another_embedding_is_not_loaded(tmp_path, database):
    bundle = TinyBundle(metadata={"embedding_checksum": "sha256:" + "0" * 64})
    with pytest.raises(HeadError, match="embedding_checksum"):
        create_app(Settings(model=bundle.write(tmp_path / "mix")), database)


def test_an_empty_directory_is_not_loaded(tmp_path, database):
    with pytest.raises(ManifestError, match=r"manifest\.json"):
        create_app(Settings(model=tmp_path), database)
