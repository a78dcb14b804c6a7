"""The figures of a card beside the model are in its bundle, if they are this model's."""

from __future__ import annotations

import json

import pytest

from controller.model_build.build import build
from controller.model_build.card_figures import FIGURES_FILES, KEY

GIVEN = {"labels": ["a", "b"], "padding": "pre", "accept_unusual": True, "say": lambda line: None}


@pytest.fixture
def model(make_h5, small_layers, small_weights):
    small_weights["dense"]["bias"] += 0.1
    return make_h5(small_layers, small_weights)


def write(model, content, name=FIGURES_FILES[0]):
    path = model.parent / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.mark.parametrize("name", FIGURES_FILES)
def test_figures_of_this_model_are_told(model, word_index, tmp_path, name):
    plain = build(model, word_index, tmp_path / "one", **GIVEN).manifest
    assert KEY not in plain.built_with
    sets = {"Natural": {"a": {"auc": 0.9712}, "b": {"auc": None}}}
    write(model, {"model": plain.model_version, "sets": sets}, name)
    told = build(model, word_index, tmp_path / "two", **GIVEN).manifest
    assert told.built_with[KEY] == "Natural: a 0.971, b -"
    assert told.model_version == plain.model_version


def test_new_figures_are_another_build(model, word_index, tmp_path):
    version = build(model, word_index, tmp_path / "one", **GIVEN).manifest.model_version
    for auc in (0.9, 0.8):
        sets = {"Natural": {"a": {"auc": auc}, "b": {"auc": auc}}}
        write(model, {"model": version, "sets": sets})
        built = build(model, word_index, tmp_path / "one", **GIVEN)
        assert built.manifest.built_with[KEY] == f"Natural: a {auc:.3f}, b {auc:.3f}"
    assert build(model, word_index, tmp_path / "one", **GIVEN).unchanged


@pytest.mark.parametrize(
    "content",
    ["", "[]", {"model": "0" * 12, "sets": {"Natural": {}}}, {"model": 1}, {"sets": {}}],
)
def test_figures_of_another_model_or_none_are_left_out(model, word_index, tmp_path, content):
    write(model, content)
    assert KEY not in build(model, word_index, tmp_path / "one", **GIVEN).manifest.built_with
