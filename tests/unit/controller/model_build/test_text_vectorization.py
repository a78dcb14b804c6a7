"""Models with a TextVectorization inside, against what Keras 2.15 and Keras 3 made of texts."""

from __future__ import annotations

import json
import shlex
import shutil
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from keras_files import FIXTURES

from controller.deploy.errors import DeployError
from controller.deploy.model_builder import build_bundle
from controller.model_build.__main__ import main
from controller.model_build.build import build
from controller.model_build.errors import BuildError, UnsupportedLayer
from controller.model_build.inspect_file import inspect
from controller.model_build.settings import make_settings
from controller.model_build.text_vectorization import PUNCTUATION, holds_words, read_vectorization
from tox_com_det.model.bundle import read_manifest
from tox_com_det.model.tokenizer import pad_sequence

ARCHIVES = sorted(FIXTURES.glob("texts_keras*.zip"))


@cache
def recorded(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("scores.json"))


def members(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return [name for name in archive.namelist() if name != "scores.json"]


MODELS = [
    pytest.param(path, name, id=f"{path.stem.removeprefix('texts_')}-{name}")
    for path in ARCHIVES
    for name in members(path)
]


@pytest.fixture
def model(tmp_path: Path):
    """A function that gives a recorded model as a file, with Keras' scores beside it."""

    def unpack(path: Path, name: str) -> Path:
        with zipfile.ZipFile(path) as archive:
            file = Path(archive.extract(name, tmp_path))
        one = recorded(path)["cases"][file.stem]
        reference = {"keras": recorded(path)["keras"], "texts": recorded(path)["texts"]}
        (tmp_path / "reference.json").write_text(
            json.dumps(reference | {"scores": one["scores"]}), encoding="utf-8"
        )
        return file

    return unpack


def built(file: Path, **options: Any):
    out = file.parent / "bundle"
    options = {"labels": "a,b,c", "accept_unusual": True, "say": lambda line: None} | options
    return build(file, None, out, **options).manifest


@pytest.mark.parametrize(("path", "name"), MODELS)
def test_scores_of_texts_equal_keras(model, path, name):
    mode = "whole" if name in ("masked.keras", "given.h5") else "split"
    manifest = built(model(path, name), mode=mode)
    outputs = {case.text: case for case in manifest.golden_outputs.cases}
    expected = np.array(recorded(path)["cases"][Path(name).stem]["scores"])
    found = np.array([outputs[text].scores for text in recorded(path)["texts"]])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert expected.max() - expected.min() > 0.5


@pytest.mark.parametrize(("path", "name"), MODELS)
def test_word_indices_equal_keras(model, path, name):
    file = model(path, name)
    index = read_vectorization(file, None)
    rules = make_settings("", index.settings).tokenizer()
    numbers = map(int, index.indices)
    words = dict(zip((word.decode() for word in index.words), numbers, strict=True))
    expected = recorded(path)["cases"][file.stem]["indices"]
    for text, indices in zip(recorded(path)["texts"], expected, strict=True):
        sequence = rules.sequence(text, words)
        assert pad_sequence(sequence, len(indices), 0, "post", "post") == indices, text


def test_both_keras_are_recorded():
    assert [recorded(path)["keras"].split(".")[0] for path in ARCHIVES] == ["2", "3"]


def test_manifest_names_the_style_and_the_layers_own_settings(model):
    manifest = built(model(ARCHIVES[1], "adapted.keras"))
    tokenizer = manifest.to_dict()["tokenizer"]
    assert tokenizer["style"] == "text_vectorization"
    assert tokenizer["filters"] == PUNCTUATION
    assert tokenizer["oov_token"] == "[UNK]"  # noqa: S105 (a word, not a secret)
    sequence = manifest.sequence
    assert (sequence.length, sequence.padding, sequence.truncating) == (7, "post", "post")


@pytest.mark.parametrize("path", ARCHIVES, ids=lambda path: path.stem)
def test_inspection_reads_the_words_in_the_model_and_its_command_builds_it(model, path):
    file = model(path, "adapted.keras")
    (file.parent / "reference.json").unlink()
    report = inspect(file)
    said = "\n".join(report.text(file))
    assert report.fits
    for part in (
        "word index: in the model, a TextVectorization",
        "7 tokens (model), padding post (model), truncating post (model)",
        "unknown words read as '[UNK]' (model)",
        "to state: what its 3 scores mean, --labels",
    ):
        assert part in said
    for part in ("--word-index", "--padding", "--oov-token"):
        assert part not in said
    out = file.parent / "bundle"
    command = [*shlex.split(report.next)[2:], "--out", str(out), "--accept-unusual"]
    assert main(command) == 0
    settings = read_manifest(out).built_with["settings"]
    assert "padding post (model)" in settings
    assert "unknown words read as '[UNK]' (model)" in settings


def test_inspection_assumes_nothing_where_the_layer_is_refused(model):
    whole = model(ARCHIVES[1], "adapted.keras")
    file = changed(whole, split="character")
    report = inspect(file)
    assert ["split" in one for one in report.obstacles] == [True]
    assert "assumed" not in "\n".join(report.text(file))
    counts = inspect(changed(whole, output_mode="tf_idf"))
    assert "output_mode" in counts.obstacles[0]
    assert "numbers for a text" not in "\n".join(counts.obstacles)


def test_word_index_beside_a_model_with_words_is_left_alone(model):
    file = model(ARCHIVES[1], "adapted.keras")
    words = file.parent / "word_index.json"
    words.write_text(json.dumps({"you": 1, "are": 2}))
    report = inspect(file)
    assert report.fits
    assert f"{words} is not read: the model holds its words" in report.lines
    said = []
    build_bundle(
        str(file), None, file.parent / "b", labels="a,b,c", accept_unusual=True, say=said.append
    )
    assert f"{words} is not read: the model holds its words" in said
    other = words.rename(file.parent / "other.json")
    assert not inspect(file, word_index=other).fits
    with pytest.raises(DeployError, match="leave out --word-index"):
        build_bundle(str(file), str(other), file.parent / "b", labels="a,b,c", say=said.append)


@pytest.mark.parametrize("option", [{"padding": "pre"}, {"oov_token": None}, {"num_words": 30}])
def test_option_that_contradicts_the_layer_is_to_be_left_out(model, option):
    file = model(ARCHIVES[1], "adapted.keras")
    (key,) = option
    with pytest.raises(BuildError, match=f"in its TextVectorization: leave out {key}$"):
        built(file, **option, no_oov_token=key == "oov_token")
    (file.parent / "build_settings.json").write_text(json.dumps(option))
    assert inspect(file).obstacles[0].endswith(f"in its TextVectorization: leave out {key}")


def changed(file: Path, **options: Any) -> Path:
    """The archive with other options of its TextVectorization."""
    other = file.with_name("changed.keras")
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(other, "w") as target:
        for info in source.infolist():
            content = source.read(info)
            if info.filename == "config.json":
                config = json.loads(content)
                for layer in config["config"]["layers"]:
                    if layer["class_name"] == "TextVectorization":
                        layer["config"].update(options)
                content = json.dumps(config).encode()
            target.writestr(info, content)
    return other


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (
            {"standardize": {"config": "clean", "registered_name": "function"}},
            "standardize is 'clean'",
        ),
        ({"split": "character"}, "split is 'character'"),
        ({"split": None}, "split is None"),
        ({"ngrams": [1, 2]}, r"ngrams is \[1, 2\]"),
        ({"output_mode": "tf_idf"}, "output_mode is 'tf_idf'"),
        ({"output_sequence_length": None}, "no output_sequence_length"),
        ({"ragged": True}, "ragged is True"),
        ({"encoding": "latin-1"}, "encoding is 'latin-1'"),
        ({"vocabulary": ["you", "you"]}, "holds a word twice"),
        ({"vocabulary": [1, 2]}, "not a list of words"),
        ({"new_option": 1}, "new_option=1 is unknown"),
    ],
)
@pytest.mark.parametrize("path", ARCHIVES)
def test_other_options_are_refused_by_name(model, path, options, named):
    with pytest.raises(UnsupportedLayer, match=named):
        built(changed(model(path, "adapted.keras"), **options))


