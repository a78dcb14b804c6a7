"""The table of layers in docs/models.md, and that it says what the converters do."""

from __future__ import annotations

import json
import zipfile

import layer_table
import pytest

from controller.model_build.activations import FUNCTIONS
from controller.model_build.convert import supported_layers


def classes(line: str) -> set[str]:
    """Every layer of a Keras line."""
    with zipfile.ZipFile(layer_table.FIXTURES / f"layers_keras{line}.zip") as archive:
        return set(json.loads(archive.read("scores.json"))["layers"]) - set(layer_table.NOT_LAYERS)


def rows() -> dict[str, list[str]]:
    """The columns of the table in the document, by layer."""
    text = layer_table.DOCUMENT.read_text(encoding="utf-8")
    written = text.split(layer_table.START)[1].split(layer_table.END)[0]
    table = [line.strip("| ").split(" | ") for line in written.splitlines() if line[:1] == "|"]
    return {row[0]: row[1:] for row in table[2:]}


def test_document_holds_the_table_of_the_recorded_models(capsys):
    assert layer_table.main(["--check"]) == 0, capsys.readouterr().err


def test_stale_table_is_named_and_written(tmp_path, monkeypatch, capsys):
    copy = tmp_path / "models.md"
    text = layer_table.DOCUMENT.read_text(encoding="utf-8")
    copy.write_text(text.replace("| converted |", "| refused |", 1), encoding="utf-8")
    monkeypatch.setattr(layer_table, "DOCUMENT", copy)
    assert layer_table.main(["--check"]) == 1
    assert "run `make docs`" in capsys.readouterr().err
    assert layer_table.main([]) == 0
    assert copy.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(("column", "line"), [*enumerate(layer_table.LINES)])
def test_every_layer_that_has_a_converter_is_recorded_with_each_keras(column, line):
    converted = {name for name, row in rows().items() if row[column] == "converted"}
    expected = set(supported_layers()) & classes(line)
    assert converted == expected
    assert len(converted) > 50


def test_every_activation_is_recorded():
    used = {
        name
        for line in layer_table.LINES
        for model in layer_table.models(line)
        for layer in layer_table.layers_of(model["config"])
        for name in layer_table.activations_of(layer)
    }
    # Keras writes hard_swish under its other name, hard_silu.
    assert {*FUNCTIONS, "softmax", "log_softmax", "linear"} - {"hard_swish"} <= used
