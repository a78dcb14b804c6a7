"""The files beside a model that a build finds by their names, and what each of them is.

Settings are in `build_settings.json`. They were once in `model.json`, which is also the usual name
of an architecture (`model.to_json()`) and of a model of TensorFlow.js, so a file of that name is
read for what it contains.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from controller.model_build.settings import SETTINGS_FILE, Settings

OLD_SETTINGS_FILE, REFERENCE_FILE = "model.json", "reference.json"
JsonKind = Literal["architecture", "tfjs", "settings", "other"]

_SETTINGS = frozenset(entry.name for entry in fields(Settings))
_TFJS = ("modelTopology", "weightsManifest")
_SOMEBODY_ELSES = ("class_name", "config", "format")
_MOST_FILES = 50
# Of the architectures of the largest models; a larger JSON is something else.
_MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Beside:
    """The files of a build beside its model.

    Attributes:
        settings: the settings, None without any.
        reference: Keras' own scores, None without any.
        architecture: an architecture named `model.json`, which is used if the model has none.
        notes: what was found and is not read, one line each.
    """

    settings: Path | None
    reference: Path | None
    architecture: Path | None
    notes: tuple[str, ...]


def json_kind(data: Any) -> JsonKind:
    """What a JSON value is by the keys at its top: whose file a `model.json` is."""
    if isinstance(data, str):  # json.dump(model.to_json(), file)
        try:
            data = json.loads(data)
        except (ValueError, RecursionError):
            return "other"
    if not isinstance(data, Mapping):
        return "other"
    if any(key in data for key in _TFJS):
        return "tfjs"
    if "class_name" in data and "config" in data and data["class_name"] != "Tokenizer":
        return "architecture"
    if any(key in data for key in _SOMEBODY_ELSES):
        return "other"
    return "settings" if not data or _SETTINGS & set(data) else "other"


def find_beside(h5: Path) -> Beside:
    """Find settings, architecture and reference beside a model; nothing is checked yet.

    `build_settings.json` decides alone. Without it, a `model.json` that holds settings is read.
    """
    notes: list[str] = []
    settings, reference = (_file(h5, name) for name in (SETTINGS_FILE, REFERENCE_FILE))
    old, architecture = _file(h5, OLD_SETTINGS_FILE), None
    kind = file_kind(old) if old is not None else None
    if kind == "architecture":
        architecture = old
    elif kind == "tfjs":
        notes.append(f"{old} is a model of TensorFlow.js: it is not read")
    elif kind == "other":
        notes.append(f"{old} has no settings of a build and no architecture: it is not read")
    elif settings is not None and old is not None:
        notes.append(f"{old} is not read: the settings are those of {settings}")
    elif old is not None:
        settings = old
    return Beside(settings, reference, architecture, tuple(notes))


def other_architectures(h5: Path) -> list[Path]:
    """Architectures beside a model under any name, for a model that has none."""
    found = sorted(h5.parent.glob("*.json"))[:_MOST_FILES]
    return [path for path in found if path.is_file() and file_kind(path) == "architecture"]


def _file(h5: Path, name: str) -> Path | None:
    beside = h5.parent / name
    return beside if beside.is_file() and beside != h5 else None


def file_kind(path: Path) -> JsonKind:
    """What a `model.json` is; a damaged one counts as settings, whose reader says what is wrong."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return "other"
        return json_kind(json.loads(path.read_text(encoding="utf-8-sig")))
    except (OSError, ValueError, RecursionError):
        return "settings"
