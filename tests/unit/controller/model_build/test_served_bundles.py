"""Bundles of build-model, served by the app's own code, return Keras' scores in every mode."""

from __future__ import annotations

import json
import shutil
import zipfile

import bson
import h5py
import numpy as np
import pytest
from keras_files import FIXTURES, LABELS

from controller.model_build.build import build
from controller.model_build.errors import BuildError
from tox_com_det.model.bundle import read_head, read_manifest
from tox_com_det.model.head import Head
from tox_com_det.model.predictor import Predictor
from tox_com_det.store.documents import parse_row
from tox_com_det.store.vectors import Vectors

# No golden text of the builder has words of these models, which are w1, w2, ...
GIVEN = {"labels": LABELS[:3], "padding": "pre", "texts": ["w1 w2 w3 w4", "w5 w6"]}
ROWS = 30  # of the matrices of the equality matrix


class DumpRows:
    """The rows of a dump, as the database would give them."""

    def __init__(self, directory, manifest):
        embedding = manifest.embedding
        path = directory / "dump" / embedding.database / f"{embedding.collection}.bson"
        with path.open("rb") as file:
            rows = [parse_row(one, embedding) for one in bson.decode_file_iter(file)]
        self.rows = {row.word: row for row in rows}

    def find(self, words):
        return [self.rows[word] for word in words if word in self.rows]


def predictor(directory):
    manifest = read_manifest(directory)
    source = DumpRows(directory, manifest)
    head = Head(read_head(directory, manifest), manifest)
    return Predictor(manifest, head, Vectors(source, manifest.tokenizer, 100))


@pytest.fixture
def words(tmp_path):
    path = tmp_path / "words.json"
    path.write_text(json.dumps({f"w{number}": number for number in range(1, ROWS)}))
    return path


def case(name, directory, suffix=".h5", line="keras2"):
    """A model of the equality matrix, some of its texts, and Keras' scores for them."""
    with zipfile.ZipFile(FIXTURES / f"matrix_{line}.zip") as archive:
        path = archive.extract(f"{name}{suffix}", directory)
        recorded = json.loads(archive.read("scores.json"))["cases"][name]
    texts = [" ".join(f"w{token}" for token in row if token) for row in recorded["tokens"][:6]]
    return path, texts, np.array(recorded["scores"][:6])


@pytest.mark.parametrize("line", ["keras2", "keras3"])
@pytest.mark.parametrize("mode", ["split", "whole"])
@pytest.mark.parametrize("name", ["masked_lstm", "masked_gru_bidirectional", "nested"])
def test_texts_score_as_in_keras_in_both_modes(tmp_path, words, name, mode, line):
    h5, texts, expected = case(name, tmp_path, line=line)
    out = tmp_path / "bundle"
    result = build(h5, words, out, **GIVEN, mode=mode, say=lambda line: None)
    serving = predictor(out)
    assert serving.check_golden_outputs().problem == ""
    scores = [one.scores for one in serving.predict(texts)]
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)
    embedding = result.manifest.embedding
    assert embedding.dtype == ("index" if mode == "whole" else "float32")


def test_whole_mode_stores_indices_and_reports_its_memory(tmp_path, words):
    h5, _, _ = case("functional_branches", tmp_path)
    out, lines = tmp_path / "bundle", []
    manifest = build(h5, words, out, **GIVEN, mode="whole", say=lines.append).manifest
    dump = out / "dump" / "word_embeddings" / f"{manifest.embedding.collection}.bson"
    with dump.open("rb") as file:
        documents = list(bson.decode_file_iter(file))
    assert {tuple(one) for one in documents} == {("_id", "index")}
    assert manifest.embedding.special_rows == {0: bytes(4)}
    assert any(line.startswith("mode whole: the head contains the embedding") for line in lines)
    split = build(h5, words, tmp_path / "split", **GIVEN, say=lines.append).manifest
    assert split.model_version != manifest.model_version
    assert any(line.startswith("mode split: the head takes ") for line in lines)


