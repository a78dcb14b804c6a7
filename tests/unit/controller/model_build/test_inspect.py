"""`fab inspect-model`: what a file is, what would be assumed, what is in the way, what to type."""

from __future__ import annotations

import json
import os
import pickle
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest
from bundle_files import tree
from foreign_files import DOWNLOADS, FOREIGN, PICKLES, pickled, write_foreign
from keras_files import LABELS, Recorded, Weights, layer
from test_served_bundles import case

from controller.deploy.errors import DeployError
from controller.deploy.tasks.build_model import inspect_model
from controller.model_build.__main__ import main
from controller.model_build.hdf5 import as_text
from controller.model_build.inspect_file import inspect


def text(path: Path, **options: Any) -> str:
    report = inspect(path, **options)
    return "\n".join(report.text(path))


def test_whole_model_fits_and_the_command_builds_it(
    tmp_path: Path, author_same: Recorded, word_index: Path, out: Path
) -> None:
    h5 = Path(shutil.copy(author_same.path, tmp_path / "model.h5"))
    before = tree(tmp_path)
    report = inspect(h5)
    assert tree(tmp_path) == before
    said = "\n".join(report.text(h5))
    assert report.fits
    for part in (
        "a Keras model with its weights, saved by Keras 2.15.0",
        "layers: Embedding -> Conv1D -> MaxPooling1D",
        "scores: 6",
        "100 tokens (model), padding pre (assumed)",
        "unknown words dropped (assumed)",
        "to state: what its 6 scores mean, --labels",
        "--padding pre or --padding post: its scores depend on it",
        "in the way: nothing",
    ):
        assert part in said
    command = report.next.replace("PRE_OR_POST", "post")
    assert command.startswith("fab build-model --h5 ")
    assert main([*shlex.split(command)[2:], "--out", str(out)]) == 0


@pytest.mark.parametrize("line", ["keras2", "keras3"])
@pytest.mark.parametrize("suffix", [".h5", ".keras", ".json"])
def test_every_form_of_a_model_is_inspected(tmp_path: Path, suffix: str, line: str) -> None:
    path, _, _ = case("bidirectional_lstm_concat", tmp_path, suffix, line)
    report = inspect(Path(path))
    assert report.fits, report.obstacles
    said = "\n".join(report.text(Path(path)))
    assert "layers: Embedding -> Bidirectional" in said
    assert ("without weights" in said) == (suffix == ".json")
    assert ("--architecture" in report.next) == (suffix == ".json")


@pytest.mark.parametrize("line", ["keras2", "keras3"])
def test_weights_alone_need_the_layers(tmp_path: Path, line: str) -> None:
    weights, _, _ = case("bidirectional_lstm_concat", tmp_path, ".weights.h5", line)
    given, _, _ = case("bidirectional_lstm_concat", tmp_path, ".json", line)
    report = inspect(Path(weights))
    assert not report.fits
    assert "weights of Keras without the layers" in report.what
    assert "--architecture" in report.next
    assert inspect(Path(weights), architecture=given).fits
    shutil.copy(given, Path(weights).parent / "model.json")
    report = inspect(Path(weights))
    assert report.fits
    assert any(line == f"architecture: {tmp_path}/model.json" for line in report.lines)


def test_every_unsupported_layer_is_named_not_only_the_first(
    tmp_path: Path, small_layers: list[dict[str, Any]], small_weights: Weights, make_h5: Any
) -> None:
    layers = [small_layers[0], layer("Lambda"), layer("MultiHeadAttention"), *small_layers[1:]]
    h5 = make_h5(layers, small_weights)
    report = inspect(h5)
    assert [one.partition(" is not")[0] for one in report.obstacles] == [
        "layer 1 (Lambda 'lambda')",
        "layer 2 (MultiHeadAttention 'multiheadattention')",
    ]
    (tmp_path / "arch.json").write_text(as_text(h5py.File(h5).attrs["model_config"]))
    assert inspect(tmp_path / "arch.json").obstacles == report.obstacles


def test_word_index_of_another_model_is_in_the_way(
    tmp_path: Path, author_same: Recorded, word_index: Path
) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps({f"w{number}": number for number in range(1, 60)}))
    assert inspect(author_same.path, word_index=word_index).fits
    report = inspect(author_same.path, word_index=other)
    assert any("beyond the matrix of 40 rows" in one for one in report.obstacles)


