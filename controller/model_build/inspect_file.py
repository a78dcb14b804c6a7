"""Say of any file whether a build can use it, what would be assumed, and what to type next.

Nothing is built, and nothing in a file is executed.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

from controller.model_build.beside import json_kind
from controller.model_build.downloads import stand_in
from controller.model_build.errors import BuildError, file_problem, one_line
from controller.model_build.foreign_pickles import foreign_pickle
from controller.model_build.inspect_model import inspect_architecture, inspect_model
from controller.model_build.inspect_report import Report, without_path
from controller.model_build.inspect_words import inspect_words, looks_like_vectors
from controller.model_build.kinds import HDF5, KERAS, PICKLE, kind_of
from controller.model_build.settings import Settings, read_settings

_START_BYTES = 64 * 1024
_MOST_BYTES = 256 * 1024 * 1024


def inspect(
    path: str | Path,
    *,
    word_index: str | Path | None = None,
    architecture: str | Path | None = None,
) -> Report:
    """Inspect a file or a directory.

    Args:
        word_index: that of the model; default: `word_index.json` beside it, if it exists.
        architecture: JSON of `model.to_json()`, for an `.h5` with weights only.

    Raises:
        BuildError: there is no such file, or it cannot be read.
    """
    path = Path(path)
    words, given = (None if one is None else Path(one) for one in (word_index, architecture))
    for one in (path, words, given):
        problem = file_problem(one) if one is not None else ""
        if problem and not (one == path and path.is_dir()):
            raise BuildError(f"{one} {problem}: name a file that is there")
    try:
        return _inspect(path, words, given)
    except OSError as error:
        raise BuildError(f"{path}: {error.strerror or one_line(error)}: copy it again") from error


def _inspect(path: Path, words: Path | None, architecture: Path | None) -> Report:
    what, way_out = ("", "") if path.is_dir() else stand_in(path)
    if what:
        return Report(what.removeprefix("is "), obstacles=[f"the file {what}"], next=way_out)
    kind = kind_of(path)
    if kind in (HDF5, KERAS):
        return inspect_model(path, kind, words, architecture)
    if kind is PICKLE:
        what, _, way_out = foreign_pickle(path.read_bytes()).partition(": ")
        return Report(what, obstacles=[way_out]) if what else inspect_words(path, "a pickle")
    if kind.key == "foreign":
        return Report(kind.name, obstacles=[f"{kind.name} cannot be built"], next=kind.way_out)
    return _inspect_text(path, words)


def _inspect_text(path: Path, words: Path | None) -> Report:
    with path.open("rb") as file:
        start = file.read(_START_BYTES)
    if start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[", b'"'):
        data = _json(path)
        if data is not None:
            return _inspect_json(path, data, words)
    if looks_like_vectors(start):
        return Report(
            "word vectors as text, such as GloVe's",
            obstacles=["these are vectors of words, not a model"],
            next=f"fab dump-embeddings --source {shlex.quote(str(path))}",
        )
    if path.stat().st_size > _MOST_BYTES:
        return Report("a text", obstacles=["it is too large to be a word index"])
    return inspect_words(path, "a text")


def _inspect_json(path: Path, data: Any, words: Path | None) -> Report:
    kind = json_kind(data)
    if kind == "architecture":
        return inspect_architecture(path, words)
    if kind == "tfjs":
        return Report(
            "a model of TensorFlow.js",
            obstacles=["only Keras models (.h5 or .keras) can be built"],
            next="give the Keras model that it was made from",
        )
    keys = set(data) if isinstance(data, dict) else set()
    if {"texts", "scores"} <= keys:
        return Report(
            "Keras' own scores of texts",
            next="fab build-model --h5 MODEL --word-index WORD_INDEX --reference "
            + shlex.quote(str(path)),
        )
    if {"cells", "nbformat"} <= keys:
        return Report("a Jupyter notebook", obstacles=["a notebook holds no trained model"])
    if {"golden_outputs", "model_version"} <= keys:
        return Report(
            "the manifest of a bundle, which is built already",
            obstacles=["a manifest is no model"],
            next="fab deploy-model --bundle ITS_DIRECTORY",
        )
    if keys and keys <= {entry.name for entry in fields(Settings)}:
        return _settings(path)
    return inspect_words(path, "JSON")


def _settings(path: Path) -> Report:
    try:
        read_settings(path)
    except BuildError as error:
        return Report("settings of a build", obstacles=[without_path(error, path)])
    return Report(
        "settings of a build",
        next="fab build-model --h5 MODEL --word-index WORD_INDEX --settings "
        + shlex.quote(str(path)),
    )


def _json(path: Path) -> Any:
    """The value of a JSON file; None for any other text."""
    if path.stat().st_size > _MOST_BYTES:
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError):
        return None
