"""The inputs of a build are checked; a problem is a one-line error that leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil

import h5py
import numpy as np
import pytest
from bundle_files import tree
from keras_files import LABELS

from controller.model_build.__main__ import main
from controller.model_build.build import build
from controller.model_build.errors import BuildError, UnsupportedLayer


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (2e-5, r"differs from Keras by 2e-05 for 'you are an idiot'.*is rounding, not another"),
        (2e-3, r"differs from Keras by 0\.002 for .*--word-index, num_words and padding belong"),
    ],
)
def test_reference_that_differs_stops_the_build(make, tmp_path, out, change, message):
    path = reference(tmp_path, make(), change=change)
    before = tree(out)
    with pytest.raises(BuildError, match=message):
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
        (
            {"settings": "/nowhere/model.json"},
            r"model\.json does not exist: set it with --settings",
        ),
        (
            {"reference": "/nowhere/keras.json"},
            r"keras\.json does not exist: set it with --reference",
        ),
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


def test_options_of_the_program_are_split_as_those_of_fab(author_same, word_index, out, tmp_path):
    given = ["--h5", author_same.path, "--word-index", word_index, "--padding", "pre"]
    names = ["--labels", "a, b,c,d,e,f", "--languages", "en, de"]
    assert main([*map(str, given), "--out", str(out), *names]) == 0
    options = {"labels": "a, b,c,d,e,f", "languages": "en, de", "padding": "pre"}
    fab = build(author_same.path, word_index, tmp_path / "fab", say=str, **options)
    assert tree(out) == tree(tmp_path / "fab")
    assert fab.manifest.languages == ("en", "de")


def test_unsupported_layer_leaves_nothing(make, out, make_h5, small_layers, small_weights):
    small_layers.insert(1, {"class_name": "Lambda", "config": {"name": "mine", "units": 3}})
    with pytest.raises(UnsupportedLayer, match=r"layer 1 \(Lambda 'mine'\) is not supported"):
        make(h5=make_h5(small_layers, small_weights), labels=["a", "b"])
    assert list(out.parent.iterdir()) == []


def test_settings_file_beside_the_model_is_used(author_same, word_index, out, tmp_path, lines):
    h5 = tmp_path / "model.h5"
    shutil.copy(author_same.path, h5)
    given = {"labels": LABELS, "name": "beside", "padding": "pre"}
    (tmp_path / "build_settings.json").write_text(json.dumps(given))
    assert build(h5, word_index, out, say=lines.append).manifest.name == "beside"
    assert build(h5, word_index, out, name="given", say=lines.append).manifest.name == "given"
