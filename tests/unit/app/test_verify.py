"""Verification of a model before it goes live: each fault has its kind."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper
from pymongo import MongoClient
from tiny_bundle import LABELS, TinyBundle

from tox_com_det.store import verify as module
from tox_com_det.store.maintenance import drop
from tox_com_det.store.restore import main as restore
from tox_com_det.store.verify import main


@pytest.fixture
def bundle(stored_bundle):
    return stored_bundle


@pytest.fixture(autouse=True)
def database(server, bundle, model, monkeypatch):
    """The database with the model's vectors."""
    monkeypatch.setenv("TOX_COM_DET_MONGODB_URI", server.uri)
    manifest, dump = model / "manifest.json", model / "dump"
    assert restore(["--manifest", str(manifest), "--dump", str(dump), "--tool", "pymongo"]) == 0
    with MongoClient(server.uri) as client:
        yield client[bundle.database]


@pytest.fixture
def failed(model, capsys):
    """Verify, and return kind and message of the failure."""

    def run(directory=model):
        capsys.readouterr()
        assert main(["--model", str(directory)]) == 1
        out = capsys.readouterr().out
        assert out.count("\n") == 1
        answer = json.loads(out)
        assert answer.keys() == {"error", "kind"}
        assert "\n" not in answer["error"]
        return answer["kind"], answer["error"]

    return run


def faulty(tmp_path, bundle, **changes):
    """A model in another directory that is valid but for the changes."""
    other = replace(bundle, **changes)
    return other, other.write(tmp_path / "faulty")


