"""The files of a trained model beside the .h5: words, settings, reference, figures, data."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.model_train.data import TEXT_COLUMN, Comments
from controller.model_train.errors import TrainError
from controller.model_train.recipe import Recipe
from controller.model_train.state import STATE_FILE
from controller.model_train.vocabulary import Vocabulary

__all__ = [
    "H5_FILE",
    "HELD_OUT_FILE",
    "WORDS_FILE",
    "check_directory",
    "refuse_directory",
    "write_comments",
    "write_metrics",
    "write_reference",
    "write_settings",
    "write_words",
]

H5_FILE, WORDS_FILE, SETTINGS_FILE = "model.h5", "word_index.json", "build_settings.json"
REFERENCE_FILE, HELD_OUT_FILE, METRICS_FILE = "reference.json", "held_out.csv", "metrics.json"
# METRICS_FILE is written last: a directory that has it has everything.


def check_directory(directory: Path, resume: bool) -> None:
    """Create the directory of a training, or refuse one that holds something else.

    Raises:
        TrainError: as `refuse_directory`.
    """
    refuse_directory(directory, resume)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainError(f"{directory}: {error.strerror}: choose another --out") from None


def refuse_directory(directory: Path, resume: bool) -> None:
    """Refuse a directory that a training cannot be written into; nothing is created.

    Raises:
        TrainError: a finished training, an interrupted one without `resume`, other files, or not
            writable.
    """
    try:
        if (directory / METRICS_FILE).exists():
            raise TrainError(
                f"{directory}: has a finished model: choose another --out, or remove it"
            )
        if (directory / STATE_FILE).exists():
            if not resume:
                raise TrainError(
                    f"{directory}: has an interrupted training: add --resume to go on with it, or "
                    "choose another --out"
                )
        elif directory.exists() and any(directory.iterdir()):
            raise TrainError(f"{directory}: is not empty: choose another --out")
        there = next(one for one in (directory, *directory.absolute().parents) if one.exists())
    except OSError as error:
        raise TrainError(f"{directory}: {error.strerror}: choose another --out") from None
    if not there.is_dir():
        raise TrainError(f"{directory}: {there} is not a directory: choose another --out")
    if not os.access(there, os.W_OK | os.X_OK):
        raise TrainError(f"{directory}: {there} is not writable: choose another --out")


def _write_text(path: Path, text: str) -> None:
    """Write a file; it is whole or not there."""
    work = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        work.write_text(text, encoding="utf-8", newline="")
        work.replace(path)
    finally:
        work.unlink(missing_ok=True)


def _write_json(path: Path, content: Any) -> None:
    """Write a readable JSON file."""
    _write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def write_words(directory: Path, vocabulary: Vocabulary) -> None:
    """Write the word index in its plain form."""
    _write_json(directory / WORDS_FILE, vocabulary.word_index())


def write_settings(
    directory: Path, name: str, labels: Sequence[str], languages: Sequence[str], recipe: Recipe
) -> None:
    """Write what an .h5 does not contain: `fab build-model` finds it beside the .h5."""
    windows = {"windows": recipe.windows, "stride": recipe.stride}
    _write_json(
        directory / SETTINGS_FILE,
        {
            "name": name,
            "labels": list(labels),
            "languages": list(languages),
            "embedding_name": name.replace("-", "_"),
            "padding": recipe.padding,
            "truncating": recipe.truncating,
            "filters": recipe.filters,
            "normalization": recipe.normalization,
            **(windows if recipe.windows > 1 else {}),
        },
    )


def write_reference(
    directory: Path, keras: str, texts: Sequence[str], scores: NDArray[np.float32]
) -> None:
    """Write Keras' own scores, which `fab build-model` compares with those of the head."""
    _write_json(
        directory / REFERENCE_FILE,
        {"keras": keras, "texts": list(texts), "scores": scores.astype(float).tolist()},
    )


def write_metrics(directory: Path, figures: Mapping[str, Any]) -> None:
    """Write the figures of the training; the directory is finished by that."""
    _write_json(directory / METRICS_FILE, figures)


def write_comments(path: Path, comments: Comments, labels: Sequence[str]) -> None:
    """Write comments as a CSV in the form that `read_comments` takes."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([TEXT_COLUMN, *labels])
    for one, target in zip(comments.texts, comments.targets, strict=True):
        writer.writerow([one, *("" if np.isnan(value) else f"{value:g}" for value in target)])
    _write_text(path, text.getvalue())