def test_unused_rows_are_not_in_a_head_of_mode_whole(tmp_path, words):
    h5, _, _ = case("functional_branches", tmp_path)
    sizes = []
    for number in (ROWS, 5):
        options = {**GIVEN, "mode": "whole", "num_words": number}
        result = build(h5, words, tmp_path / "b", say=lambda line: None, **options)
        sizes.append(result.manifest.files["head.onnx"].bytes)
    assert sizes[0] - sizes[1] >= 25 * 5 * 4


def test_float16_vectors_are_half_the_size_and_the_difference_is_reported(tmp_path, words):
    h5, texts, expected = case("functional_branches", tmp_path)
    lines = []
    build(h5, words, tmp_path / "b", **GIVEN, dtype="float16", say=lines.append)
    serving = predictor(tmp_path / "b")
    assert serving.manifest.embedding.vector_bytes == 2 * 5
    assert serving.check_golden_outputs().problem == ""
    scores = np.array([one.scores for one in serving.predict(texts)])
    assert 0 < np.abs(scores - expected).max() < 5e-3
    assert any(line.startswith("float16 vectors change a score of the golden") for line in lines)


def test_two_embeddings_can_be_served_in_mode_whole(tmp_path, words):
    h5, texts, expected = case("two_embeddings", tmp_path)
    build(h5, words, tmp_path / "b", **GIVEN, mode="whole", say=lambda line: None)
    scores = [one.scores for one in predictor(tmp_path / "b").predict(texts)]
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
@pytest.mark.parametrize("line", ["keras2", "keras3"])
def test_every_file_format_builds_the_same_model(tmp_path, words, suffix, line):
    options = {**GIVEN, "say": lambda line: None}
    h5, _, _ = case("bidirectional_lstm_concat", tmp_path, line=line)
    version = build(h5, words, tmp_path / "b", **options).manifest.model_version
    other, _, _ = case("bidirectional_lstm_concat", tmp_path, suffix, line)
    if suffix == ".weights.h5":
        options["architecture"], _, _ = case("bidirectional_lstm_concat", tmp_path, ".json", line)
    again = build(other, words, tmp_path / "b", **options)
    assert (again.manifest.model_version, again.unchanged) == (version, False)


def test_compressed_keras_archive_is_read(tmp_path, words):
    path, _, _ = case("prelu", tmp_path, ".keras")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    tight = tmp_path / "tight.keras"
    with zipfile.ZipFile(tight, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    versions = {
        build(
            one, words, tmp_path / f"{number}", **GIVEN, say=lambda line: None
        ).manifest.model_version
        for number, one in enumerate((path, tight))
    }
    assert len(versions) == 1


# --- contradicting settings, a full disk, masks --------------------------------------------------


def tokenizer(tmp_path, **settings):
    config = {"num_words": 10, "filters": "!", "lower": True, "split": " ", "char_level": False}
    config |= {"word_index": json.dumps({f"w{number}": number for number in range(1, 20)})}
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"class_name": "Tokenizer", "config": config | settings}))
    return path


@pytest.mark.parametrize(("key", "value"), [("num_words", 12), ("lower", False), ("filters", "#")])
def test_setting_that_contradicts_the_tokenizer_is_refused(tmp_path, key, value):
    h5, _, _ = case("nested", tmp_path)
    with pytest.raises(BuildError, match=f"{key} is given as {value!r}") as caught:
        build(h5, tokenizer(tmp_path), tmp_path / "b", **GIVEN, **{key: value})
    assert f"leave out {key}" in str(caught.value)
    assert not (tmp_path / "b").exists()


