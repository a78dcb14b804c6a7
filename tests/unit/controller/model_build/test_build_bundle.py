"""A complete build: what the bundle contains, that it is reproducible, and all or nothing."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal

import bson
import h5py
import numpy as np
import onnx
import pytest
from keras_files import LABELS, head_of

from controller.model_build.__main__ import main
from controller.model_build.build import build
from controller.model_build.errors import BuildError, UnsupportedLayer
from controller.model_build.golden_texts import DEFAULT_TEXTS
from tox_com_det import embedding_checksum
from tox_com_det.model.manifest import Manifest


@pytest.fixture
def out(tmp_path):
    parent = tmp_path / "build"
    parent.mkdir()
    return parent / "bundle"


@pytest.fixture
def lines():
    return []


@pytest.fixture
def make(author_same, word_index, out, lines):
    """A function that builds the author's layers with padding='same', with options of `build`."""

    def run(h5=author_same.path, words=word_index, **options):
        options = {"labels": LABELS, "say": lines.append} | options
        return build(h5, words, out, **options)

    return run


def tree(directory):
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def documents(bundle, manifest):
    path = bundle / "dump" / "word_embeddings" / f"{manifest.embedding.collection}.bson"
    with path.open("rb") as file:
        return list(bson.decode_file_iter(file))


def test_bundle_holds_manifest_head_and_dump(make, out):
    manifest = make().manifest
    collection = manifest.embedding.collection
    assert set(tree(out)) == {
        ".build.json",
        "manifest.json",
        "head.onnx",
        f"dump/word_embeddings/{collection}.bson",
        f"dump/word_embeddings/{collection}.metadata.json",
    }
    assert Manifest.load(out / "manifest.json") == manifest
    assert list(out.parent.iterdir()) == [out]


def test_words_have_the_tokenizers_index_and_the_row_of_the_matrix(
    make, out, word_index, author_same
):
    manifest = make().manifest
    _, matrix = head_of(author_same.path)
    found = documents(out, manifest)
    assert {one["_id"]: one["index"] for one in found} == json.loads(word_index.read_text())
    for one in found:
        assert one["vector"] == matrix[one["index"]].astype("<f4").tobytes()
    rows = [(one["_id"], one["index"], one["vector"]) for one in found]
    assert manifest.embedding.checksum == embedding_checksum(rows)
    assert manifest.embedding.count == len(rows) == 39


def test_padding_row_is_the_matrix_row_0_and_not_zeros(make, out, author_same):
    make()
    row = head_of(author_same.path)[1][0].astype("<f4")
    assert np.abs(row).max() > 0
    stored = json.loads((out / "manifest.json").read_text())["embedding"]["special_rows"]
    assert stored == {"0": base64.b64encode(row.tobytes()).decode()}


def test_head_names_the_embedding_and_the_labels_of_the_manifest(make, out):
    manifest = make().manifest
    metadata = {one.key: one.value for one in onnx.load(out / "head.onnx").metadata_props}
    assert metadata["embedding_checksum"] == manifest.embedding.checksum
    assert json.loads(metadata["labels"]) == LABELS == list(manifest.labels)


def test_golden_outputs_include_one_word_insults_and_long_texts(make):
    cases = make().manifest.golden_outputs.cases
    texts = [case.text for case in cases]
    assert texts == list(DEFAULT_TEXTS)
    assert "idiot" in texts
    assert max(len(text.split()) for text in texts) > 100
    by_text = {case.text: case.scores for case in cases}
    assert by_text["qzxvkj wqpfzj"] == by_text["?!"]  # no known word: both are only padding
    assert by_text["idiot"] != by_text["?!"]


def test_settings_can_add_golden_outputs(make):
    texts = [case.text for case in make(texts=["zebra zebra"]).manifest.golden_outputs.cases]
    assert texts == [*DEFAULT_TEXTS, "zebra zebra"]


