"""The equality matrix: every layer and option compared with recorded scores of Keras.

`tests/fixtures/keras/record.py` records it, once with Keras 2.15 and once with Keras 3.
"""

from __future__ import annotations

import io
import json
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from keras_files import FIXTURES

from controller.model_build.errors import UnsupportedLayer
from controller.model_build.head import Head, build_head, stated_length
from controller.model_build.keras_file import open_model
from controller.model_build.scoring import open_session, run
from tox_com_det.model.encode import Inputs

ATOL, RTOL = 1e-6, 1e-5
MATRICES = sorted((*FIXTURES.glob("matrix_keras*.zip"), *FIXTURES.glob("layers_keras*.zip")))
# Only .keras, of versions that order the weights differently.
ARCHIVES = sorted(FIXTURES.glob("archives_keras*.zip"))
# Models that mode split refuses.
REFUSED = {"two_embeddings"}


@cache
def answers(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("scores.json"))


@cache
def members(path: Path) -> tuple[str, ...]:
    with zipfile.ZipFile(path) as archive:
        return tuple(archive.namelist())


EVERY = [
    pytest.param(path, name, id=f"{path.stem.removeprefix('matrix_')}-{name}")
    for path in MATRICES
    for name in answers(path)["cases"]
]
OTHER_FORMS = [
    pytest.param(path, name, id=f"{path.stem.removeprefix('matrix_')}-{name}")
    for path in (*MATRICES, *ARCHIVES)
    for name in members(path)
    if name.endswith((".keras", ".weights.h5"))
]


def unpacked(path: Path, name: str, directory: Path) -> Path:
    with zipfile.ZipFile(path) as archive:
        return Path(archive.extract(name, directory))


def scores(path: Path, architecture: Path | None, tokens: np.ndarray, mode: str) -> np.ndarray:
    with open_model(path, architecture) as model:
        head = build_head(model, stated_length(model), mode=mode)
        return run(open_session(head.proto.SerializeToString()), inputs(head, tokens))


def inputs(head: Head, tokens: np.ndarray) -> Inputs:
    if head.mode == "whole":
        return {"indices": tokens.astype(np.int32)}
    given = {"vectors": np.asarray(head.matrix)[tokens].astype(np.float32)}
    return given | ({"mask": (tokens != 0).astype(np.float32)} if head.masked else {})


def compare(path: Path, name: str, file: Path, architecture: Path | None, mode: str) -> None:
    recorded = answers(path)["cases"][name]
    expected = np.array(recorded["scores"])
    found = scores(file, architecture, np.array(recorded["tokens"]), mode)
    np.testing.assert_allclose(found, expected, rtol=RTOL, atol=ATOL)
    assert expected.max() - expected.min() > 0.5  # the recorded scores are spread


@pytest.mark.parametrize("mode", ["split", "whole"])
@pytest.mark.parametrize(("path", "name"), EVERY)
def test_scores_equal_keras(tmp_path, path, name, mode):
    file = unpacked(path, f"{name}.h5", tmp_path)
    if mode == "split" and name in REFUSED:
        with pytest.raises(UnsupportedLayer, match=r"two embeddings.*--mode whole"):
            compare(path, name, file, None, mode)
        return
    compare(path, name, file, None, mode)


@pytest.mark.parametrize(("path", "member"), OTHER_FORMS)
def test_archive_and_weights_with_an_architecture_equal_keras(tmp_path, path, member):
    name = member.partition(".")[0]
    architecture = None
    if member.endswith(".weights.h5"):
        architecture = unpacked(path, f"{name}.json", tmp_path)
    compare(path, name, unpacked(path, member, tmp_path), architecture, "split")


def as_on_windows(file: Path) -> Path:
    """The archive as Keras 2 on Windows writes it: backslashes within the names of groups."""
    other = file.with_name("windows.keras")
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(other, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "model.weights.h5":
                content = renamed_groups(content)
            target.writestr(name, content)
    return other


def renamed_groups(content: bytes) -> bytes:
    written = io.BytesIO()
    with h5py.File(io.BytesIO(content)) as old, h5py.File(written, "w") as new:

        def copy(name: str, item: object) -> None:
            group, found, number = name.rpartition("/vars/")
            if isinstance(item, h5py.Dataset):
                assert found
                new[group.replace("/", "\\") + found + number] = item[()]

        old.visititems(copy)
        assert any("\\" in name for name in new)
    return written.getvalue()


@pytest.mark.parametrize(
    ("path", "member"), [one for one in OTHER_FORMS if one.values[1].endswith(".keras")]
)
def test_archive_of_windows_equals_keras(tmp_path, path, member):
    name = member.partition(".")[0]
    compare(path, name, as_on_windows(unpacked(path, member, tmp_path)), None, "split")


def test_archives_of_keras_2_13_and_2_14_are_recorded():
    versions = [answers(path)["keras"] for path in ARCHIVES]
    assert [version.rpartition(".")[0] for version in versions] == ["2.13", "2.14"]


def test_keras_2_and_keras_3_are_recorded():
    recorded = {path.stem: answers(path) for path in MATRICES}
    for major in "23":
        assert recorded[f"matrix_keras{major}"]["keras"].split(".")[0] == major
        assert recorded[f"layers_keras{major}"]["keras"].split(".")[0] == major
        assert len(recorded[f"matrix_keras{major}"]["cases"]) > 120
        assert len(recorded[f"layers_keras{major}"]["cases"]) > 70


def test_masks_given_to_attention_are_refused(tmp_path):
    """One mask for each input is no single mask."""
    path = FIXTURES / "layers_keras3.zip"
    file = unpacked(path, "masked_self_attention.h5", tmp_path)
    with h5py.File(file, "r+") as content:
        config = json.loads(content.attrs["model_config"])
        called = config["config"]["layers"][1:]
        layers = {one["class_name"]: one["inbound_nodes"][0] for one in called}
        mask = layers["LSTM"]["kwargs"]["mask"]
        layers["Attention"]["kwargs"]["mask"] = [mask, None]
        content.attrs["model_config"] = json.dumps(config)
    with pytest.raises(UnsupportedLayer, match=r"additional arguments \(mask\)"):
        scores(file, None, np.zeros((1, 12), np.int32), "split")