def test_setting_that_equals_the_tokenizers_is_accepted(tmp_path):
    h5, _, _ = case("nested", tmp_path)
    options = {**GIVEN, "num_words": 10, "say": lambda line: None}
    manifest = build(h5, tokenizer(tmp_path), tmp_path / "b", **options).manifest
    assert (manifest.tokenizer.num_words, manifest.embedding.count) == (10, 9)


def test_mode_whole_with_float16_is_refused(tmp_path, words):
    h5, _, _ = case("nested", tmp_path)
    with pytest.raises(BuildError, match="mode whole stores no vectors in MongoDB"):
        build(h5, words, tmp_path / "b", **GIVEN, mode="whole", dtype="float16")


def test_full_disk_is_detected_before_the_dump(tmp_path, words, monkeypatch):
    h5, _, _ = case("nested", tmp_path)
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr("controller.model_build.dump.shutil.disk_usage", lambda path: usage)
    with pytest.raises(
        BuildError, match=r"0\.1 kB are free: free some space or choose another --out"
    ):
        build(h5, words, tmp_path / "b", **GIVEN, say=lambda line: None)
    assert not (tmp_path / "b").exists()


def test_out_below_a_file_is_a_one_line_error(tmp_path, words):
    h5, _, _ = case("nested", tmp_path)
    with pytest.raises(BuildError, match=r"Not a directory|File exists") as caught:
        build(h5, words, words / "below" / "b", **GIVEN)
    assert "\n" not in str(caught.value)


def test_average_of_a_text_without_a_known_word_is_0_and_said(
    make_h5, small_layers, small_weights, words
):
    """Keras gives NaN there, which no service can answer with."""
    small_layers[0]["config"]["mask_zero"] = True
    small_layers[1]["class_name"] = "GlobalAveragePooling1D"
    small_weights["dense"]["bias"] = np.array([0.5, -1.0], np.float32)
    path = make_h5(small_layers, small_weights)
    lines: list[str] = []
    labels = ["a", "b"]
    texts = ["?!", "w1 w2 w3", "w10 w11"]
    built = build(
        path, words, path.parent / "b", labels=labels, padding="pre", say=lines.append, texts=texts
    )
    assert any("Keras divides 0 by 0" in line and "the head takes 0" in line for line in lines)
    scores = {case.text: case.scores for case in built.manifest.golden_outputs.cases}
    assert scores["?!"] == pytest.approx(1 / (1 + np.exp([-0.5, 1.0])), abs=1e-6)


def test_softmax_layer_of_a_masked_input_is_refused(make_h5, small_layers, small_weights, words):
    small_layers[0]["config"]["mask_zero"] = True
    small_layers.insert(1, {"class_name": "Softmax", "config": {"name": "soft", "axis": -1}})
    path = make_h5(small_layers, small_weights)
    with pytest.raises(BuildError, match=r"layer 1 \(Softmax 'soft'\) .* its input has a mask"):
        build(path, words, path.parent / "b", labels=["a", "b"])


def test_mask_that_crosses_into_a_nested_model_is_refused_if_it_has_an_effect(
    make_h5, small_layers, small_weights, words
):
    small_layers[0]["config"]["mask_zero"] = True
    inside = [{"class_name": "LSTM", "config": {"name": "memory", "units": 6}}]
    nested = {"class_name": "Sequential", "config": {"name": "inner", "layers": inside}}
    small_layers[1] = nested
    path = make_h5([*small_layers], small_weights)
    with h5py.File(path, "r+") as file:
        group = file["model_weights/inner"]
        shapes = {"kernel": (6, 24), "recurrent_kernel": (6, 24), "bias": (24,)}
        for name, shape in shapes.items():
            group[f"memory/{name}:0"] = np.zeros(shape, np.float32)
        group.attrs["weight_names"] = [f"memory/{name}:0".encode() for name in shapes]
    with pytest.raises(
        BuildError, match=r"layer 1\.0 \(LSTM 'memory'\).*boundary of a nested model"
    ):
        build(path, words, path.parent / "b", labels=["a", "b"])
