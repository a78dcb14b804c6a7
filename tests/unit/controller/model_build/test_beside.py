"""The files beside a model: settings of our own, architectures, and what is somebody else's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from keras_files import LABELS, Recorded
from test_served_bundles import GIVEN, case

from controller.model_build.build import BuildResult, build
from controller.model_build.errors import BuildError
from controller.model_build.inspect_file import inspect

Make = Callable[..., BuildResult]
OURS = {"labels": LABELS, "padding": "pre", "name": "ours"}
TFJS = {"format": "layers-model", "modelTopology": {"model_config": {}}, "weightsManifest": []}


@pytest.fixture
def h5(tmp_path: Path, author_same: Recorded) -> Path:
    (tmp_path / "mine").mkdir()
    return Path(shutil.copy(author_same.path, tmp_path / "mine" / "model.h5"))


def write(h5: Path, name: str, content: Any) -> Path:
    path = h5.parent / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_settings_have_a_name_of_their_own(h5: Path, make: Make) -> None:
    write(h5, "build_settings.json", OURS)
    assert make(h5=h5, labels=None, padding=None).manifest.name == "ours"


def test_old_name_is_read_on(h5: Path, make: Make) -> None:
    write(h5, "model.json", OURS)
    assert make(h5=h5, labels=None, padding=None).manifest.name == "ours"


def test_own_name_decides_alone_where_both_are_there(
    h5: Path, make: Make, lines: list[str]
) -> None:
    write(h5, "build_settings.json", OURS)
    old = write(h5, "model.json", {"name": "old", "num_words": 30})
    manifest = make(h5=h5, labels=None, padding=None).manifest
    assert (manifest.name, manifest.tokenizer.num_words) == ("ours", None)
    assert f"{old} is not read: the settings are those of {h5.parent}/build_settings.json" in lines


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ({"class_name": "Sequential", "config": {"layers": []}}, "is an architecture, and not"),
        (json.dumps(json.dumps({"class_name": "Model", "config": {}})), "is an architecture"),
        (TFJS, "is a model of TensorFlow.js"),
        ({"format": "graph-model"}, "no settings of a build and no architecture"),
        ({"format": "layers-model", "name": "x"}, "no settings of a build and no architecture"),
        ({"modelTopology": {}, "name": "x"}, "is a model of TensorFlow.js"),
        ({"class_name": "Tokenizer", "config": {}}, "no settings of a build"),
        ({"version": 1, "author": "x"}, "no settings of a build"),
        ([1], "no settings of a build"),
    ],
)
def test_model_json_of_somebody_else_is_left_alone(
    h5: Path, make: Make, lines: list[str], content: Any, note: str
) -> None:
    path = write(h5, "model.json", content)
    before = path.read_bytes()
    assert make(h5=h5).manifest.labels == tuple(LABELS)
    assert any(line.startswith(f"{path} ") and note in line for line in lines)
    assert path.read_bytes() == before


def test_unknown_key_under_the_old_name_names_the_new_one(h5: Path, make: Make) -> None:
    write(h5, "model.json", {"name": "x", "lables": []})
    with pytest.raises(BuildError, match=r"unknown setting 'lables'.*build_settings\.json"):
        make(h5=h5)
    write(h5, "build_settings.json", OURS)
    assert make(h5=h5, labels=None, padding=None).manifest.name == "ours"


@pytest.mark.parametrize("line", ["keras2", "keras3"])
@pytest.mark.parametrize("twice", [False, True])
def test_architecture_beside_weights_is_used(
    tmp_path: Path, line: str, twice: bool, out: Path
) -> None:
    """The tutorials' to_json() and save_weights(), with json.dump(model.to_json()) as well."""
    words = tmp_path / "words.json"
    words.write_text(json.dumps({f"w{number}": number for number in range(1, 30)}))
    (tmp_path / "mine").mkdir()
    weights, _, _ = case("bidirectional_lstm_concat", tmp_path / "mine", ".weights.h5", line)
    given, _, _ = case("bidirectional_lstm_concat", tmp_path, ".json", line)
    text = Path(given).read_text()
    write(Path(weights), "model.json", json.dumps(text) if twice else text)
    whole, _, _ = case("bidirectional_lstm_concat", tmp_path, line=line)
    lines: list[str] = []
    found = build(weights, words, out, **GIVEN, say=lines.append).manifest
    expected = build(whole, words, tmp_path / "b", **GIVEN, say=lines.append).manifest
    assert found.model_version == expected.model_version
    assert f"architecture from {tmp_path}/mine/model.json" in lines


@pytest.mark.parametrize("line", ["keras2", "keras3"])
def test_architecture_of_another_name_beside_weights_is_named(
    tmp_path: Path, line: str, out: Path
) -> None:
    weights, _, _ = case("bidirectional_lstm_concat", tmp_path, ".weights.h5", line)
    given, _, _ = case("bidirectional_lstm_concat", tmp_path, ".json", line)
    words = tmp_path / "words.json"
    words.write_text(json.dumps({f"w{number}": number for number in range(1, 30)}))
    with pytest.raises(BuildError, match=f"give it with --architecture {given}"):
        build(weights, words, out, **GIVEN)
    assert given.endswith(inspect(weights).next.partition("(is ")[2].partition(" one?")[0])


def test_architecture_in_place_of_settings_is_named(h5: Path, make: Make) -> None:
    path = write(h5, "given.json", {"class_name": "Sequential", "config": []})
    with pytest.raises(BuildError, match="an architecture of Keras, not the settings"):
        make(h5=h5, settings=path)


def test_sample_model_states_what_a_stranger_must(tmp_path: Path) -> None:
    sample = Path(__file__).parents[4] / "sample_model"
    settings = json.loads((sample / "build_settings.json").read_text())
    assert (settings["padding"], settings["truncating"]) == ("pre", "pre")
    assert not (sample / "model.json").exists()
