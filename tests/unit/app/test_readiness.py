"""/readyz: ready only if head, manifest and collection agree and the golden outputs match."""

import json
import threading
import time

import pytest
from fake_database import FakeDatabase
from tiny_bundle import TinyBundle

from tox_com_det import __version__
from tox_com_det.http.probes import MOST_WAITING, Shared, is_own
from tox_com_det.http.routes import create_app
from tox_com_det.http.turns import Busy
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


STRANGER = {"REMOTE_ADDR": "192.0.2.1"}


def test_strangers_share_one_check_a_second(client, database, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("tox_com_det.http.probes.time.monotonic", lambda: now[0])
    assert client.get("/readyz", environ_base=STRANGER).status_code == 200
    database.away = True
    now[0] += 0.99
    assert client.get("/readyz", environ_base=STRANGER).status_code == 200
    now[0] += 0.01
    assert client.get("/readyz", environ_base={"REMOTE_ADDR": "2001:db8::1"}).status_code == 503
    database.away = False
    assert client.get("/readyz", environ_base=STRANGER).status_code == 503


def test_deploys_and_loopback_get_a_check_of_their_own(client, database):
    assert client.get("/readyz", environ_base=STRANGER).status_code == 200
    database.away = True
    assert client.get("/readyz", environ_base={"REMOTE_ADDR": "127.0.0.1"}).status_code == 503
    probe = {**STRANGER, "HTTP_X_TOX_COM_DET_CLIENT": "probe"}
    assert client.get("/readyz", environ_base=probe).status_code == 503


@pytest.mark.parametrize(
    ("client", "own"),
    [
        ("probe", True),
        ("127.0.0.9", True),
        ("192.0.2.1", False),
        ("2001:db8::/64", False),
        ("::/64", True),
    ],
)
def test_which_clients_are_this_servers(client, own):
    assert is_own(client) is own


def test_who_asks_while_it_is_checked_gets_the_same_result():
    begun, end = threading.Event(), threading.Event()
    checks = []

    def check():
        begun.set()
        end.wait()
        checks.append(object())
        return checks[-1]

    # None of them comes so late, or is woken so late, that another check is due.
    shared = Shared(check, seconds=300)
    found = []
    threads = [threading.Thread(target=lambda: found.append(shared.get())) for _ in range(5)]
    for one in threads:
        one.start()
    begun.wait()
    end.set()
    for one in threads:
        one.join()
    assert found == [checks[0]] * 5


def test_beyond_some_that_wait_others_are_refused_at_once(monkeypatch):
    # None of them has waited for too long when the last one has its place.
    monkeypatch.setattr("tox_com_det.http.probes.WAIT_SECONDS", 300.0)
    end = threading.Event()
    shared = Shared(end.wait)
    threads = [threading.Thread(target=shared.get) for _ in range(MOST_WAITING)]
    for one in threads:
        one.start()
    while shared._places._value:  # until each of them has its place
        time.sleep(0.001)
    with pytest.raises(Busy):
        shared.get()
    end.set()
    for one in threads:
        one.join()
    assert shared.get()


def test_a_check_that_fails_is_not_kept():
    results = iter([ValueError("first"), "second"])

    def check():
        found = next(results)
        if isinstance(found, Exception):
            raise found
        return found

    shared = Shared(check)
    with pytest.raises(ValueError, match="first"):
        shared.get()
    assert shared.get() == "second"
