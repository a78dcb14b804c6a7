"""Modes (float32, float16, indices, masks): restored, ready, with the right scores."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tiny_bundle import TinyBundle

from tox_com_det.model.bundle import read_head, read_manifest
from tox_com_det.model.head import Head, HeadError
from tox_com_det.model.manifest import ManifestError
from tox_com_det.model.predictor import Predictor
from tox_com_det.readiness import check_readiness
from tox_com_det.store.database import EmbeddingDatabase
from tox_com_det.store.restore import main
from tox_com_det.store.vectors import Vectors

MODES = [("float32", False), ("float32", True), ("float16", False), ("float16", True)]
MODES += [("index", False)]


def predictor(directory, source):
    manifest = read_manifest(directory)
    vectors = Vectors(source, manifest.tokenizer, 100)
    return Predictor(manifest, Head(read_head(directory, manifest), manifest), vectors)


@pytest.mark.parametrize(("dtype", "masked"), MODES)
def test_every_mode_is_restored_ready_and_scores_correctly(
    stored_bundle, server, monkeypatch, tmp_path, dtype, masked
):
    stored_bundle.dtype, stored_bundle.masked = dtype, masked
    directory = stored_bundle.write(tmp_path / "bundle")
    monkeypatch.setenv("TOX_COM_DET_MONGODB_URI", server.uri)
    options = ["--dump", str(directory / "dump"), "--manifest", str(directory / "manifest.json")]
    assert main(options) == 0
    assert main([*options, "--check-only"]) == 0
    database = EmbeddingDatabase(server.uri, 2000, read_manifest(directory).embedding)
    serving = predictor(directory, database)
    readiness = check_readiness(directory, serving, database.verify)
    assert readiness.ready, readiness.problem
    words = ["you", "are", "awful"]
    (found, empty, long) = serving.predict([" ".join(words), "", " ".join(words * 5)])
    np.testing.assert_allclose(found.scores, stored_bundle.scores(words), atol=1e-6)
    np.testing.assert_allclose(empty.scores, stored_bundle.scores([]), atol=1e-6)
    np.testing.assert_allclose(long.scores, stored_bundle.scores(words * 5), atol=1e-6)
    assert (found.known, found.used, empty.used, long.used) == (3, 3, 0, stored_bundle.length)
    database.close()


def test_mask_follows_the_side_of_the_padding(bundle, database):
    bundle.masked = True
    data = bundle.manifest()
    manifest = type(bundle.load()).from_dict(data)
    head = Head(bundle.head(), manifest)
    seen = []

    class Spy:
        masked = True
        least_padding = None

        def run(self, inputs):
            seen.append(inputs["mask"].tolist())
            return head.run(inputs)

    Predictor(manifest, Spy(), Vectors(database, manifest.tokenizer, 9)).predict(["you are", ""])
    assert seen == [[[0, 0, 0, 0, 1, 1], [0] * 6]]


def test_indices_and_vectors_are_not_mixed_up():
    whole, split = TinyBundle(dtype="index"), TinyBundle()
    with pytest.raises(HeadError, match="its inputs are"):
        Head(split.head(), whole.load())
    with pytest.raises(HeadError, match="its inputs are"):
        Head(whole.head(), split.load())


def test_documents_in_another_mode_are_refused(
    stored_bundle, server, monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("TOX_COM_DET_MONGODB_URI", server.uri)
    directory = stored_bundle.write(tmp_path / "bundle")
    manifest = tmp_path / "manifest.json"
    whole = TinyBundle(dtype="index", database=stored_bundle.database)
    dump = directory / "dump" / stored_bundle.database
    next(dump.glob("*.bson")).rename(dump / f"{whole.collection}.bson")
    manifest.write_text(json.dumps(whole.manifest()))
    assert main(["--dump", str(directory / "dump"), "--manifest", str(manifest)]) == 1
    assert "['_id', 'index', 'vector'], expected _id, index" in capsys.readouterr().err


def test_dtype_index_has_dimension_1():
    data = TinyBundle(dtype="index").manifest()
    data["embedding"]["dimension"] = 4
    with pytest.raises(ManifestError, match="dimension"):
        type(TinyBundle().load()).from_dict(data)


def test_a_missing_mask_is_an_error():
    bundle = TinyBundle(masked=True)
    head = Head(bundle.head(), bundle.load())
    vectors = np.zeros((1, bundle.length, bundle.dimension), np.float32)
    with pytest.raises(ValueError, match=r"expected \['mask', 'vectors'\]"):
        head.run({"vectors": vectors})