def test_equal_inputs_give_equal_bytes(make, out):
    make()
    first = tree(out)
    shutil.rmtree(out)
    make()
    assert tree(out) == first


def test_unchanged_inputs_leave_the_bundle_untouched(make, out, lines):
    first = make()
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    lines.clear()
    again = make()
    assert again.unchanged
    assert not first.unchanged
    assert again.manifest == first.manifest
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    assert lines == [f"{out}: unchanged, model {first.manifest.model_version}"]


@pytest.mark.parametrize("what", ["head.onnx", "dump", "labels", "force"])
def test_any_change_builds_again(make, out, what):
    first = make()
    whole = tree(out)
    if what == "head.onnx":
        os.truncate(out / "head.onnx", 100)
    elif what == "dump":
        next(out.glob("dump/*/*.bson")).unlink()
    options = {"labels": {"labels": LABELS[::-1]}, "force": {"force": True}}.get(what, {})
    again = make(**options)
    assert not again.unchanged
    assert (tree(out) == whole) == (what != "labels")
    same_version = again.manifest.model_version == first.manifest.model_version
    assert same_version == (what != "labels")


def test_previous_bundle_is_replaced_completely(make, out, author_valid):
    make()
    make(h5=author_valid.path)
    assert len(list(out.glob("dump/word_embeddings/*.bson"))) == 1
    assert list(out.parent.iterdir()) == [out]


def test_dead_last_position_is_a_warning_and_in_the_manifest(make, author_valid, lines):
    result = make(h5=author_valid.path)
    assert result.manifest.dead_positions == (99,)
    assert "last word of every comment is ignored" in result.warnings[0]
    assert f"warning: {result.warnings[0]}" in lines
    assert make(h5=author_valid.path).warnings == result.warnings  # also when unchanged
    assert make().manifest.dead_positions == ()


def test_unreachable_rows_are_left_out_and_reported(make, lines):
    manifest = make(num_words=11).manifest
    assert manifest.embedding.count == 10
    assert manifest.tokenizer.num_words == 11
    assert any(
        line.startswith("29 words of the index are left out: num_words=11") for line in lines
    )
    assert any(line.startswith("29 of 40 rows of the embedding matrix") for line in lines)


def test_oov_token_has_a_special_row(make, tmp_path, word_index):
    words = json.loads(word_index.read_text())
    words = {("<oov>" if index == 1 else word): index for word, index in words.items()}
    path = tmp_path / "oov.json"
    path.write_text(json.dumps(words))
    manifest = make(words=path, **{"oov_token": "<oov>"}).manifest
    assert sorted(manifest.embedding.special_rows) == [0, 1]
    answers = {case.text: case.scores for case in manifest.golden_outputs.cases}
    assert answers["qzxvkj wqpfzj"] != answers["?!"]  # two unknown words are not padding


# --- errors that stop a build --------------------------------------------------------------------


def reference(tmp_path, result, change=0.0):
    cases = result.manifest.golden_outputs.cases
    scores = [list(case.scores) for case in cases]
    scores[3][2] += change
    path = tmp_path / "keras.json"
    content = {"keras": "2.15.0", "texts": [case.text for case in cases], "scores": scores}
    path.write_text(json.dumps(content))
    return path


def test_reference_scores_are_compared_and_recorded(make, tmp_path):
    path = reference(tmp_path, make(), change=4e-6)
    answers = make(reference=path).manifest.golden_outputs
    assert answers.reference_max_difference == pytest.approx(4e-6, rel=1e-3)
    assert answers.cases[0].reference is not None


def test_reference_of_another_model_stops_the_build(make, tmp_path, out):
    path = reference(tmp_path, make(), change=2e-5)
    before = tree(out)
    with pytest.raises(BuildError, match=r"differs from Keras by 2e-05 for 'you are an idiot'"):
        make(reference=path)
    assert tree(out) == before


