"""What toxctl needs of a model's manifest.json: golden outputs, files, collection.

Format 2 calls the golden outputs `golden_outputs`, format 1 (version 0.1) `known_answers`. The app
checks the manifest as a whole; here only what is used is checked.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from toxctl.errors import ToxctlError
from toxctl.files import load_json

__all__ = [
    "Case",
    "Expected",
    "ManifestFile",
    "collection_of",
    "expected_of",
    "files_of",
    "normalization_of",
    "path_of",
    "settings_of",
    "windows_of",
]

GOLDEN_KEYS = ("golden_outputs", "known_answers")
# What a file with other JSON in it causes; ArithmeticError: an integer that is no float.
UNUSABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


class Case(NamedTuple):
    """One golden output: a text and its scores, one per label."""

    text: str
    scores: list[float]


class Expected(NamedTuple):
    """What a slot that runs the model must answer."""

    model: str
    labels: list[str]
    tolerance: float
    cases: list[Case]


class ManifestFile(NamedTuple):
    """A file of the model as the manifest describes it."""

    sha256: str
    size: int


def path_of(model: str) -> str:
    """Return where a model's manifest is."""
    return os.path.join(model, "manifest.json")


def expected_of(model: str) -> Expected:
    """Return the golden outputs of the model in this directory.

    Raises:
        ToxctlError: kind `manifest`.
    """
    path = path_of(model)
    try:
        with open(path, encoding="utf-8") as file:
            manifest = load_json(file)
        golden = next((manifest[key] for key in GOLDEN_KEYS if key in manifest), None)
        if golden is None:
            raise ValueError("it has no golden_outputs")
        labels = [str(label) for label in manifest["labels"]]
        cases = [
            Case(str(case["text"]), [float(score) for score in case["scores"]])
            for case in golden["cases"]
        ]
        if not cases or any(len(case.scores) != len(labels) for case in cases):
            raise ValueError("it has no golden outputs, or some with a wrong number of scores")
        return Expected(str(manifest["model_version"]), labels, float(golden["tolerance"]), cases)
    except UNUSABLE as error:
        raise _unusable(path, error) from None


def files_of(model: str) -> dict[str, ManifestFile]:
    """Return the files of the model in this directory, by name.

    Raises:
        ToxctlError: kind `manifest`.
    """
    path = path_of(model)
    try:
        with open(path, encoding="utf-8") as file:
            entries = load_json(file)["files"]
        found = {
            name: ManifestFile(str(entry["sha256"]), int(entry["bytes"]))
            for name, entry in entries.items()
        }
        if not found or any(os.path.basename(name) != name for name in found):
            raise ValueError("it names no files, or some outside of its directory")
    except UNUSABLE as error:
        raise _unusable(path, error) from None
    return found


def _unusable(path: str, error: Exception) -> ToxctlError:
    why = repr(error)
    why = why if len(why) <= 200 else f"{why[:197]}..."
    return ToxctlError(f"{path} is unusable ({why}): rerun `fab deploy-model`", "manifest")


def collection_of(manifest: Any) -> str | None:
    """Return "database.collection" of a manifest's content; None if it names none."""
    embedding = manifest.get("embedding") if isinstance(manifest, dict) else None
    if not isinstance(embedding, dict) or not embedding.get("collection"):
        return None
    return f"{embedding.get('database')}.{embedding['collection']}"


def normalization_of(manifest: Any) -> str:
    """Return what happens to a text before the tokenizer; `keras` is nothing, as by default."""
    tokenizer = manifest.get("tokenizer") if isinstance(manifest, dict) else None
    found = tokenizer.get("normalization") if isinstance(tokenizer, dict) else None
    return found if isinstance(found, str) else "keras"


def windows_of(manifest: Any) -> int | None:
    """Return in how many windows a long text is read; None if it is cut, as by default."""
    found = manifest.get("sequence") if isinstance(manifest, dict) else None
    for key in ("windows", "most"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def settings_of(manifest: Any) -> str | None:
    """Return what the build said of its settings and their origins; None from older builds."""
    built_with = manifest.get("built_with") if isinstance(manifest, dict) else None
    found = built_with.get("settings") if isinstance(built_with, dict) else None
    return found if isinstance(found, str) else None
