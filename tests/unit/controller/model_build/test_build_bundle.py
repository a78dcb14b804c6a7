"""A complete build: what the bundle contains, and that it is reproducible."""

from __future__ import annotations

import base64
import json
import os
import shutil

import bson
import numpy as np
import onnx
import pytest
from bundle_files import tree
from keras_files import LABELS, head_of

from controller.model_build.__main__ import main
from controller.model_build.golden_texts import DEFAULT_TEXTS
from tox_com_det import embedding_checksum
from tox_com_det.model.manifest import Manifest


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
    assert texts[: len(DEFAULT_TEXTS)] == list(DEFAULT_TEXTS)
    assert len(texts) == len(DEFAULT_TEXTS) + 12  # of the model's own words
    assert "idiot" in texts
    assert max(len(text.split()) for text in texts) > 100
    by_text = {case.text: case.scores for case in cases}
    assert by_text["qzxvkj wqpfzj"] == by_text["?!"]  # no known word: both are only padding
    assert by_text["idiot"] != by_text["?!"]


def test_settings_can_add_golden_outputs(make):
    texts = [case.text for case in make(texts=["zebra zebra"]).manifest.golden_outputs.cases]
    assert texts[: len(DEFAULT_TEXTS) + 1] == [*DEFAULT_TEXTS, "zebra zebra"]


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
    assert lines == [
        f"settings: {first.manifest.built_with['settings']}",
        f"{out}: unchanged, model {first.manifest.model_version}",
    ]


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


def test_normalization_is_in_the_manifest_and_in_the_golden_outputs(make, out, lines):
    tricks = {"texts": ["you\u00a0are\u2014an \u201cidiot\u201d"]}
    plain = make(**tricks).manifest
    assert "normalization" not in json.loads((out / "manifest.json").read_text())["tokenizer"]
    lines.clear()
    manifest = make(normalization="unicode", **tricks).manifest
    stored = json.loads((out / "manifest.json").read_text())
    assert stored["tokenizer"]["normalization"] == manifest.tokenizer.normalization == "unicode"
    assert manifest.model_version != plain.model_version
    assert "texts are normalized first: unicode" in lines
    scores = [
        {case.text: case.scores for case in one.golden_outputs.cases} for one in (plain, manifest)
    ]
    hidden = tricks["texts"][0]
    assert scores[0][hidden] == scores[0]["?!"]  # no known word
    assert scores[1][hidden] == scores[1]["you are an idiot"]
    assert all(scores[0][text] == scores[1][text] for text in DEFAULT_TEXTS)


def test_command_line_builds_and_recognizes_unchanged_inputs(author_same, word_index, out, capsys):
    arguments = ["--h5", author_same.path, "--word-index", word_index, "--out", out]
    arguments = [*map(str, arguments), "--labels", ",".join(LABELS), "--name", "cli"]
    arguments += ["--normalization", "unicode", "--padding", "pre"]
    assert main(arguments) == 0
    assert "built model" in capsys.readouterr().out
    assert main(arguments) == 0
    assert "unchanged" in capsys.readouterr().out
    built = Manifest.load(out / "manifest.json")
    assert (built.name, built.tokenizer.normalization) == ("cli", "unicode")
    assert main(["--layers"]) == 0
    assert "Conv1D" in capsys.readouterr().out.split()