def test_a_valid_model_reports_what_was_found(model, bundle, capsys):
    capsys.readouterr()
    assert main(["--model", str(model)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.pop("worst") <= 1e-4
    assert 10_000_000 < found.pop("peak_bytes") < 4e9
    assert found == {
        "golden_outputs": 2,
        "collection": f"{bundle.database}.{bundle.collection}",
        "count": 10,
    }


def test_the_servers_settings_are_checked_and_its_live_model_is_ignored(
    model, failed, monkeypatch, capsys
):
    monkeypatch.setenv("TOX_COM_DET_MODEL", "/live")
    assert main(["--model", str(model)]) == 0
    monkeypatch.setenv("TOX_COM_DET_MAX_TEXT", "3")
    kind, words = failed()
    assert kind == "other"
    assert "TOX_COM_DET_MAX_TEXT is not a setting" in words
    assert "ansible-playbook site.yml --tags flask_app" in words


def test_a_missing_or_changed_manifest(model, tmp_path, failed):
    kind, words = failed(tmp_path)
    assert kind == "manifest"
    assert words.endswith("No such file or directory: run `fab deploy-model` again")
    manifest = model / "manifest.json"
    text = manifest.read_text()
    assert bundle_changes(manifest, text.replace('"pre"', '"prf"', 1), failed) == "manifest"
    assert bundle_changes(manifest, text.replace('"pre"', '"post"', 1), failed) == "manifest"
    assert bundle_changes(manifest, text[:-1], failed) == "manifest"


def bundle_changes(manifest, text, failed):
    """The kind of failure after the manifest was replaced by `text`."""
    manifest.write_text(text)
    kind, words = failed()
    assert "`fab " in words
    return kind


def test_a_missing_or_changed_head(model, failed):
    head = model / "head.onnx"
    content = bytearray(head.read_bytes())
    content[len(content) // 2] ^= 1
    head.write_bytes(content)
    kind, words = failed()
    assert kind == "hash"
    assert "head.onnx: sha256 is" in words
    assert "`fab deploy-model`" in words
    head.unlink()
    kind, words = failed()
    assert kind == "hash"
    assert words.endswith("No such file or directory: run `fab deploy-model` again")


def test_a_head_with_another_models_manifest(model, failed):
    (model / "manifest.json").write_text(json.dumps(TinyBundle(seed=8).manifest()))
    assert failed()[0] == "hash"


def test_a_head_that_cannot_be_loaded(bundle, tmp_path, failed, monkeypatch):
    monkeypatch.setattr(TinyBundle, "head", lambda self: b"no graph at all")
    kind, words = failed(bundle.write(tmp_path / "faulty"))
    assert kind == "head"
    assert words.startswith("head.onnx cannot be loaded")
    assert "`fab build-model`" in words


def test_a_head_built_with_another_embedding(bundle, tmp_path, failed):
    _, model = faulty(tmp_path, bundle, metadata={"embedding_checksum": "sha256:" + "0" * 64})
    kind, words = failed(model)
    assert kind == "head"
    assert "embedding_checksum" in words


def test_a_head_that_loads_but_scores_wrongly(bundle, tmp_path, failed, monkeypatch):
    true = bundle.bias.copy()
    plain = TinyBundle.head

    def head(self):
        self.bias = true + np.float32([0, 0, 0, 0.01, 0, 0])
        content = plain(self)
        self.bias = true
        return content

    monkeypatch.setattr(TinyBundle, "head", head)
    kind, words = failed(bundle.write(tmp_path / "faulty"))
    assert kind == "answers"
    assert LABELS[3] in words
    assert "tolerance 0.0001" in words
    assert "`fab build-model`" in words


def test_a_head_that_returns_nan(bundle, tmp_path, failed, monkeypatch):
    plain = TinyBundle.head

    def head(self):
        true, self.bias = self.bias, self.bias * np.float32("nan")
        content = plain(self)
        self.bias = true
        return content

    monkeypatch.setattr(TinyBundle, "head", head)
    kind, words = failed(bundle.write(tmp_path / "faulty"))
    assert kind == "head"
    assert "not a number" in words


def test_a_head_that_needs_more_memory_than_any_machine_has(bundle, tmp_path, failed, monkeypatch):
    monkeypatch.setattr(TinyBundle, "head", lambda self: hungry_head(self, 2**50))
    kind, words = failed(bundle.write(tmp_path / "faulty"))
    assert kind == "memory"
    assert "does not fit into memory" in words


def hungry_head(bundle, size):
    """A head that matches the manifest and allocates a tensor of `size` bytes when it runs."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["vectors"], ["one"], axes=[0, 1, 2], keepdims=0),
            helper.make_node("Shape", ["vectors"], ["shape"]),
            helper.make_node("ReduceProd", ["shape"], ["product"], axes=[0], keepdims=1),
            helper.make_node("Div", ["product", "product"], ["unit"]),
            helper.make_node("Mul", ["unit", "size"], ["many"]),
            helper.make_node("Expand", ["one", "many"], ["large"]),
            helper.make_node("Sigmoid", ["large"], ["larger"]),
            helper.make_node("ReduceMax", ["larger"], ["largest"], axes=[0], keepdims=0),
            helper.make_node("ReduceMean", ["vectors"], ["mean"], axes=[1], keepdims=0),
            helper.make_node("MatMul", ["mean", "kernel"], ["product2"]),
            helper.make_node("Add", ["product2", "largest"], ["logits"]),
            helper.make_node("Sigmoid", ["logits"], ["scores"]),
        ],
        "hungry",
        [
            helper.make_tensor_value_info(
                "vectors", TensorProto.FLOAT, ["batch", bundle.length, bundle.dimension]
            )
        ],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 6])],
        [
            helper.make_tensor("size", TensorProto.INT64, [1], [size // 4]),
            helper.make_tensor(
                "kernel", TensorProto.FLOAT, bundle.kernel.shape, bundle.kernel.ravel().tolist()
            ),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    helper.set_model_props(
        model,
        {
            "embedding_checksum": bundle.checksum,
            "labels": json.dumps(bundle.labels),
            "sequence_length": str(bundle.length),
        },
    )
    return model.SerializeToString()


def test_a_collection_that_is_missing_unmarked_incomplete_or_different(bundle, database, failed):
    collection, marker = database[bundle.collection], database.restored.find_one()

    def refused(words, command="run `fab restore-embeddings`"):
        kind, error = failed()
        assert kind == "collection"
        assert words in error
        assert error.endswith(command)

    collection.insert_one({"_id": "zzz", "index": 11, "vector": b"0" * 16})
    refused("has 11 words, the manifest says 10")
    collection.delete_many({"_id": {"$in": ["zzz", "work"]}})
    refused("has 9 words, the manifest says 10")
    collection.insert_one({"_id": "work", "index": 8})  # no golden output uses it
    database.restored.update_one({}, {"$set": {"checksum": "sha256:" + "0" * 64}})
    refused("has checksum")
    database.restored.replace_one({}, marker)
    collection.update_one({"_id": "you"}, {"$set": {"vector": b"short"}})
    # Marker and count are right: without the option nothing would be restored.
    refused("expected 16 bytes", "run `fab restore-embeddings --verify`")
    drop(database, bundle.collection)
    refused("is not restored")
    database.restored.insert_one(marker)
    refused("has a marker but no documents")


def test_a_changed_vector_of_a_golden_output(bundle, database, failed):
    database[bundle.collection].update_one(
        {"_id": "awful"}, {"$set": {"vector": bundle.vectors["great"].tobytes()}}
    )
    kind, words = failed()
    assert kind == "answers"
    assert "golden output 1" in words
    assert "run `fab restore-embeddings --verify`, which compares every word; if it" in words


def test_an_unreachable_database_is_one_line_without_the_password(failed, monkeypatch):
    monkeypatch.setattr(module, "_DATABASE_MS", 200)
    monkeypatch.setenv("TOX_COM_DET_MONGODB_URI", "mongodb://u:secret@127.0.0.1:9/?authSource=a")
    kind, words = failed()
    assert kind == "database"
    assert "does not answer: see `systemctl status" in words
    assert "secret" not in words


def test_an_unexpected_error_is_one_line(failed, monkeypatch):
    monkeypatch.setattr(module, "read_manifest", lambda directory: 1 / 0)
    assert failed() == ("other", "ZeroDivisionError: division by zero")


def test_the_module_runs_as_a_command(model):
    def run(*options):
        return subprocess.run(  # noqa: S603 - this interpreter
            [sys.executable, "-m", "tox_com_det.store.verify", *options],
            capture_output=True,
            text=True,
            check=False,
        )

    done = run("--model", str(model))
    assert done.returncode == 0
    assert done.stderr == ""
    assert json.loads(done.stdout)["golden_outputs"] == 2
    assert run().returncode == 2
