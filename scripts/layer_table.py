"""Write the table of layers in docs/models.md from the recorded test matrix: `make docs`.

Usage: python scripts/layer_table.py [--check]

A layer is `converted` for a Keras line where a model with it is recorded in tests/fixtures/keras,
whose scores the tests compare with Keras', and `refused` where that Keras has the class, but no
such model is recorded. With --check nothing is written, and the exit status is 1 if the table is
out of date.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py

PROJECT = Path(__file__).resolve().parent.parent
FIXTURES = PROJECT / "tests" / "fixtures" / "keras"
DOCUMENT = PROJECT / "docs" / "models.md"
START = (
    "<!-- Written by scripts/layer_table.py from the tests' recorded models: run `make docs`. -->"
)
END = "<!-- End of the written part. -->"
LINES = ("2", "3")
# Parts of every file, or ways to write a layer of one's own, and operations of Keras 3.
NOT_LAYERS = ("Layer", "Wrapper", "AbstractRNNCell", "InputLayer", "Functional", "Sequential")
_ACTIVATION_OPTIONS = ("activation", "recurrent_activation")


def main(arguments: list[str] | None = None) -> int:
    """Write the table, or with --check return 1 if it is out of date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, only compare")
    check = parser.parse_args(arguments).check
    old = DOCUMENT.read_text(encoding="utf-8")
    new = replaced(old)
    if old == new:
        return 0
    if check:
        print(
            "docs/models.md: its table of layers is out of date: run `make docs`", file=sys.stderr
        )
        return 1
    DOCUMENT.write_text(new, encoding="utf-8")
    print("wrote the table of layers in docs/models.md")
    return 0


def replaced(document: str) -> str:
    """The document with the table between its two marks.

    Raises:
        ValueError: a mark is missing.
    """
    before, rest = document.split(START, 1)
    after = rest.split(END, 1)[1]
    return f"{before}{START}\n\n{table()}\n\n{END}{after}"


def table() -> str:
    """The table of layers, the layers that are refused, and the activations."""
    versions: dict[str, str] = {}
    classes: dict[str, set[str]] = {}
    used: dict[str, set[str]] = {}
    activations: dict[str, set[str]] = {}
    for line in LINES:
        with zipfile.ZipFile(FIXTURES / f"layers_keras{line}.zip") as archive:
            answers = json.loads(archive.read("scores.json"))
        versions[line], classes[line] = answers["keras"], set(answers["layers"])
        layers = [layer for model in models(line) for layer in layers_of(model["config"])]
        used[line] = {layer["class_name"] for layer in layers} & classes[line]
        activations[line] = {name for layer in layers for name in activations_of(layer)}
        for known in (classes, used):
            known[line] -= set(NOT_LAYERS)
    head = ["layer", *(f"Keras {versions[line]}" for line in LINES)]
    rows = [head, ["---"] * len(head)]
    for name in sorted(used["2"] | used["3"]):
        rows.append([name, *(_state(name, line, classes, used) for line in LINES)])
    refused = [
        f"Refused by name, of Keras {versions[line]}: "
        + ", ".join(sorted(classes[line] - used[line]))
        + "."
        for line in LINES
    ]
    functions = [
        f"Activations as text, of Keras {versions[line]}: "
        + ", ".join(sorted(activations[line]))
        + "."
        for line in LINES
    ]
    text = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return "\n\n".join([text, *functions, *refused])


def _state(
    name: str, line: str, classes: Mapping[str, set[str]], used: Mapping[str, set[str]]
) -> str:
    if name not in classes[line]:
        return "not in this Keras"
    return "converted" if name in used[line] else "refused"


def models(line: str) -> Iterator[Mapping[str, Any]]:
    """The architecture of every recorded model of a Keras line."""
    for path in sorted(FIXTURES.glob(f"*_keras{line}.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".keras"):
                    with zipfile.ZipFile(io.BytesIO(archive.read(name))) as inner:
                        yield json.loads(inner.read("config.json"))
                elif name.endswith(".h5") and not name.endswith(".weights.h5"):
                    with h5py.File(io.BytesIO(archive.read(name))) as file:
                        yield json.loads(file.attrs["model_config"])


def layers_of(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every layer of a model, of nested models and inside wrappers."""
    for layer in config["layers"]:
        yield layer
        inner = layer["config"]
        if "layers" in inner:
            yield from layers_of(inner)
        if isinstance(inner.get("layer"), dict):
            yield inner["layer"]


def activations_of(layer: Mapping[str, Any]) -> Iterator[str]:
    """Names of the activations of a layer."""
    for option in _ACTIVATION_OPTIONS:
        name = layer["config"].get(option)
        if isinstance(name, str):
            yield name


if __name__ == "__main__":
    raise SystemExit(main())