def damaged(tmp_path, source, how):
    path = tmp_path / "damaged.h5"
    shutil.copy(source, path)
    if how == "truncated":
        os.truncate(path, path.stat().st_size - 2000)
    elif how == "not hdf5":
        path.write_text("Hello there!")
    else:
        with h5py.File(path, "r+") as file:
            group = file["model_weights"]
            names = []
            group.visit(names.append)
            if how == "missing":
                del group[next(name for name in names if name.endswith("kernel:0"))]
            elif how == "nan head":
                group[next(name for name in names if name.endswith("kernel:0"))][0, 0] = np.nan
            elif how == "nan row":
                group[next(name for name in names if name.endswith("embeddings:0"))][7] = np.nan
    return path


@pytest.mark.parametrize(
    ("how", "match"),
    [
        ("truncated", "not a readable HDF5 file"),
        ("not hdf5", "not a readable HDF5 file"),
        ("missing", "is missing"),
        ("nan head", "contains NaN"),
        ("nan row", "row 7 of the embedding contains NaN"),
    ],
)
def test_damaged_model_is_a_one_line_error_and_leaves_nothing(
    make, out, tmp_path, author_same, capsys, word_index, how, match
):
    path = damaged(tmp_path, author_same.path, how)
    with pytest.raises(BuildError, match=match):
        make(h5=path)
    assert list(out.parent.iterdir()) == []
    arguments = ["--h5", path, "--word-index", word_index, "--out", out]
    assert main([*map(str, arguments), "--labels", ",".join(LABELS)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"labels": None}, "returns 6 scores, but a Keras model does not name them: give 6 names"),
        ({"labels": ["a", "b"]}, r"2 labels \['a', 'b'\], but .* returns 6 scores"),
        ({"labels": ["a"] * 6}, "a list of different texts"),
        ({"num_words": 1}, "no word of the index is below num_words=1"),
        ({"length": 50}, "takes 100 tokens: leave it out, or give --length 100 "),
        ({"padding": "both"}, "padding is 'both', it must be pre or post"),
        ({"name": "My Model"}, "name is 'My Model'"),
        ({"embedding_name": "a-b"}, "embedding_name is 'a-b'"),
        ({"oov_token": "<oov>"}, "'<oov>' is not in the word index"),
        ({"lables": []}, "unknown setting 'lables'"),
        ({"settings": "/nowhere/model.json"}, "/nowhere/model.json: No such file"),
        ({"reference": "/nowhere/keras.json"}, "/nowhere/keras.json: No such file"),
    ],
)
def test_invalid_settings_are_a_one_line_error(make, out, options, match):
    with pytest.raises(BuildError, match=match) as caught:
        make(**options)
    assert "\n" not in str(caught.value)
    assert list(out.parent.iterdir()) == []


def test_word_index_of_another_model_is_refused(make, tmp_path, out):
    path = tmp_path / "other.json"
    path.write_text(json.dumps({f"w{number}": number for number in range(1, 45)}))
    with pytest.raises(BuildError, match=r"5 words such as 'w44' .* beyond the matrix of 40 rows"):
        make(words=path)
    assert list(out.parent.iterdir()) == []


def test_labels_may_be_one_text_with_commas(make):
    assert make(labels="a, b,c,d,e,f").manifest.labels == ("a", "b", "c", "d", "e", "f")


def test_unsupported_layer_leaves_nothing(make, out, make_h5, small_layers, small_weights):
    small_layers.insert(1, {"class_name": "Lambda", "config": {"name": "mine", "units": 3}})
    with pytest.raises(UnsupportedLayer, match=r"layer 1 \(Lambda 'mine'\) is not supported"):
        make(h5=make_h5(small_layers, small_weights), labels=["a", "b"])
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize("line", range(2))
def test_interrupt_leaves_nothing_behind(make, out, lines, line):
    make()
    count = len(lines)
    shutil.rmtree(out)
    assert count > line

    def say(text):
        if len(seen) == line:
            raise KeyboardInterrupt
        seen.append(text)

    seen = []
    with pytest.raises(KeyboardInterrupt):
        make(say=say)
    assert list(out.parent.iterdir()) == []