def test_padding_that_does_not_matter_needs_no_answer(
    small_layers: list[dict[str, Any]], small_weights: Weights, make_h5: Any
) -> None:
    small_weights["dense"]["bias"][:] = 0.1
    report = inspect(make_h5(small_layers, small_weights))
    assert "--padding" not in "\n".join([*report.lines, report.next])


@pytest.mark.parametrize("line", ["keras2", "keras3"])
def test_command_names_the_only_mode_that_a_model_can_be_built_in(
    tmp_path: Path, out: Path, line: str
) -> None:
    h5, texts, _ = case("two_embeddings", tmp_path, line=line)
    words = tmp_path / "words.json"
    words.write_text(json.dumps({f"w{number}": number for number in range(1, 30)}))
    (tmp_path / "build_settings.json").write_text(json.dumps({"texts": texts}))
    report = inspect(Path(h5), word_index=words)
    assert report.fits, report.obstacles
    assert "--mode whole" in report.next
    command = re.sub("PRE_OR_POST", "pre", report.next)
    assert main([*shlex.split(command)[2:], "--out", str(out), "--accept-unusual"]) == 0


def test_settings_beside_the_model_count(tmp_path: Path, author_same: Recorded) -> None:
    h5 = Path(shutil.copy(author_same.path, tmp_path / "model.h5"))
    settings = {"labels": LABELS, "padding": "post", "oov_token": None}
    (tmp_path / "build_settings.json").write_text(json.dumps(settings))
    report = inspect(h5)
    said = "\n".join(report.text(h5))
    assert "padding post (settings file)" in said
    assert "to state" not in said
    assert report.next == f"fab build-model --h5 {h5} --word-index WORD_INDEX"


# --- what is no model -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DOWNLOADS)
@pytest.mark.parametrize("name", ["model.h5", "tokenizer.json", "tokenizer.pickle"])
def test_pointer_or_page_is_told(tmp_path: Path, kind: str, name: str) -> None:
    content, match = DOWNLOADS[kind]
    path = tmp_path / name
    path.write_bytes(content)
    report = inspect(path)
    assert not report.fits
    assert re.search(match, f"is {report.what}: {report.next}", re.DOTALL)


@pytest.mark.parametrize("kind", FOREIGN)
def test_other_program_is_told(tmp_path: Path, kind: str) -> None:
    report = inspect(write_foreign(tmp_path / "model.h5", kind))
    assert not report.fits
    assert report.next


@pytest.mark.parametrize(("module", "name", "match"), PICKLES)
def test_pickle_of_another_program_is_told(
    tmp_path: Path, module: str, name: str, match: str
) -> None:
    path = tmp_path / "tfidf.pkl"
    path.write_bytes(pickled(module, name))
    report = inspect(path)
    assert not report.fits
    assert re.search(match, f"{report.what}: {report.obstacles[0]}")


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.json", {"format": "layers-model", "modelTopology": {}}, "a model of TensorFlow.js"),
        ("a.ipynb", {"cells": [], "nbformat": 4}, "a Jupyter notebook"),
        ("glove.txt", "the 0.1 0.2 0.3 0.4 0.5 0.6\n", "word vectors as text"),
        ("w2v.txt", "2 6\nthe 0.1 0.2 0.3 0.4 0.5 0.6\n", "word vectors as text"),
        ("train.py", "import keras\n\nmodel = 3\n", "a text"),
        ("train.csv", "id,comment_text,toxic\n1,hello you,0\n", "a text"),
        ("manifest.json", {"golden_outputs": 1, "model_version": "x"}, "the manifest of a bundle"),
        ("empty.json", {"class_name": "Sequential", "config": {"layers": []}}, "a Keras archi"),
        ("sub.json", {"class_name": "Mine", "config": {}}, "a Keras architecture"),
        ("list.json", [1, 2], "JSON"),
    ],
)
def test_file_that_holds_no_model_is_told(
    tmp_path: Path, name: str, content: Any, what: str
) -> None:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    report = inspect(path)
    assert report.what.startswith(what)
    assert not report.fits


def test_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").touch()
    report = inspect(tmp_path / "saved")
    assert (report.what, report.fits) == ("a SavedModel of TensorFlow", False)
    assert "load_model" in report.next


