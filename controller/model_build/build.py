"""Build a bundle: check the inputs, write the files, and replace the previous bundle as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
import onnxruntime

from controller.model_build import __version__, stamp
from controller.model_build.bundle import Plan, write_bundle
from controller.model_build.consistency import embedding_rows, unknown_word_row
from controller.model_build.convert import check_layers
from controller.model_build.describe import warnings_of
from controller.model_build.errors import BuildError, file_problem, from_os_error
from controller.model_build.keras_file import as_keras_writes, open_model
from controller.model_build.keras_model import KerasModel
from controller.model_build.place import check_replaceable, replacing
from controller.model_build.plausibility import (
    Unusual,
    check_indices,
    check_words,
)
from controller.model_build.score_maps import keep_maps
from controller.model_build.settings import agree, make_settings, read_settings
from controller.model_build.vocabulary import vocabulary
from controller.model_build.word_index import read_word_index
from tox_com_det.model.bundle import MANIFEST_FILE
from tox_com_det.model.manifest import Manifest

SETTINGS_FILE, REFERENCE_FILE = "model.json", "reference.json"

Say = Callable[[str], None]


@dataclass(frozen=True)
class BuildResult:
    """A bundle in its place.

    Attributes:
        bundle: its directory.
        manifest: its manifest.
        unchanged: whether it was there already, built from the same inputs.
        warnings: warnings about the model, one line each.
    """

    bundle: Path
    manifest: Manifest
    unchanged: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Files:
    """The input files of a build."""

    h5: Path
    word_index: Path
    settings: Path | None
    reference: Path | None
    architecture: Path | None

    def check(self) -> None:
        """Refuse what is not a file.

        Raises:
            BuildError: the first of them, with its option.
        """
        for option, path in {**self.to_hash(), "settings": self.settings}.items():
            problem = file_problem(path) if path is not None else ""
            if problem:
                raise BuildError(f"{path} {problem}: set it with --{option.replace('_', '-')}")

    def to_hash(self) -> dict[str, Path | None]:
        """The files by name; settings count by their values, not by the file that has them."""
        return {
            "h5": self.h5,
            "word_index": self.word_index,
            "reference": self.reference,
            "architecture": self.architecture,
        }


def build(
    h5: str | Path,
    word_index: str | Path,
    out: str | Path,
    *,
    settings: str | Path | None = None,
    reference: str | Path | None = None,
    architecture: str | Path | None = None,
    force: bool = False,
    accept_unusual: bool = False,
    say: Say = print,
    **overrides: Any,
) -> BuildResult:
    """Build the bundle of a Keras model in the directory `out`.

    Equal inputs give equal bytes. After an error or an interrupt nothing incomplete is left behind;
    a previous bundle stays in place until the new one is complete. Its score maps are kept if the
    model is the same.

    Args:
        h5: Keras model: `.h5`, `.keras`, or an `.h5` with weights only.
        word_index: the tokenizer's word index, in one of the forms of `read_word_index`.
        out: directory of the bundle.
        settings: JSON with the settings of the build; default: `model.json` beside the `.h5`,
            if it exists.
        reference: Keras' scores; default: `reference.json` beside the `.h5`, if it exists.
        architecture: JSON of `model.to_json()`, for an `.h5` with weights only.
        force: build even if the bundle is there already.
        accept_unusual: only warn of what `plausibility` finds.
        say: takes one line of output at a time.
        overrides: fields of `Settings` (labels, num_words, length, padding, truncating, name,
            embedding_name, mode, dtype, ...), which override those of the file; None means not
            given; labels may be one text with commas.

    Raises:
        BuildError: with one line for the user; `UnsupportedLayer` is one of them.
    """
    h5, out = Path(h5), Path(out)
    files = _Files(
        h5,
        Path(word_index),
        _given_or_beside(settings, h5, SETTINGS_FILE),
        _given_or_beside(reference, h5, REFERENCE_FILE),
        Path(architecture) if architecture is not None else None,
    )
    try:
        return _build(files, out, overrides, force, Unusual(accept_unusual, say))
    except OSError as error:
        raise from_os_error(error, out) from error


def _build(
    files: _Files, out: Path, overrides: Mapping[str, Any], force: bool, unusual: Unusual
) -> BuildResult:
    say = unusual.say
    check_replaceable(out)
    files.check()
    index = read_word_index(files.word_index)
    given = (
        read_settings(files.settings) if files.settings else {},
        {key: value for key, value in overrides.items() if value is not None},
    )
    agree(str(files.word_index), index.settings, *given)
    settings = make_settings(str(files.settings or "options"), index.settings, *given)
    with open_model(files.h5, files.architecture) as model:
        tools = _tools(model)
        built_from = stamp.inputs(files.to_hash(), settings, tools, unusual.accepted)
        if not force and stamp.is_current(out, built_from):
            manifest = Manifest.load(out / MANIFEST_FILE)
            say(f"{out}: unchanged, model {manifest.model_version}")
            return BuildResult(out, manifest, True, warnings_of(manifest))
        for path, what in ((files.settings, "settings"), (files.reference, "Keras scores")):
            if path:
                say(f"{what} from {path}")
        with as_keras_writes(files.h5):
            check_layers(model.network)
            rows, rules = embedding_rows(model), settings.tokenizer()
        unknown = unknown_word_row(index, settings)
        check_words(index, rules, str(files.word_index), unusual)
        chosen = vocabulary(index, rules, rows)
        check_indices(index, rules, rows, unusual)
        del index  # with 400,000 words as large as everything else together
        plan = Plan(model, chosen, unknown, settings, files.reference, tools, unusual)
        with replacing(out) as work:
            manifest = keep_maps(out, work, write_bundle(work, plan, say), say)
            stamp.write_stamp(work, built_from)
    for line in warnings_of(manifest):
        say(f"warning: {line}")
    say(f"{out}: built model {manifest.model_version} ({manifest.name})")
    return BuildResult(out, manifest, False, warnings_of(manifest))


def _given_or_beside(given: str | Path | None, h5: Path, name: str) -> Path | None:
    if given is not None:
        return Path(given)
    beside = h5.parent / name
    return beside if beside.is_file() else None


def _tools(model: KerasModel) -> dict[str, str]:
    return {
        "model_build": __version__,
        "onnx": onnx.__version__,
        "numpy": np.__version__,
        "h5py": h5py.__version__,
        "onnxruntime": onnxruntime.__version__,
        "keras_of_file": model.keras_version,
    }