@pytest.mark.parametrize("path", ARCHIVES, ids=lambda path: path.stem)
def test_few_words_in_a_model_are_its_own(model, path):
    """max_tokens may be far above the words of a small training: no other file has them."""
    file = changed(model(path, "adapted.keras"), vocabulary=["you", "are"])
    (file.parent / "reference.json").unlink()
    assert built(file, accept_unusual=False, languages="tr").embedding.count == 3


def test_refusal_says_how_to_go_on(model):
    file = changed(model(ARCHIVES[0], "adapted.keras"), split="character")
    with pytest.raises(UnsupportedLayer, match="without this layer and give --word-index"):
        built(file)


def test_h5_without_the_words_is_refused(model):
    file = model(ARCHIVES[1], "given.h5")
    with h5py.File(file, "r+") as content:
        config = content.attrs["model_config"]
        text = config if isinstance(config, str) else config.decode()
        data = json.loads(text)
        data["config"]["layers"][1]["config"]["vocabulary"] = None
        content.attrs["model_config"] = json.dumps(data)
    with pytest.raises(UnsupportedLayer, match=r"does not hold its vocabulary.*model\.keras"):
        built(file)


def with_vocabulary(file: Path, change) -> Path:
    """The archive with another text as its vocabulary."""
    other = file.with_name("changed.keras")
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(other, "w") as target:
        for info in source.infolist():
            content = source.read(info)
            if info.filename.endswith("vocabulary.txt"):
                content = change(content)
            target.writestr(info, content)
    return other


