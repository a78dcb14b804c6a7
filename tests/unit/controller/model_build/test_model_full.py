"""`sample_model.full` adds the words of a vector file, and moves no score of the known ones."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from controller.model_build.build import build
from controller.model_build.errors import BuildError

PROJECT = Path(__file__).parents[4]
SAMPLE = PROJECT / "sample_model"


@pytest.fixture
def full(monkeypatch):
    """The module, from the checkout: it is not part of an installation."""
    monkeypatch.syspath_prepend(PROJECT)
    return importlib.import_module("sample_model.full")


@pytest.fixture
def index(full):
    return json.loads((SAMPLE / full.WORD_INDEX).read_text(encoding="utf-8"))


@pytest.fixture
def dimension(full):
    with h5py.File(SAMPLE / full.MODEL) as file:
        return file[full.path_of_embedding(file)].shape[1]


def write_vectors(path, words, dimension):
    lines = [
        " ".join([word, *(f"{number + place / 8:.3f}" for place in range(dimension))])
        for number, word in enumerate(words)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_new_words_get_the_rows_of_the_file_and_known_words_keep_theirs(
    full, tmp_path, index, dimension
):
    vectors = write_vectors(tmp_path / "vectors.txt", ["the", "zzqx", "zzqy"], dimension)
    words = full.enlarge(SAMPLE, vectors, None, tmp_path / "out", lambda line: None)
    new = json.loads((tmp_path / "out" / full.WORD_INDEX).read_text(encoding="utf-8"))
    assert words == len(new) == len(index) + 2
    assert {word: new[word] for word in index} == index
    with h5py.File(SAMPLE / full.MODEL) as before, h5py.File(tmp_path / "out" / full.MODEL) as now:
        own, rows = (
            np.asarray(file[full.path_of_embedding(file)], np.float32) for file in (before, now)
        )
    assert np.array_equal(rows[: len(own)], own)
    assert rows[new["zzqy"]] == pytest.approx(2 + np.arange(dimension) / 8, abs=1e-3)


def test_built_bundle_has_the_words_and_the_golden_outputs_of_the_sample(
    full, tmp_path, index, dimension
):
    vectors = write_vectors(tmp_path / "vectors.txt", ["zzqx"], dimension)
    out = tmp_path / "out"
    full.enlarge(SAMPLE, vectors, None, out, lambda line: None)
    built = build(
        out / full.MODEL, out / full.WORD_INDEX, tmp_path / "bundle", say=lambda line: None
    ).manifest
    assert built.embedding.count == len(index) + 1
    assert built.golden_outputs.reference_max_difference <= 1e-5


def test_vectors_of_another_dimension_are_refused_and_leave_the_older_result(
    full, tmp_path, dimension
):
    out = tmp_path / "out"
    out.mkdir()
    (out / "kept").touch()
    vectors = write_vectors(tmp_path / "vectors.txt", ["zzqx"], dimension + 1)
    with pytest.raises(BuildError, match="give a file of"):
        full.enlarge(SAMPLE, vectors, None, out, lambda line: None)
    assert (out / "kept").exists()


def test_error_is_one_line(full, tmp_path, capsys):
    assert full.main(["--vectors", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 1
    assert "no such file" in capsys.readouterr().err


def test_a_second_run_replaces_the_first(full, tmp_path, dimension):
    vectors = write_vectors(tmp_path / "vectors.txt", ["zzqx"], dimension)
    for _ in range(2):
        assert full.main(["--vectors", str(vectors), "--out", str(tmp_path / "out")]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        (full.MODEL, full.WORD_INDEX, full.SETTINGS, full.REFERENCE)
    )
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_a_file_of_weights_alone_is_refused(full, tmp_path):
    shutil.copytree(SAMPLE, tmp_path / "in")
    with h5py.File(tmp_path / "in" / full.MODEL, "r+") as file:
        del file[full.path_of_embedding(file)]
    with pytest.raises(BuildError, match="0 embeddings"):
        full.enlarge(tmp_path / "in", tmp_path / "none", None, tmp_path / "out", lambda line: None)