@pytest.mark.parametrize("form", ["json", "tokenizer", "pickle", "list", "settings", "reference"])
def test_further_inputs_of_a_build_fit(tmp_path: Path, form: str) -> None:
    words = {"<OOV>": 1, "you": 2, "idiot": 3}
    path = tmp_path / "given"
    config = {"word_index": json.dumps(words), "num_words": 20, "oov_token": "<OOV>"}
    content: Any = {
        "json": words,
        "tokenizer": {"class_name": "Tokenizer", "config": config},
        "list": [*words],
        "settings": {"labels": ["a"], "windows": 3},
        "reference": {"texts": ["x"], "scores": [[0.5]], "keras": "2"},
    }.get(form)
    if form == "pickle":
        path.write_bytes(pickle.dumps((words, 25)))
    else:
        path.write_text(json.dumps(content))
    report = inspect(path)
    assert report.fits
    assert str(path) in report.next
    said = "\n".join(report.lines)
    asked = form in ("json", "pickle", "list")
    assert ("--no-oov-token" in said) == asked
    assert ("num_words 20" in said) == (form == "tokenizer")


@pytest.mark.parametrize("size", [12, 700, 5000])
def test_damaged_model_is_one_line(tmp_path: Path, author_same: Recorded, size: int) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes(author_same.path.read_bytes()[:size])
    report = inspect(path)
    assert len(report.obstacles) == 1
    assert "copy the whole file" in report.obstacles[0]
    assert all("\n" not in line for line in report.text(path))


# --- the command line -----------------------------------------------------------------------------


def test_module_exits_with_0_only_for_what_fits(
    tmp_path: Path, author_same: Recorded, word_index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--inspect", str(author_same.path), "--word-index", str(word_index)]) == 0
    assert "in the way: nothing" in capsys.readouterr().out
    pointer = tmp_path / "model.h5"
    pointer.write_bytes(DOWNLOADS["lfs"][0])
    assert main(["--inspect", str(pointer)]) == 1
    assert "Git LFS pointer" in capsys.readouterr().out
    assert main(["--inspect", str(tmp_path / "nowhere")]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {tmp_path}/nowhere does not exist")
    assert error.count("\n") == 1


def test_fab_task_prints_and_fails_with_the_first_obstacle(
    tmp_path: Path, author_same: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    inspect_model(str(author_same.path))
    assert "in the way: nothing" in capsys.readouterr().out
    pointer = tmp_path / "model.h5"
    pointer.write_bytes(DOWNLOADS["lfs"][0])
    inspect_model(str(pointer), dry_run=True)
    assert capsys.readouterr().out.startswith(f"dry run of inspect-model: would read {pointer}")
    with pytest.raises(DeployError, match="does not fit: the file is a Git LFS pointer"):
        inspect_model(str(pointer))
    assert "next: run `git lfs install`" in capsys.readouterr().out


def test_nothing_in_a_file_is_run(
    tmp_path: Path, make_h5: Callable[..., Path], small_layers: Any, small_weights: Any
) -> None:
    class Hostile:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path}/touched",)

    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(Hostile()))
    assert not inspect(path).fits
    small_layers.insert(1, layer("Lambda", function=["touch", None, None]))
    assert not inspect(make_h5(small_layers, small_weights)).fits
    assert not (tmp_path / "touched").exists()


def test_an_answer_of_a_server_is_not_cut_at_its_own_colon(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes(b"404: Not Found")
    report = inspect(path)
    assert report.obstacles == ["the file holds only '404: Not Found', a server's answer"]
    assert report.next == "download the file again"


def test_commands_to_type_quote_the_path(tmp_path: Path) -> None:
    path = tmp_path / "my settings.json"
    path.write_text('{"padding": "pre"}')
    assert shlex.split(inspect(path).next)[-1] == str(path)


@pytest.mark.parametrize(
    "names",
    [
        ["layers/dense/vars/0"],
        ["_layer_checkpoint_dependencies/dense/vars/0"],
        ["layers\\dense\\vars/0"],
        ["_layer_checkpoint_dependencies\\dense\\vars/0"],
    ],
)
def test_weights_alone_name_their_layers_in_every_form(tmp_path: Path, names: list[str]) -> None:
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w") as file:
        for name in names:
            file[name] = [1.0]
    assert "weights of: dense" in text(path)


def test_weights_where_a_group_is_expected_are_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file["model_weights"] = [1.0]
    assert "weights of: model_weights" in text(path)


def test_inspect_takes_its_file_with_an_equals_sign(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes(b"404: Not Found")
    assert main([f"--inspect={path}"]) == 1
    assert "download the file again" in capsys.readouterr().out