def test_line_break_within_a_word_is_refused(model):
    """Keras 3 reads such a vocabulary with other indices than it wrote it with."""
    file = model(ARCHIVES[1], "adapted.keras")
    with pytest.raises(UnsupportedLayer, match="line break"):
        built(with_vocabulary(file, lambda old: old.replace("für".encode(), b"f\xe2\x80\xa8r")))


def test_vocabulary_with_the_line_ends_of_windows_is_read(model):
    file = model(ARCHIVES[1], "adapted.keras")
    changed = with_vocabulary(file, lambda old: old.replace(b"\n", b"\r\n"))
    assert read_vectorization(changed, None).words == read_vectorization(file, None).words


def test_vocabulary_in_an_encoding_of_windows_is_refused(model):
    file = model(ARCHIVES[1], "adapted.keras")
    with pytest.raises(BuildError, match=r"vocabulary is not UTF-8.*PYTHONUTF8=1"):
        built(with_vocabulary(file, lambda old: old.decode().encode("cp1252", "replace")))


def test_word_index_beside_the_layer_is_refused(model, tmp_path):
    file = model(ARCHIVES[0], "adapted.keras")
    words = tmp_path / "words.json"
    words.write_text('{"you": 2}')
    with pytest.raises(BuildError, match="leave out --word-index"):
        build(file, words, tmp_path / "out", labels="a,b,c", say=lambda line: None)


def test_setting_that_contradicts_the_layer_is_refused(model):
    with pytest.raises(BuildError, match="padding is given as 'pre'"):
        built(model(ARCHIVES[0], "adapted.keras"), padding="pre")


def test_model_without_words_asks_for_the_word_index(tmp_path):
    shutil.copy(FIXTURES / "author_valid_keras3.h5", tmp_path / "model.h5")
    with pytest.raises(BuildError, match=r"takes word indices.*--word-index"):
        built(tmp_path / "model.h5")


def test_a_custom_layer_does_not_make_a_word_index_unread(
    make_h5: Any, small_layers: Any, small_weights: Any, word_index: Path, tmp_path: Path
) -> None:
    small_layers.insert(1, {"class_name": "Custom>MyAttention", "config": {"name": "mine"}})
    model = make_h5(small_layers, small_weights)
    assert not holds_words(model, None)