def test_interrupt_within_the_dump_keeps_the_previous_bundle(make, out, monkeypatch):
    make()
    before = tree(out)
    encode, calls = bson.encode, []

    def interrupted(document):
        calls.append(document)
        if len(calls) == 20:
            raise KeyboardInterrupt
        return encode(document)

    monkeypatch.setattr("controller.model_build.dump.bson.encode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(num_words=30)
    assert len(calls) == 20
    assert tree(out) == before
    assert list(out.parent.iterdir()) == [out]


def test_terminated_command_leaves_nothing(author_same, word_index, out, monkeypatch):
    def terminated(document):
        os.kill(os.getpid(), signal.SIGTERM)
        return b""

    monkeypatch.setattr("controller.model_build.dump.bson.encode", terminated)
    before = signal.getsignal(signal.SIGTERM)
    arguments = ["--h5", author_same.path, "--word-index", word_index, "--out", out]
    with pytest.raises(SystemExit) as caught:
        main([*map(str, arguments), "--labels", ",".join(LABELS)])
    assert caught.value.code == 128 + signal.SIGTERM
    assert list(out.parent.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == before


def test_full_disk_is_a_one_line_error(make, out, monkeypatch):
    def full(document):
        raise OSError(28, "No space left on device", "bundle")

    monkeypatch.setattr("controller.model_build.dump.bson.encode", full)
    with pytest.raises(BuildError, match="No space left on device: nothing was changed"):
        make()
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize("kind", ["file", "other directory", "link to a bundle"])
def test_anything_but_a_bundle_is_never_replaced(make, out, kind):
    if kind == "file":
        out.write_text("mine")
    elif kind == "link to a bundle":
        make()
        out.rename(out.parent / "elsewhere")
        out.symlink_to("elsewhere")
    else:
        out.mkdir()
        (out / "thesis.tex").write_text("mine")
    before, entries = tree(out.parent), sorted(out.parent.iterdir())
    with pytest.raises(BuildError, match="choose another --out"):
        make(force=True)
    assert (tree(out.parent), sorted(out.parent.iterdir())) == (before, entries)
    assert out.is_symlink() == (kind == "link to a bundle")


def test_leftovers_of_a_killed_build_are_removed(make, out):
    gone = 2**22 + 1  # above the kernel's largest process id
    (out.parent / f".bundle.building-{gone}").mkdir()
    make()
    assert list(out.parent.iterdir()) == [out]


def test_bundle_is_restored_if_a_build_was_killed_between_the_two_renames(make, out):
    make()
    before = tree(out)
    out.rename(out.parent / f".bundle.previous-{2**22 + 1}")
    with pytest.raises(BuildError, match="give 6 names"):
        make(labels=None)
    assert tree(out) == before


def test_command_line_builds_and_recognizes_unchanged_inputs(author_same, word_index, out, capsys):
    arguments = ["--h5", author_same.path, "--word-index", word_index, "--out", out]
    arguments = [*map(str, arguments), "--labels", ",".join(LABELS), "--name", "cli"]
    assert main(arguments) == 0
    assert "built model" in capsys.readouterr().out
    assert main(arguments) == 0
    assert "unchanged" in capsys.readouterr().out
    assert Manifest.load(out / "manifest.json").name == "cli"
    assert main(["--layers"]) == 0
    assert "Conv1D" in capsys.readouterr().out.split()


def test_settings_file_beside_the_model_is_used(author_same, word_index, out, tmp_path, lines):
    h5 = tmp_path / "model.h5"
    shutil.copy(author_same.path, h5)
    (tmp_path / "model.json").write_text(json.dumps({"labels": LABELS, "name": "beside"}))
    assert build(h5, word_index, out, say=lines.append).manifest.name == "beside"
    assert build(h5, word_index, out, name="given", say=lines.append).manifest.name == "given"
